//! Recognizes AKS: the shape of its hosts, the names that `az aks get-credentials` writes,
//! and kubelogin's arguments.

use crate::cloud::kubeconfig_entry::{AuthProvider, Exec};
use serde::Serialize;
use shared::text::one_line;
use std::fmt;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum AzureCloud {
    #[default]
    Public,
    China,
    UsGovernment,
}

/// An AKS cluster, as far as it is known: by one trace, or by all together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AksCluster {
    /// Set in each verdict; a trace can be silent.
    pub cloud: Option<AzureCloud>,
    /// The API server's name, which is the cluster's `fqdn` or `privateFQDN`.
    pub fqdn: Option<String>,
    pub subscription: Option<String>,
    pub tenant: Option<String>,
    /// What resource group and name can be (`_` may be in both), the likeliest first; where
    /// there is none, it is looked for by its fqdn.
    pub names: Vec<AksName>,
    /// What flags say of resource group and name: no other cluster is meant.
    #[serde(skip)]
    pub wanted: AksWanted,
    /// The folder of az's configuration that the kubeconfig names.
    #[serde(skip)]
    pub config_dir: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AksName {
    pub resource_group: String,
    pub name: String,
}

impl fmt::Display for AksName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" in resource group \"{}\"", one_line(&self.name), one_line(&self.resource_group))
    }
}

/// What flags say of a cluster's resource group and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AksWanted {
    pub resource_group: Option<String>,
    pub name: Option<String>,
}

impl AksWanted {
    /// Whether a cluster of these names can be meant; Azure does not distinguish upper and
    /// lower case.
    pub fn takes(&self, found: &AksName) -> bool {
        let same = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(found))
        };
        same(&self.resource_group, &found.resource_group) && same(&self.name, &found.name)
    }

    pub fn whole(&self) -> Option<AksName> {
        Some(AksName { resource_group: self.resource_group.clone()?, name: self.name.clone()? })
    }

    pub fn is_open(&self) -> bool {
        self.resource_group.is_none() && self.name.is_none()
    }
}

/// The server application of AKS in Entra, the same in every cloud.
const SERVER_ID: &str = "6dae42f8-4368-4678-94ff-3960e28e3630";

/// `….hcp.<region>.azmk8s.io` and the private forms, of each cloud.
pub fn host(host: &str) -> Option<AksCluster> {
    let (rest, cloud) = [
        (".azmk8s.io", AzureCloud::Public),
        (".cx.prod.service.azk8s.cn", AzureCloud::China),
        (".cx.aks.containerservice.azure.us", AzureCloud::UsGovernment),
    ]
    .iter()
    .find_map(|(suffix, cloud)| Some((host.strip_suffix(suffix)?, *cloud)))?;
    let (before, region) = rest.rsplit_once('.')?;
    let kind = before.rsplit('.').next().unwrap_or_default();
    let is = !region.is_empty() && matches!(kind, "hcp" | "privatelink" | "private");
    is.then(|| AksCluster { cloud: Some(cloud), fqdn: Some(host.to_owned()), ..AksCluster::default() })
}

/// `clusterUser_<resource group>_<name>` and `clusterAdmin_…`, which keep their
/// names when the context is given another one. The name of the cluster entry
/// says where to split, where it was not renamed.
pub fn user(user: &str, cluster: Option<&str>) -> Option<AksCluster> {
    let rest = user.strip_prefix("clusterUser_").or_else(|| user.strip_prefix("clusterAdmin_"))?;
    let mut names: Vec<AksName> = rest
        .match_indices('_')
        .map(|(at, _)| AksName { resource_group: rest[..at].to_owned(), name: rest[at + 1..].to_owned() })
        .filter(|found| !found.resource_group.is_empty() && is_name(&found.name))
        .collect();
    // The likeliest first.
    names.sort_by_key(|found| cluster != Some(found.name.as_str()));
    (!names.is_empty()).then(|| AksCluster { names, ..AksCluster::default() })
}

/// As Azure restricts them: letters, digits, `-` and `_`, none of these at an end.
fn is_name(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    name.len() <= 63 && edge(name.chars().next()) && edge(name.chars().last()) && name.chars().all(inner)
}

/// Azure's kubelogin. Another program of the same name (int128's) has neither
/// `get-token` with a server id nor Azure's ways to log in.
pub fn exec(exec: &Exec) -> Option<AksCluster> {
    let server = exec.flag(&["--server-id"])?;
    if exec.program() != "kubelogin" || server != SERVER_ID {
        return None;
    }
    let id =
        exec.flag(&["--pop-claims"]).and_then(|claims| claims.split(',').find_map(|claim| claim.strip_prefix("u=")));
    let mut claim = id.and_then(resource_id).unwrap_or_default();
    claim.cloud = exec.flag(&["--environment", "-e"]).and_then(environment);
    claim.tenant = exec.flag(&["--tenant-id", "-t"]).map(str::to_owned);
    claim.config_dir = exec.variable("AZURE_CONFIG_DIR").map(str::to_owned);
    claim.subscription = claim.subscription.or_else(|| exec.flag(&["--subscription"]).map(str::to_owned));
    Some(claim)
}

/// The auth provider that came before kubelogin.
pub fn auth_provider(provider: &AuthProvider) -> Option<AksCluster> {
    let of = |name: &str| provider.config.get(name).cloned();
    (provider.name == "azure" && of("apiserver-id").is_none_or(|id| id == SERVER_ID)).then(|| AksCluster {
        tenant: of("tenant-id"),
        cloud: of("environment").as_deref().and_then(environment),
        ..AksCluster::default()
    })
}

fn environment(name: &str) -> Option<AzureCloud> {
    match name {
        "AzurePublicCloud" | "AzureCloud" => Some(AzureCloud::Public),
        "AzureChinaCloud" => Some(AzureCloud::China),
        "AzureUSGovernmentCloud" | "AzureUSGovernment" => Some(AzureCloud::UsGovernment),
        _ => None,
    }
}

/// `/subscriptions/…/resourceGroups/…/providers/Microsoft.ContainerService/managedClusters/…`;
/// ARM itself varies the case of its words.
pub fn resource_id(id: &str) -> Option<AksCluster> {
    let words: Vec<&str> = id.trim_matches('/').split('/').collect();
    let [subscriptions, subscription, groups, group, providers, provider, clusters, name] = words.as_slice() else {
        return None;
    };
    let is = subscriptions.eq_ignore_ascii_case("subscriptions")
        && groups.eq_ignore_ascii_case("resourceGroups")
        && providers.eq_ignore_ascii_case("providers")
        && provider.eq_ignore_ascii_case("Microsoft.ContainerService")
        && clusters.eq_ignore_ascii_case("managedClusters");
    is.then(|| AksCluster {
        subscription: Some((*subscription).to_owned()),
        names: vec![AksName { resource_group: (*group).to_owned(), name: (*name).to_owned() }],
        ..AksCluster::default()
    })
}
