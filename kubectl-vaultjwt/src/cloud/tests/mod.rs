//! Kubeconfig entries as the clouds' tools write them, as people change them,
//! and as they contradict themselves.

use crate::cloud::aks::{AksCluster, AksName, AksWanted, AzureCloud};
use crate::cloud::eks::EksCluster;
use crate::cloud::evidence::{Cloud, Source, collect};
use crate::cloud::gke::GkeCluster;
use crate::cloud::kubeconfig_entry::{AuthProvider, Entry, Exec};
use crate::cloud::overrides::{CloudOverrides, ClusterId, identify};
use crate::cloud::verdict::{Verdict, decide};

mod decides;

const ARN: &str = "arn:aws:eks:eu-central-1:123456789012:cluster/prod";
const EKS_HOST: &str = "https://0123456789ABCDEF0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com";
const AKS_HOST: &str = "https://myaks-rg-19da35-4839be06.hcp.eastus.azmk8s.io:443";

fn entry(context: &str, cluster: &str, user: &str, server: &str) -> Entry {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Entry {
        context: some(context),
        cluster: some(cluster),
        user: some(user),
        server: server.to_owned(),
        ..Entry::default()
    }
}

fn exec(command: &str, args: &str, env: &[(&str, &str)]) -> Option<Exec> {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Some(Exec::of(command.to_owned(), args.split_whitespace().map(str::to_owned), env))
}

fn verdict(entry: &Entry) -> Verdict {
    decide(&collect(entry)).unwrap_or_else(|contradiction| panic!("{contradiction}"))
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn eks_prod() -> EksCluster {
    EksCluster {
        partition: text("aws"),
        region: text("eu-central-1"),
        account: text("123456789012"),
        name: text("prod"),
        endpoint: text("0123456789abcdef0123456789abcdef.gr7.eu-central-1.eks.amazonaws.com"),
        role: None,
        profile: None,
        profile_is_argument: false,
    }
}

#[test]
fn update_kubeconfig_with_and_without_aliases_role_and_profile() {
    let args = "--region eu-central-1 eks get-token --cluster-name prod --output json";
    for (context, user) in [(ARN, ARN), ("production", ARN), ("production", "me")] {
        let found = Entry { exec: exec("aws", args, &[]), ..entry(context, ARN, user, EKS_HOST) };
        assert_eq!(verdict(&found), Verdict::Eks(eks_prod()));
    }
    let role = "arn:aws:iam::123456789012:role/admin";
    let args = format!("{args} --role {role}");
    let found =
        Entry { exec: exec("/usr/bin/aws", &args, &[("AWS_PROFILE", "prod")]), ..entry(ARN, ARN, ARN, EKS_HOST) };
    assert_eq!(verdict(&found), Verdict::Eks(EksCluster { role: text(role), profile: text("prod"), ..eks_prod() }));
}

#[test]
fn eks_with_the_order_of_hand_written_files() {
    let without_arn = EksCluster { account: None, ..eks_prod() };
    for args in [
        "eks get-token --cluster-name prod --region eu-central-1",
        "eks get-token --region=eu-central-1 --cluster-name=prod",
        "--output json --region eu-central-1 eks get-token --cluster-name prod",
    ] {
        let found = Entry { exec: exec("aws.exe", args, &[]), ..entry("a", "b", "c", EKS_HOST) };
        assert_eq!(verdict(&found), Verdict::Eks(without_arn.clone()), "{args}");
    }
}

#[test]
fn eks_on_outposts_by_eksctl_and_by_the_iam_authenticator() {
    let id = "f3d7a9c1-0b6e-4f0e-9c55-2f6f2d9f0a11";
    let args = format!("--region eu-central-1 eks get-token --cluster-id {id} --output json");
    let found = Entry { exec: exec("aws", &args, &[]), ..entry("a", "b", "c", EKS_HOST) };
    assert_eq!(verdict(&found), Verdict::Eks(EksCluster { name: text(id), account: None, ..eks_prod() }));

    let by_eksctl = "me@prod.eu-central-1.eksctl.io";
    let env = [("AWS_STS_REGIONAL_ENDPOINTS", "regional"), ("AWS_DEFAULT_REGION", "eu-central-1")];
    let found = Entry {
        exec: exec("aws-iam-authenticator", "token -i prod", &env),
        ..entry(by_eksctl, "prod.eu-central-1.eksctl.io", by_eksctl, EKS_HOST)
    };
    assert_eq!(verdict(&found), Verdict::Eks(EksCluster { account: None, ..eks_prod() }));

    let found = Entry {
        exec: exec("aws-iam-authenticator", "token -i prod -r arn:aws:iam::1:role/r", &[]),
        ..entry("x", "kubernetes", "aws", EKS_HOST)
    };
    let role = text("arn:aws:iam::1:role/r");
    assert_eq!(verdict(&found), Verdict::Eks(EksCluster { account: None, role, ..eks_prod() }));
}

/// An argument goes before keys in the environment, a variable does not.
#[test]
fn where_the_entry_names_a_profile() {
    let by_variable = [("AWS_PROFILE", "v")];
    for (args, env, profile, profile_is_argument) in [
        ("eks get-token --cluster-name prod", &[][..], None, false),
        ("eks get-token --cluster-name prod", &by_variable, text("v"), false),
        ("eks get-token --cluster-name prod --profile a", &[], text("a"), true),
        ("--profile=a eks get-token --cluster-name prod", &by_variable, text("a"), true),
    ] {
        let found = Entry { exec: exec("aws", args, env), ..entry(ARN, ARN, ARN, EKS_HOST) };
        assert_eq!(verdict(&found), Verdict::Eks(EksCluster { profile, profile_is_argument, ..eks_prod() }));
    }
}

#[test]
fn eks_known_by_its_host_alone() {
    for (host, partition, region) in [
        ("0123456789abcdef0123456789abcdef.sk1.us-east-1.eks.amazonaws.com", "aws", "us-east-1"),
        ("0123456789abcdef0123456789abcdef.yl4.cn-north-1.eks.amazonaws.com.cn", "aws-cn", "cn-north-1"),
        ("0123456789abcdef0123456789abcdef.gr7.us-gov-west-1.eks.amazonaws.com", "aws-us-gov", "us-gov-west-1"),
        ("0123456789abcdef0123456789abcdef.eks-cluster.eu-west-1.api.aws", "aws", "eu-west-1"),
        (
            "0123456789abcdef0123456789abcdef.eks-cluster.cn-north-1.api.amazonwebservices.com.cn",
            "aws-cn",
            "cn-north-1",
        ),
    ] {
        let found = entry("a", "b", "c", &format!("https://{host}/"));
        let wanted = EksCluster {
            partition: text(partition),
            region: text(region),
            endpoint: text(host),
            ..EksCluster::default()
        };
        assert_eq!(verdict(&found), Verdict::Eks(wanted));
    }
    for host in [
        "0123456789abcdef0123456789abcdef.gr7.eu-central-1.eks.amazonaws.com.evil.example",
        "short.gr7.eu-central-1.eks.amazonaws.com",
        "a-b-c-d-e-f-g.gr7.eu-central-1.eks.amazonaws.com",
        "0123456789abcdef0123456789abcdef.eu-central-1.api.aws",
        "eks.amazonaws.com",
    ] {
        assert_eq!(verdict(&entry("a", "b", "c", &format!("https://{host}"))), Verdict::Generic, "{host}");
    }
}

fn aks(names: &[(&str, &str)]) -> AksCluster {
    let name = |(group, name): &(&str, &str)| AksName { resource_group: (*group).into(), name: (*name).into() };
    AksCluster {
        cloud: Some(AzureCloud::Public),
        fqdn: text("myaks-rg-19da35-4839be06.hcp.eastus.azmk8s.io"),
        subscription: None,
        tenant: None,
        names: names.iter().map(name).collect(),
        wanted: AksWanted::default(),
        config_dir: None,
    }
}

#[test]
fn get_credentials_with_and_without_entra_and_renamed() {
    let plain = entry("prod", "prod", "clusterUser_rg_prod", AKS_HOST);
    assert_eq!(verdict(&plain), Verdict::Aks(aks(&[("rg", "prod")])));
    let admin = entry("prod-admin", "prod", "clusterAdmin_rg_prod", AKS_HOST);
    assert_eq!(verdict(&admin), Verdict::Aks(aks(&[("rg", "prod")])));
    // `_` is legal in both; the cluster entry's name says which it is.
    let ambiguous = entry("a_b", "a_b", "clusterUser_my_rg_a_b", AKS_HOST);
    let all = [("my_rg", "a_b"), ("my", "rg_a_b"), ("my_rg_a", "b")];
    assert_eq!(verdict(&ambiguous), Verdict::Aks(aks(&all)));
    // With --context both names are gone.
    let renamed = entry("x", "x", "clusterUser_my_rg_a_b", AKS_HOST);
    let all = [("my", "rg_a_b"), ("my_rg", "a_b"), ("my_rg_a", "b")];
    assert_eq!(verdict(&renamed), Verdict::Aks(aks(&all)));

    let server = "6dae42f8-4368-4678-94ff-3960e28e3630";
    let args = format!("get-token --login azurecli --server-id {server} --environment AzurePublicCloud --tenant-id t1");
    let entra = Entry { exec: exec("kubelogin", &args, &[]), ..plain.clone() };
    assert_eq!(verdict(&entra), Verdict::Aks(AksCluster { tenant: text("t1"), ..aks(&[("rg", "prod")]) }));
    let elsewhere = Entry { exec: exec("kubelogin", &args, &[("AZURE_CONFIG_DIR", "/home/me/az")]), ..plain.clone() };
    let wanted = AksCluster { tenant: text("t1"), config_dir: text("/home/me/az"), ..aks(&[("rg", "prod")]) };
    assert_eq!(verdict(&elsewhere), Verdict::Aks(wanted));
    let id = "/subscriptions/s1/resourcegroups/rg2/providers/Microsoft.ContainerService/ManagedClusters/p2";
    let args = format!("get-token --login spn --server-id={server} --pop-enabled --pop-claims u={id}");
    let pop = Entry { exec: exec("kubelogin", &args, &[]), ..plain };
    let wanted = AksCluster { subscription: text("s1"), ..aks(&[("rg2", "p2")]) };
    assert_eq!(verdict(&pop), Verdict::Aks(wanted));
}

#[test]
fn aks_hosts_of_every_cloud() {
    for (host, cloud) in [
        ("a-b.hcp.eastus.azmk8s.io", AzureCloud::Public),
        ("a-b.uuid.privatelink.eastus.azmk8s.io", AzureCloud::Public),
        ("a-b.sub.privatelink.eastus.azmk8s.io", AzureCloud::Public),
        ("a-b.private.eastus.azmk8s.io", AzureCloud::Public),
        ("a-b.hcp.chinaeast2.cx.prod.service.azk8s.cn", AzureCloud::China),
        ("a-b.hcp.usgovvirginia.cx.aks.containerservice.azure.us", AzureCloud::UsGovernment),
    ] {
        let wanted = AksCluster { cloud: Some(cloud), fqdn: text(host), ..aks(&[]) };
        assert_eq!(verdict(&entry("a", "b", "c", &format!("https://{host}"))), Verdict::Aks(wanted));
    }
    assert_eq!(verdict(&entry("a", "b", "c", "https://azmk8s.io")), Verdict::Generic);
}

#[test]
fn the_other_kubelogin_is_not_azures() {
    for args in ["oidc-login get-token --oidc-issuer-url https://i", "get-token --oidc-issuer-url https://i"] {
        let found = Entry { exec: exec("kubelogin", args, &[]), ..entry("a", "b", "c", "https://10.0.0.1") };
        assert_eq!(verdict(&found), Verdict::Generic, "{args}");
    }
}

#[test]
fn gke_by_plugin_provider_and_name() {
    let name = "gke_my-project_europe-west1-b_prod";
    let wanted = GkeCluster { project: text("my-project"), location: text("europe-west1-b"), name: text("prod") };
    let found =
        Entry { exec: exec("gke-gcloud-auth-plugin.exe", "", &[]), ..entry(name, name, name, "https://1.2.3.4") };
    assert_eq!(verdict(&found), Verdict::Gke(wanted.clone()));
    let provider = Some(AuthProvider { name: "gcp".into(), ..AuthProvider::default() });
    let legacy = Entry { auth_provider: provider, ..entry(name, name, name, "https://1.2.3.4") };
    assert_eq!(verdict(&legacy), Verdict::Gke(wanted.clone()));
    // The context alone was renamed.
    let renamed = Entry { context: text("prod"), ..found.clone() };
    assert_eq!(verdict(&renamed), Verdict::Gke(wanted));
    // Nothing is left but the plugin.
    let found = Entry { exec: exec("gke-gcloud-auth-plugin", "", &[]), ..entry("a", "b", "c", "https://1.2.3.4") };
    assert_eq!(verdict(&found), Verdict::Gke(GkeCluster::default()));
    let dns = entry("a", "b", "c", "https://gke-0123-4567.europe-west1.gke.goog");
    let location = text("europe-west1");
    assert_eq!(verdict(&dns), Verdict::Gke(GkeCluster { location, ..GkeCluster::default() }));
}

#[test]
fn connect_gateway_leads_to_clusters_of_anybody() {
    for host in ["connectgateway.googleapis.com", "europe-west1-connectgateway.googleapis.com"] {
        let server = format!("https://{host}/v1/projects/123/locations/global/gkeMemberships/on-prem");
        let name = "connectgateway_my-project_global_on-prem";
        let found = Entry { exec: exec("gke-gcloud-auth-plugin", "", &[]), ..entry(name, name, name, &server) };
        assert_eq!(verdict(&found), Verdict::Generic);
        let pieces = collect(&found);
        assert_eq!((pieces.len(), pieces[0].claim.words()), (1, "Connect gateway"));
    }
}

#[test]
fn everything_else_is_generic() {
    for found in [
        entry("kind-a", "kind-a", "kind-a", "https://127.0.0.1:40001"),
        entry("default", "default", "default", "https://127.0.0.1:6443"),
        entry("minikube", "minikube", "minikube", "https://192.168.64.2:8443"),
        entry("docker-desktop", "docker-desktop", "docker-desktop", "https://kubernetes.docker.internal:6443"),
        entry("prod", "prod", "prod", "https://rancher.example.com/k8s/clusters/c-m-abc"),
        entry("d/api-x-example-com:6443/me", "api-x-example-com:6443", "me/api", "https://api.x.example.com:6443"),
        entry("", "in-cluster", "", "https://10.96.0.1:443"),
        entry("gke_only_two", "b", "c", "https://10.0.0.1"),
        entry("arn:aws:eks:eu-central-1:12:cluster/prod", "b", "c", "https://10.0.0.1"),
    ] {
        assert_eq!(verdict(&found), Verdict::Generic, "{found:?}");
    }
}

#[test]
fn behind_a_tunnel_the_certificates_name_or_the_entry_tells() {
    let host = "0123456789abcdef0123456789abcdef.gr7.eu-central-1.eks.amazonaws.com";
    let tunnel = Entry { tls_server_name: text(host), ..entry("t", ARN, "u", "https://127.0.0.1:8443") };
    assert_eq!(verdict(&tunnel), Verdict::Eks(eks_prod()));
    let teleport = entry("t", ARN, "u", "https://teleport.example.com:3026");
    assert_eq!(verdict(&teleport), Verdict::Eks(EksCluster { endpoint: None, ..eks_prod() }));
}

#[test]
fn two_pieces_that_cannot_both_be_true() {
    let other = "arn:aws:eks:us-east-1:123456789012:cluster/prod";
    let contradiction = decide(&collect(&entry("a", other, "c", EKS_HOST))).unwrap_err();
    assert_eq!(
        contradiction.to_string(),
        "the server \"0123456789abcdef0123456789abcdef.gr7.eu-central-1.eks.amazonaws.com\" (EKS) and the cluster entry \
         \"arn:aws:eks:us-east-1:123456789012:cluster/prod\" (EKS) differ in the region"
    );
    let plugin = Entry { exec: exec("gke-gcloud-auth-plugin", "", &[]), ..entry("a", ARN, "c", "https://10.0.0.1") };
    let contradiction = decide(&collect(&plugin)).unwrap_err();
    assert_eq!(
        contradiction.to_string(),
        format!(
            "the cluster entry \"{ARN}\" (EKS) and the exec plugin \"gke-gcloud-auth-plugin\" (GKE) differ in the cloud"
        )
    );
    let args = "eks get-token --cluster-name other --region eu-central-1";
    let name = Entry { exec: exec("aws", args, &[]), ..entry("a", ARN, "c", EKS_HOST) };
    assert_eq!(decide(&collect(&name)).unwrap_err().about, "cluster name");
    // A mere name contradicts nothing: people copy contexts.
    let copied = entry("gke_p_europe-west1_c", ARN, "clusterUser_rg_x", EKS_HOST);
    assert_eq!(verdict(&copied), Verdict::Eks(eks_prod()));
}

#[test]
fn evidence_is_ranked() {
    let args = "--region eu-central-1 eks get-token --cluster-name prod";
    let found = Entry { exec: exec("aws", args, &[]), ..entry(ARN, ARN, ARN, EKS_HOST) };
    let sources: Vec<Source> = collect(&found).into_iter().map(|evidence| evidence.source).collect();
    let wanted = [Source::Server, Source::ClusterArn, Source::ExecPlugin, Source::UserName, Source::ContextName];
    assert_eq!(sources, wanted);
}

#[test]
fn what_is_kept_of_an_exec_plugin_holds_no_secret() {
    let server = "6dae42f8-4368-4678-94ff-3960e28e3630";
    let args = format!(
        "get-token --login spn --client-secret s3cret --server-id {server} --client-id c --password=p4ss --tenant-id t1"
    );
    let env = [("AZURE_CLIENT_SECRET", "s3cret"), ("AWS_SECRET_ACCESS_KEY", "s3cret"), ("AZURE_CONFIG_DIR", "/az")];
    let found = Entry { exec: exec("/opt/kubelogin", &args, &env), ..entry("a", "b", "c", AKS_HOST) };
    let whole = format!("{found:?}");
    assert!(!whole.contains("s3cret") && !whole.contains("p4ss") && whole.contains("/az"), "{whole}");
    // What a program means by its flags is not known of every one.
    let other = Entry { exec: exec("vault-login", "-t s3cret", &[("AWS_PROFILE", "s3cret")]), ..Entry::default() };
    assert!(!format!("{other:?}").contains("s3cret"), "{other:?}");
    let shown = &collect(&found)[1];
    assert_eq!(shown.source, Source::ExecPlugin);
    assert_eq!(shown.found, format!("kubelogin get-token --login spn --server-id {server} --tenant-id t1"));
}

#[test]
fn only_gkes_full_name_stands_for_an_issuer() {
    let name = "gke_my-project_europe-west1-b_prod";
    let gke = Entry { exec: exec("gke-gcloud-auth-plugin", "", &[]), ..entry("x", name, "y", "https://1.2.3.4") };
    let issuer = |entry: &Entry| match verdict(entry) {
        Verdict::Gke(gke) => gke.issuer(),
        other => panic!("{other:?}"),
    };
    let wanted = "https://container.googleapis.com/v1/projects/my-project/locations/europe-west1-b/clusters/prod";
    assert_eq!(issuer(&gke).as_deref(), Some(wanted));
    assert_eq!(issuer(&Entry { cluster: text("x"), ..gke }), None);
}
