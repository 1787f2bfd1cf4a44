//! `issuer`: how a cluster is identified, as the user sees it.

use crate::support::fixture::{Ran, run};
use harness::artifacts;
use harness::process::clean_environment;
use harness::server::{Cluster, shared_cluster};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn cluster() -> &'static Cluster {
    shared_cluster().expect("the shared cluster starts")
}

fn issuer(kubeconfig: &Path, words: &[&str]) -> Ran {
    let mut command = Command::new(artifacts::plugin().expect("the plugin is built"));
    clean_environment(&mut command, cluster().scratch().path(), &[]);
    // Vault is not asked: there is none.
    run(command.env("KUBECONFIG", kubeconfig).arg("issuer").args(words))
}

#[test]
fn a_cluster_that_is_of_no_cloud() {
    let ran = issuer(cluster().kubeconfig(), &[]).ok();
    let key = cluster().signing_key();
    for line in [
        "The kubeconfig entry points to no cloud and no tool that is known.",
        "Cluster:  none of EKS, AKS and GKE, as far as the kubeconfig shows",
        "Issuer:   https://kubernetes.default.svc.cluster.local",
        "Named by: the API server's discovery document",
        "Keys:     the API server; the issuer's own site was not used: its host exists only inside the cluster",
        "Proof:    a token of service account \"default:default\"",
    ] {
        assert!(ran.stdout.lines().any(|said| said == line), "{}", ran.stdout);
    }
    assert!(ran.stdout.contains(&key.kid()[..19]), "{}", ran.stdout);
    assert_eq!(ran.stderr, "");

    let ran = issuer(cluster().kubeconfig(), &["-o", "json"]).ok();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(report["issuer"], cluster().issuer());
    assert_eq!(report["clusterUid"], cluster().uid().expect("a UID"));
    assert_eq!((&report["verdict"]["kind"], &report["keySource"]), (&"generic".into(), &"apiServer".into()));
    assert_eq!(report["keys"][0]["kid"], key.kid());
    assert_eq!(report["keys"][0]["fingerprint"], key.kid(), "an API server's kid is the fingerprint");
    assert_eq!(report["proof"]["serviceAccount"], "default:default");
}

#[test]
fn without_the_right_to_create_tokens_it_is_found_and_not_proven() {
    let reader = cluster().kubeconfig_for_service_account("default", "default").expect("a kubeconfig");
    let ran = issuer(&reader, &["--cluster-uid", "u", "-o", "json"]).ok();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((&report["proof"], &report["issuer"]), (&Value::Null, &cluster().issuer().into()));
    let why = report["unproven"].as_str().unwrap_or_default();
    assert!(why.starts_with("the issuer is not proven, because no token could be created"), "{why}");
}

/// The administrator's kubeconfig with some of its text changed.
fn changed(name: &str, changes: &[(&str, &str)]) -> std::path::PathBuf {
    let mut text = std::fs::read_to_string(cluster().kubeconfig()).expect("a kubeconfig");
    for (from, to) in changes {
        assert!(text.contains(from), "no {from:?} in {text}");
        text = text.replace(from, to);
    }
    cluster().scratch().write(name, text).expect("a file")
}

#[test]
fn names_point_somewhere_and_prove_nothing() {
    // A context of GKE's that somebody pointed at another cluster.
    let name = "gke_my-project_europe-west1-b_prod";
    let file = changed("gke.kubeconfig", &[(cluster().context(), name)]);
    let ran = issuer(&file, &[]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.stdout.contains("Cluster:  GKE cluster \"prod\" in europe-west1-b of project my-project\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(
        ran.stderr,
        "error: the names in the kubeconfig stand for the issuer \"https://container.googleapis.com/v1/projects/my-project/\
         locations/europe-west1-b/clusters/prod\", but the API server says \
         \"https://kubernetes.default.svc.cluster.local\": they are not the same cluster\n\
         hint: say which issuer is right with --issuer; see what led here: kubectl vaultjwt issuer\n"
    );
    let ran = issuer(&file, &["--cloud", "generic"]).ok();
    assert!(ran.stdout.contains("Issuer:   https://kubernetes.default.svc.cluster.local\n"), "{}", ran.stdout);
}

#[test]
fn a_contradiction_stops_it_and_both_pieces_are_named() {
    let host = "0123456789abcdef0123456789abcdef.gr7.us-east-1.eks.amazonaws.com";
    let arn = "arn:aws:eks:eu-central-1:123456789012:cluster/prod";
    let server = cluster().url();
    let file = changed("contradiction.kubeconfig", &[(cluster().context(), arn)]);
    let ran = issuer(&file, &["--server", &server, "--tls-server-name", host]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.stderr,
        format!(
            "error: the tls-server-name \"{host}\" (EKS) and the cluster entry \"{arn}\" (EKS) differ in the region\n\
             hint: say which is right with --aws-region, or correct the entry: kubectl config view --minify\n"
        )
    );
    assert!(ran.stdout.starts_with("EVIDENCE "), "{}", ran.stdout);
    assert!(!ran.stdout.contains("Cluster: "), "{}", ran.stdout);
}
