//! Clusters of several providers in one run, GKE clusters, and clusters of no provider.

use crate::support::cloud_fixture::{Clouds, with_vault};
use crate::support::fixture::{Ran, run};
use harness::each_product;
use harness::server::{ArmCluster, Cluster, ClusterOptions, Credentials, FakeAz, Issuer, PooledVault, VaultOptions};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const GKE: &str = "https://container.googleapis.com/v1/projects/my-project/locations/europe-west1-b/clusters/prod";
const GKE_NAME: &str = "gke_my-project_europe-west1-b_prod";
const AKS: &str = "https://eastus.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/0328c7fa/";
const AKS_HOST: &str = "myaks-rg-19da35-4839be06.hcp.eastus.azmk8s.io";

/// A cluster that these tests leave as it is.
fn cluster(issuer: Issuer, names: &[&str]) -> &'static Cluster {
    let server_names = names.iter().map(|name| (*name).to_owned()).collect();
    Cluster::shared(ClusterOptions { issuer, server_names, ..ClusterOptions::default() }).expect("a cluster starts")
}

/// The administrator's kubeconfig under another context, with a user of his own.
fn renamed(clouds: &Clouds, cluster: &Cluster, context: &str, user: &str, server: Option<&str>) -> PathBuf {
    let text = std::fs::read_to_string(cluster.kubeconfig()).expect("a kubeconfig");
    let text = text
        .replace(cluster.context(), context)
        .replace("name: admin", &format!("name: {user}"))
        .replace("user: admin", &format!("user: {user}"));
    let text = server.map_or(text.clone(), |server| text.replace(&cluster.way(), server));
    let file = clouds.folder.write(&format!("{context}.kubeconfig"), text).expect("a kubeconfig");
    if server.is_some() {
        clouds.lead_to(&file, cluster);
    }
    file
}

fn table(ran: &Ran) -> Vec<Vec<&str>> {
    ran.stdout.lines().skip(1).map(|line| line.split_whitespace().collect()).collect()
}

each_product!(one_kubeconfig_with_clusters_of_every_cloud, |product| {
    let clouds = Clouds::start();
    let (eks, _, eks_file) = clouds.eks("us-east-1", "prod", &["--alias", "eks"]);
    let aks = cluster(Issuer::Url(AKS.into()), &[AKS_HOST]);
    clouds.proxy.route(&format!("{AKS_HOST}:443"), aks.port());
    clouds.site.add(AKS, aks);
    clouds.azure.add_cluster(ArmCluster {
        subscription: "s1".into(),
        resource_group: "rg".into(),
        name: "aks".into(),
        location: "eastus".into(),
        fqdn: AKS_HOST.into(),
        issuer: Some(AKS.into()),
        old_spelling: true,
        ..ArmCluster::default()
    });
    let gke = cluster(Issuer::Url(GKE.into()), &[]);
    clouds.site.add(GKE, gke);
    let kind = cluster(Issuer::Default, &[]);
    let files = [
        eks_file,
        renamed(&clouds, aks, "aks", "clusterUser_rg_aks", Some(&format!("https://{AKS_HOST}:443"))),
        renamed(&clouds, gke, GKE_NAME, GKE_NAME, None),
        renamed(&clouds, kind, "kind-dev", "kind-dev", None),
        renamed(&clouds, kind, "broken", "broken", Some("https://127.0.0.1:1")),
    ];
    let list = std::env::join_paths(&files).expect("paths").into_string().expect("text");
    let az = FakeAz::logged_in(&clouds.folder.path().join("az")).expect("az is written");
    let vault = PooledVault::take(VaultOptions::new(product)).expect("Vault starts");
    let command = |words: &[&str]| {
        let words = [&["vaultjwt"], words].concat();
        let mut command = clouds.kubectl(&eks, Path::new(&list), &[az.folder()], &words);
        with_vault(&mut command, &vault);
        command
    };

    // Enrolled one by one: each is found without a word about it.
    for (context, named_by, flags) in [
        ("eks", "cloud", &[][..]),
        ("aks", "cloud", &[]),
        (GKE_NAME, "kubeconfig", &[]),
        ("kind-dev", "apiServer", &["--same-trust-domain"]),
    ] {
        let words = [&["setup", "--context", context, "-o", "json"], flags].concat();
        let ran = run(&mut command(&words)).ok();
        let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!((&report["namedBy"], &report["changed"]), (&json!(named_by), &json!(true)), "{context}");
    }
    let ran = run(&mut command(&["sync", "--all-contexts"]));
    assert_eq!(ran.code, 1);
    let results: Vec<(&str, &str)> =
        table(&ran).into_iter().map(|cells| (cells[0], *cells.last().expect("a result"))).collect();
    assert_eq!(
        results,
        [
            ("eks", "unchanged"),
            ("aks", "unchanged"),
            ("gke_my-project_e…ope-west1-b_prod", "unchanged"),
            ("kind-dev", "unchanged"),
            ("broken", "failed")
        ],
        "{}",
        ran.stdout
    );

    // Nobody is logged in to AWS: one row, with the command.
    let mut logged_out = command(&["sync", "--all-contexts", "-o", "json"]);
    let ran = run(logged_out.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY"));
    assert_eq!(ran.code, 1);
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let rows = report["clusters"].as_array().expect("rows");
    let failed: Vec<&str> =
        rows.iter().filter(|row| row["outcome"] == "failed").filter_map(|r| r["context"].as_str()).collect();
    assert_eq!(failed, ["eks", "broken"]);
    assert_eq!(rows[0]["hint"], "log in: aws sso login", "{}", rows[0]);
});

/// A cluster whose API server may not be asked for its documents: names are all
/// there is, and they are wrong.
fn unreadable() -> &'static Cluster {
    static UNREADABLE: OnceLock<Cluster> = OnceLock::new();
    UNREADABLE.get_or_init(|| {
        let other = Cluster::start(ClusterOptions::default()).expect("a cluster starts");
        let role = json!({"metadata": {"name": "issuer-of-tokens"}, "rules": [
            {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}]});
        let rbac = "/apis/rbac.authorization.k8s.io/v1";
        let made = other.http("POST", &format!("{rbac}/clusterroles"), Some(&role)).expect("an answer");
        assert!(made.is_success(), "{}", made.text);
        let binding = json!({"metadata": {"name": "jane"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "issuer-of-tokens"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}]});
        let made = other.http("POST", &format!("{rbac}/clusterrolebindings"), Some(&binding)).expect("an answer");
        assert!(made.is_success(), "{}", made.text);
        // What everybody may read by default.
        let made =
            other.http("DELETE", &format!("{rbac}/clusterrolebindings/system:discovery"), None).expect("an answer");
        assert!(made.is_success(), "{}", made.text);
        other
    })
}

each_product!(a_renamed_context_of_gke_is_refused_by_the_proof, |product| {
    let clouds = Clouds::start();
    let gke = cluster(Issuer::Url(GKE.into()), &[]);
    clouds.site.add(GKE, gke);
    let other = unreadable();
    let jane = other.authority().client("jane", None).expect("a certificate");
    let file = other.kubeconfig_with("jane", &Credentials::Certificate(jane)).expect("a kubeconfig");
    let text = std::fs::read_to_string(&file).expect("a kubeconfig").replace(other.context(), GKE_NAME);
    std::fs::write(&file, text).expect("a kubeconfig");
    let vault = PooledVault::take(VaultOptions::new(product)).expect("Vault starts");
    let ran = run(with_vault(&mut clouds.kubectl(other, &file, &[], &["vaultjwt", "setup"]), &vault));
    assert_eq!(ran.code, 1);
    assert!(
        ran.stderr.ends_with(&format!(
            "error: the issuer is not proven: the API server's tokens are issued by \
             \"https://kubernetes.default.svc.cluster.local\", not by \"{GKE}\"\nhint: nothing was changed; see what the API \
             server claims: kubectl get --raw /.well-known/openid-configuration\n"
        )),
        "{}",
        ran.stderr
    );
    assert_eq!(vault.http("GET", "auth/jwt/config", None).expect("Vault answers").status, 404);
});

/// From the start of the program to a proven issuer, and how many requests
/// that took of the cloud; beside them, `--help` of ours and of kubectl.
#[test]
#[ignore = "prints figures: cargo soak figures"]
fn figures_of_finding_an_issuer() {
    let plugin = harness::artifacts::released_plugin().expect("the plugin is built");
    let clouds = Clouds::start();
    let (eks, known, file) = clouds.eks("us-east-1", "prod", &[]);
    // With a credential of the cluster's own: what aws takes is not ours.
    let text = std::fs::read_to_string(eks.kubeconfig()).expect("a kubeconfig");
    let text = text.replace(eks.context(), &known.arn).replace(&eks.way(), &known.endpoint);
    std::fs::write(&file, text).expect("a kubeconfig");
    clouds.lead_to(&file, &eks);
    let gke = cluster(Issuer::Url(GKE.into()), &[]);
    clouds.site.add(GKE, gke);
    let gke_file = renamed(&clouds, gke, GKE_NAME, GKE_NAME, None);
    let kind = cluster(Issuer::Default, &[]);
    let kind_file = renamed(&clouds, kind, "kind-dev", "kind-dev", None);
    let median = |command: &mut dyn FnMut() -> std::process::Command| {
        let mut times: Vec<f64> = (0..11)
            .map(|_| {
                let mut command = command();
                let began = std::time::Instant::now();
                run(&mut command).ok();
                began.elapsed().as_secs_f64() * 1_000.0
            })
            .collect();
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let direct = |kubeconfig: &Path, words: &[&str]| {
        let mut command = std::process::Command::new(&plugin);
        harness::process::clean_environment(&mut command, clouds.folder.path(), &[]);
        clouds.around(&mut command);
        command.env("KUBECONFIG", kubeconfig).args(words);
        command
    };
    println!("release plugin: {} bytes", std::fs::metadata(&plugin).expect("the plugin").len());
    for (name, kubeconfig) in [("EKS", &file), ("GKE", &gke_file), ("kind", &kind_file)] {
        let before = clouds.moto.requests().len();
        let time = median(&mut || direct(kubeconfig, &["issuer"]));
        let asked = clouds.moto.requests().len() - before;
        println!("{name}: {time:.0} ms to a proven issuer (median of 11), {asked} requests to the cloud in 11 runs");
    }
    let ours = median(&mut || direct(&file, &["--help"]));
    let kubectl = median(&mut || {
        let mut command = kind.kubectl_command(&[]).expect("kubectl is there");
        command.arg("--help");
        command
    });
    println!("--help: {ours:.1} ms, kubectl --help: {kubectl:.1} ms");
}

/// Each of the shapes that are of no cloud.
#[test]
fn clusters_that_are_of_no_cloud() {
    let clouds = Clouds::start();
    let plain = cluster(Issuer::Default, &["rancher.example.com"]);
    clouds.proxy.route("rancher.example.com:443", plain.port());
    for (context, server, tool) in [
        ("kind-dev", None, Some("kind")),
        ("default", None, None),
        ("rancher-prod", Some("https://rancher.example.com"), None),
    ] {
        let file = renamed(&clouds, plain, context, context, server);
        let ran = clouds.vaultjwt(plain, &file, &["issuer", "-o", "json"]).ok();
        let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!(report["verdict"], json!({"kind": "generic"}), "{context}");
        assert_eq!(report["evidence"][0]["pointsTo"].as_str(), tool, "{context}");
        assert_eq!((&report["namedBy"], &report["cloud"]), (&json!("apiServer"), &Value::Null));
        assert_eq!(report["issuer"], plain.issuer());
    }
    assert!(clouds.moto.requests().is_empty() && clouds.azure.requests().is_empty());
}
