//! How the AKS cluster of a kubeconfig is found: by names, by the API server's host, by flags.

use crate::providers::aks::{Aks, FQDN, ISSUER, SUBSCRIPTION};
use crate::support::fixture::run;
use harness::server::{ArmCluster, Issuer};
use serde_json::{Value, json};
use std::path::Path;

#[test]
fn where_the_names_are_changed_it_is_found_by_its_host() {
    let aks = Aks::start(Issuer::Url(ISSUER.into()));
    aks.clouds.azure.add_subscription("11111111-1111-1111-1111-111111111111", "Other");
    for (group, name) in [("g", "one"), ("g", "two")] {
        let fqdn = format!("{name}-g-1.hcp.eastus.azmk8s.io");
        aks.clouds.azure.add_cluster(ArmCluster {
            subscription: "11111111-1111-1111-1111-111111111111".into(),
            resource_group: group.into(),
            name: name.into(),
            location: "eastus".into(),
            fqdn,
            ..ArmCluster::default()
        });
    }
    aks.known("my_rg", "a_b", Some(ISSUER));
    aks.clouds.azure.page_size(1);
    // As `--context x` leaves it: only the user entry still has the names.
    let kubeconfig = aks.kubeconfig("my_rg", "a_b");
    let text = std::fs::read_to_string(&kubeconfig).expect("a kubeconfig").replace("name: a_b", "name: x");
    std::fs::write(
        &kubeconfig,
        text.replace("cluster: a_b", "cluster: x").replace("current-context: a_b", "current-context: x"),
    )
    .expect("a kubeconfig");
    let ran = aks.issuer(&kubeconfig, &["-o", "json"]).ok();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(report["issuer"], ISSUER);
    assert_eq!(aks.clouds.azure.requests().len(), 2, "the second way to split them is right");

    // Not in the default subscription: all are searched, page by page.
    let mut command = aks.command(&kubeconfig, &["vaultjwt", "issuer", "-o", "json"]);
    let ran = run(command.env("AZURE_CONFIG_DIR", aks.clouds.folder.path())).ok();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((&report["issuer"], &report["cloud"]["confirmed"]), (&json!(ISSUER), &json!(true)));
}

/// A flag names a cluster. It is that one, or none.
#[test]
fn a_cluster_that_a_flag_names() {
    let aks = Aks::start(Issuer::Url(ISSUER.into()));
    aks.known("rg", "prod", Some(ISSUER));
    let other = |group: &str, name: &str| ArmCluster {
        subscription: SUBSCRIPTION.into(),
        resource_group: group.into(),
        name: name.into(),
        location: "eastus".into(),
        fqdn: format!("{name}-{group}-1.hcp.eastus.azmk8s.io"),
        ..ArmCluster::default()
    };
    aks.clouds.azure.add_cluster(other("rg", "other"));
    let kubeconfig = aks.unreadable("rg", "prod");
    let id = |group: &str, name: &str| {
        format!(
            "/subscriptions/{SUBSCRIPTION}/resourcegroups/{group}/providers/Microsoft.ContainerService/managedClusters/{name}"
        )
    };
    let elsewhere = format!(
        "error: the kubeconfig leads to \"{FQDN}\", but {} is at \"other-rg-1.hcp.eastus.azmk8s.io\"\nhint: write the entry \
         anew with the cloud's own command, or say which cluster it is with --cloud-cluster\n",
        id("rg", "other")
    );
    let listed = format!("GET /subscriptions/{SUBSCRIPTION}/providers/Microsoft.ContainerService/managedClusters");
    for (flags, wanted, asked) in [
        (&["--cloud-cluster", &id("rg", "other")][..], &*elsewhere, vec![aks.managed("rg", "other")]),
        (
            &["--cloud-cluster", "other", "--azure-resource-group", "rg"],
            &elsewhere,
            vec![aks.managed("rg", "other"), "GET /subscriptions".into()],
        ),
        (&["--cloud-cluster", "Other"], &elsewhere, vec![listed.clone(), "GET /subscriptions".into()]),
        (
            &["--cloud-cluster", "gone"],
            "error: AKS could not be asked about cluster \"gone\": no cluster with the names given has this API server\nhint: \
             see which clusters there are: az aks list --output table\n",
            vec![listed.clone(), "GET /subscriptions".into()],
        ),
        (
            &["--azure-resource-group", "gone"],
            &format!(
                "error: AKS could not be asked about the cluster at \"{FQDN}\": no cluster with the names given has this API \
                 server\nhint: see which clusters there are: az aks list --output table\n"
            ),
            vec![listed.clone(), "GET /subscriptions".into()],
        ),
    ] {
        let before = aks.clouds.azure.requests().len();
        let ran = aks.issuer(&kubeconfig, flags);
        assert!(ran.code == 1 && ran.stderr.ends_with(wanted), "{flags:?}: {}\nwanted: {wanted}", ran.stderr);
        assert_eq!(aks.clouds.azure.requests()[before..], asked, "{flags:?}");
    }
    // The right one by any of them.
    for flags in [
        &["--cloud-cluster", &id("rg", "prod")][..],
        &["--cloud-cluster", "PROD"],
        &["--cloud-cluster", "prod", "--azure-resource-group", "RG"],
        &["--azure-resource-group", "rg"],
    ] {
        let kubeconfig = aks.kubeconfig("changed", "names");
        let ran = aks.issuer(&kubeconfig, &[flags, &["-o", "json"]].concat()).ok();
        let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!((&report["namedBy"], &report["cloud"]["confirmed"]), (&json!("cloud"), &json!(true)), "{flags:?}");
    }
}

/// Behind a tunnel there is no host to go by.
#[test]
fn without_a_host_the_names_have_to_do() {
    let aks = Aks::start(Issuer::Url(ISSUER.into()));
    let known = ArmCluster {
        subscription: "s2".into(),
        resource_group: "rg".into(),
        name: "prod".into(),
        location: "eastus".into(),
        fqdn: FQDN.into(),
        issuer: Some(ISSUER.into()),
        ..ArmCluster::default()
    };
    aks.clouds.azure.add_cluster(known.clone());
    let tunnel = |kubeconfig: &Path, words: &[&str]| {
        let text = std::fs::read_to_string(kubeconfig).expect("a kubeconfig");
        let text = text.replace(&format!("https://{FQDN}:443"), &aks.cluster.way()).replace("proxy-url:", "# proxy:");
        std::fs::write(kubeconfig, text).expect("a kubeconfig");
        aks.issuer(kubeconfig, words)
    };
    // Not in az's default subscription, but in another that can be seen.
    let ran = tunnel(&aks.kubeconfig("rg", "prod"), &["-o", "json"]).ok();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((&report["namedBy"], &report["cloud"]["confirmed"]), (&json!("cloud"), &json!(false)));
    assert_eq!(report["cloud"]["unconfirmed"], "the kubeconfig does not lead straight to it");

    // Neither a host nor a name: asking would show nothing, and is not done.
    let before = aks.clouds.azure.requests().len();
    let nameless = aks.unreadable("rg", "prod");
    let text = std::fs::read_to_string(&nameless).expect("a kubeconfig").replace("clusterUser_rg_prod", "me");
    std::fs::write(&nameless, text).expect("a kubeconfig");
    let ran = tunnel(&nameless, &["--cloud", "aks"]);
    let wanted = "error: AKS could not be asked about a cluster of unknown name: neither its name nor its API server's is \
                  known\nhint: say which cluster it is with --cloud-cluster, an Azure resource id\n";
    assert!(ran.code == 1 && ran.stderr.ends_with(wanted), "{}", ran.stderr);
    assert_eq!(aks.clouds.azure.requests().len(), before);

    // Two of that name.
    aks.clouds.azure.add_cluster(ArmCluster { resource_group: "rg2".into(), ..known });
    let ran = tunnel(&nameless, &["--cloud", "aks", "--cloud-cluster", "prod", "--azure-subscription", "s2"]);
    let wanted = "error: AKS could not be asked about cluster \"prod\": 2 clusters of subscription s2 have that name\nhint: say \
                  which with --azure-resource-group\n";
    assert!(ran.code == 1 && ran.stderr.ends_with(wanted), "{}", ran.stderr);
}
