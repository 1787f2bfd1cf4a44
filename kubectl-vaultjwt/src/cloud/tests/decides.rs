//! What decides where a kubeconfig contradicts itself or does not identify a cloud: a flag,
//! or a corrected entry.

use super::*;

fn given(entry: &Entry, given: &CloudOverrides) -> Verdict {
    identify(entry, given).verdict.unwrap_or_else(|contradiction| panic!("{contradiction}"))
}

#[test]
fn flags_decide_where_the_kubeconfig_contradicts_itself_or_is_silent() {
    let plugin = Entry { exec: exec("gke-gcloud-auth-plugin", "", &[]), ..entry("a", ARN, "c", "https://10.0.0.1") };
    let of = |cloud| CloudOverrides { cloud: Some(cloud), ..CloudOverrides::default() };
    assert_eq!(given(&plugin, &of(Cloud::Eks)), Verdict::Eks(EksCluster { endpoint: None, ..eks_prod() }));
    assert_eq!(given(&plugin, &of(Cloud::Gke)), Verdict::Gke(GkeCluster::default()));
    assert_eq!(given(&plugin, &of(Cloud::Generic)), Verdict::Generic);

    let silent = entry("a", "b", "c", "https://127.0.0.1:6443");
    let id = |id: &str| CloudOverrides { cluster: Some(ClusterId::read(id)), ..CloudOverrides::default() };
    assert_eq!(given(&silent, &id(ARN)), Verdict::Eks(EksCluster { endpoint: None, ..eks_prod() }));
    let wanted = GkeCluster { project: text("p"), location: text("l"), name: text("c") };
    assert_eq!(given(&silent, &id("projects/p/locations/l/clusters/c")), Verdict::Gke(wanted));
    let arm = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c";
    let meant = AksWanted { resource_group: text("g"), name: text("c") };
    let wanted = AksCluster { fqdn: None, subscription: text("s"), wanted: meant, ..aks(&[("g", "c")]) };
    assert_eq!(given(&silent, &id(arm)), Verdict::Aks(wanted));
    // A name alone is of no cloud.
    assert_eq!(given(&silent, &id("prod")), Verdict::Generic);
    let known = entry("a", "b", "c", EKS_HOST);
    let wanted = EksCluster { account: None, ..eks_prod() };
    assert_eq!(given(&known, &id("prod")), Verdict::Eks(wanted));
}

#[test]
fn flags_of_one_cloud_leave_the_others_clusters_alone() {
    let flags = CloudOverrides { aws_profile: text("p"), aws_region: text("us-east-1"), ..CloudOverrides::default() };
    let azure = entry("prod", "prod", "clusterUser_rg_prod", AKS_HOST);
    assert_eq!(given(&azure, &flags), Verdict::Aks(aks(&[("rg", "prod")])));
    let found = Entry {
        exec: exec("aws", "eks get-token --cluster-name prod", &[("AWS_PROFILE", "theirs")]),
        ..entry(ARN, ARN, ARN, EKS_HOST)
    };
    let wanted = EksCluster { region: text("us-east-1"), profile: text("p"), profile_is_argument: true, ..eks_prod() };
    assert_eq!(given(&found, &flags), Verdict::Eks(wanted));
    let evidence = identify(&found, &flags).evidence;
    assert_eq!(
        (evidence[0].source, evidence[0].found.as_str()),
        (Source::Flag, "--aws-region us-east-1 --aws-profile p")
    );
}

#[test]
fn flags_pick_among_what_aks_names_can_mean() {
    let ambiguous = entry("x", "x", "clusterUser_my_rg_a_b", AKS_HOST);
    for (group, name, wanted) in [
        (Some("MY_RG"), None, &[("my_rg", "a_b")][..]),
        (None, Some("b"), &[("my_rg_a", "b")]),
        (Some("g"), Some("n"), &[("g", "n")]),
        (Some("g"), None, &[]),
    ] {
        let cluster = name.map(ClusterId::read);
        let flags = CloudOverrides { azure_resource_group: group.and_then(text), cluster, ..CloudOverrides::default() };
        let meant = AksWanted { resource_group: group.and_then(text), name: name.and_then(text) };
        let wanted = AksCluster { wanted: meant, ..aks(wanted) };
        assert_eq!(given(&ambiguous, &flags), Verdict::Aks(wanted), "{group:?} {name:?}");
    }
    let flags = CloudOverrides { azure_subscription: text("s9"), ..CloudOverrides::default() };
    let wanted =
        AksCluster { subscription: text("s9"), ..aks(&[("my", "rg_a_b"), ("my_rg", "a_b"), ("my_rg_a", "b")]) };
    assert_eq!(given(&ambiguous, &flags), Verdict::Aks(wanted));
}

#[test]
fn each_contradiction_names_the_flag_that_decides() {
    let args = "eks get-token --cluster-name other --region eu-central-1";
    let name = Entry { exec: exec("aws", args, &[]), ..entry("a", ARN, "c", EKS_HOST) };
    assert_eq!(decide(&collect(&name)).unwrap_err().flag(), Some("--cloud-cluster"));
    let other = entry("a", "arn:aws:eks:us-east-1:123456789012:cluster/prod", "c", EKS_HOST);
    assert_eq!(decide(&collect(&other)).unwrap_err().flag(), Some("--aws-region"));
    let plugin = Entry { exec: exec("gke-gcloud-auth-plugin", "", &[]), ..entry("a", ARN, "c", "https://10.0.0.1") };
    assert_eq!(decide(&collect(&plugin)).unwrap_err().flag(), Some("--cloud"));
}

#[test]
fn where_no_flag_decides_the_hint_names_what_to_correct() {
    let other = "other-rg-1.hcp.eastus.azmk8s.io";
    let china = "other-rg-1.hcp.chinaeast2.cx.prod.service.azk8s.cn";
    let server_id = "6dae42f8-4368-4678-94ff-3960e28e3630";
    let args = format!("get-token --server-id {server_id} --environment AzureChinaCloud");
    let plain = entry("a", "b", "c", AKS_HOST);
    for (found, about, hint) in [
        (
            Entry { tls_server_name: text(other), ..plain.clone() },
            "API server",
            "correct the entry's server or tls-server-name: kubectl config view --minify",
        ),
        (
            Entry { tls_server_name: text(china), ..plain.clone() },
            "Azure cloud",
            "correct the entry's server or tls-server-name: kubectl config view --minify",
        ),
        (
            Entry { exec: exec("kubelogin", &args, &[]), ..plain },
            "Azure cloud",
            "correct --environment of the entry's exec plugin: kubectl config view --minify",
        ),
    ] {
        let contradiction = decide(&collect(&found)).unwrap_err();
        assert!(contradiction.to_string().ends_with(&format!("differ in the {about}")), "{contradiction}");
        assert_eq!((contradiction.flag(), contradiction.hint().as_str()), (None, hint));
        // Nor does --cloud decide, which is why it is not named.
        let flags = CloudOverrides { cloud: Some(Cloud::Aks), ..CloudOverrides::default() };
        assert!(identify(&found, &flags).verdict.is_err());
    }
}
