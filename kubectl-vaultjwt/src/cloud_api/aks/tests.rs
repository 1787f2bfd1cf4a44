//! The documents of Azure Resource Manager, and the error texts.

use super::arm::ManagedCluster;
use super::*;
use crate::cloud::aks::AksWanted;

/// After Microsoft's published example of `ManagedClustersGet`.
fn managed(oidc: &str) -> ManagedCluster {
    serde_json::from_str(&format!(
        r#"{{"id": "/subscriptions/s1/resourcegroups/rg1/providers/Microsoft.ContainerService/managedClusters/clustername1",
            "location": "location1", "name": "clustername1", "type": "Microsoft.ContainerService/ManagedClusters",
            "properties": {{"provisioningState": "Succeeded", "fqdn": "DnsPrefix1.hcp.eastus.azmk8s.io",
                "privateFQDN": "x.privatelink.eastus.azmk8s.io",
                "azurePortalFQDN": "dnsprefix1.portal.hcp.eastus.azmk8s.io"{oidc}}}}}"#
    ))
    .unwrap()
}

#[test]
fn the_issuer_in_both_spellings_or_off() {
    let issuer = "https://eastus.oic.prod-aks.azure.com/t/u/";
    for (oidc, wanted) in [
        (format!(r#", "oidcIssuerProfile": {{"enabled": true, "issuerURL": "{issuer}"}}"#), Some(issuer)),
        (format!(r#", "oidcIssuerProfile": {{"enabled": true, "issuerUrl": "{issuer}"}}"#), Some(issuer)),
        (format!(r#", "oidcIssuerProfile": {{"enabled": false, "issuerURL": "{issuer}"}}"#), None),
        (r#", "oidcIssuerProfile": {"enabled": false, "issuerURL": null}"#.to_owned(), None),
        (String::new(), None),
    ] {
        assert_eq!(managed(&oidc).issuer().as_deref(), wanted, "{oidc}");
    }
    let found = managed("");
    assert_eq!(found.hosts(), ["dnsprefix1.hcp.eastus.azmk8s.io", "x.privatelink.eastus.azmk8s.io"]);
    let (subscription, name) = found.names().unwrap();
    assert_eq!((&*subscription, &*name.resource_group, &*name.name), ("s1", "rg1", "clustername1"));
}

fn cluster(names: &[(&str, &str)], fqdn: Option<&str>) -> AksCluster {
    let name = |(group, name): &(&str, &str)| AksName { resource_group: (*group).into(), name: (*name).into() };
    AksCluster {
        cloud: Some(AzureCloud::Public),
        fqdn: fqdn.map(str::to_owned),
        subscription: None,
        tenant: Some("t1".into()),
        names: names.iter().map(name).collect(),
        wanted: AksWanted::default(),
        config_dir: None,
    }
}

#[test]
fn what_goes_wrong_word_for_word() {
    let one = cluster(&[("rg", "prod")], Some("p.hcp.eastus.azmk8s.io"));
    let two = cluster(&[("a", "b_c"), ("a_b", "c")], Some("p.hcp.eastus.azmk8s.io"));
    for (cluster, trouble, words, hint) in [
        (
            &one,
            CloudErrorKind::NoCredentials,
            "AKS could not be asked about cluster \"prod\" in resource group \"rg\": said",
            "log in: az login --tenant t1",
        ),
        (
            &two,
            CloudErrorKind::NotFound,
            "AKS could not be asked about the cluster at \"p.hcp.eastus.azmk8s.io\": said",
            "see which clusters there are: az aks list --output table",
        ),
        (
            &one,
            CloudErrorKind::Denied,
            "AKS could not be asked about cluster \"prod\" in resource group \"rg\": said",
            "see who is asking, and let it read the cluster: az account show",
        ),
        (
            &two,
            CloudErrorKind::Unknown,
            "AKS could not be asked about the cluster at \"p.hcp.eastus.azmk8s.io\": said",
            "say which subscription it is in with --azure-subscription ID",
        ),
        (
            &one,
            CloudErrorKind::Busy,
            "AKS could not be asked about cluster \"prod\" in resource group \"rg\": said",
            "try it by hand: az aks show --resource-group rg --name prod",
        ),
        (
            &super::tests::cluster(&[], None),
            CloudErrorKind::Unreachable,
            "AKS could not be asked about a cluster of unknown name: said",
            "try it by hand: az aks list --output table",
        ),
    ] {
        let told = error(cluster, Refusal::new(trouble, "said"));
        assert_eq!((told.to_string().as_str(), told.hint().as_str()), (words, hint));
    }
}
