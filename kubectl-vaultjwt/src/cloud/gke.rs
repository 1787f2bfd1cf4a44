//! Recognizes GKE: the names that gcloud writes, its exec plugin, and the shape of DNS
//! endpoints.

use crate::cloud::kubeconfig_entry::{AuthProvider, Exec};
use serde::Serialize;

/// A GKE cluster, as far as it is known: by one trace, or by all together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GkeCluster {
    pub project: Option<String>,
    /// The zone or region.
    pub location: Option<String>,
    pub name: Option<String>,
}

impl GkeCluster {
    /// The issuer that GKE gives the cluster, where all of it is known
    /// (`projects.locations.clusters.well-known` of Google's API).
    pub fn issuer(&self) -> Option<String> {
        let (project, location, name) = (self.project.as_ref()?, self.location.as_ref()?, self.name.as_ref()?);
        Some(format!("https://container.googleapis.com/v1/projects/{project}/locations/{location}/clusters/{name}"))
    }
}

/// `gke_<project>_<zone or region>_<name>`: none of the three has a `_`.
pub fn name(entry: &str) -> Option<GkeCluster> {
    let all: Vec<&str> = entry.strip_prefix("gke_")?.split('_').collect();
    let [project, location, name] = all[..] else { return None };
    // A domain-scoped project is `example.com:project`.
    let legal =
        |part: &str| part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | ':'));
    let is = all.iter().all(|part| !part.is_empty() && legal(part));
    is.then(|| GkeCluster {
        project: Some(project.to_owned()),
        location: Some(location.to_owned()),
        name: Some(name.to_owned()),
    })
}

/// gcloud's exec plugin, which says no more than that.
pub fn exec(exec: &Exec) -> Option<GkeCluster> {
    (exec.program() == "gke-gcloud-auth-plugin").then(GkeCluster::default)
}

/// The auth provider that came before it.
pub fn auth_provider(provider: &AuthProvider) -> Option<GkeCluster> {
    (provider.name == "gcp").then(GkeCluster::default)
}

/// `gke-….<location>.gke.goog`
pub fn host(host: &str) -> Option<GkeCluster> {
    let (first, location) = host.strip_suffix(".gke.goog")?.rsplit_once('.')?;
    (first.starts_with("gke-") && !location.is_empty())
        .then(|| GkeCluster { location: Some(location.to_owned()), ..GkeCluster::default() })
}

/// Connect gateway, a proxy to the clusters of a fleet, which can be of any provider.
/// gcloud writes its plugin for it too.
pub fn is_connect_gateway(host: &str) -> bool {
    host == "connectgateway.googleapis.com" || host.ends_with("-connectgateway.googleapis.com")
}

/// `projects/<project>/locations/<location>/clusters/<name>`
pub fn resource(id: &str) -> Option<GkeCluster> {
    let words: Vec<&str> = id.trim_matches('/').split('/').collect();
    let ["projects", project, "locations", location, "clusters", name] = words.as_slice() else { return None };
    let text = |word: &&str| Some((**word).to_owned()).filter(|word| !word.is_empty());
    Some(GkeCluster { project: text(project), location: text(location), name: text(name) })
}
