//! Recognizes GKE: the names that gcloud writes, its exec plugin, and the shape of DNS
//! endpoints.

use crate::cloud::kubeconfig_entry::{AuthProvider, Exec};

/// What a trace says about a GKE cluster; nothing where it is silent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GkeClaim {
    pub project: Option<String>,
    /// The zone or region.
    pub location: Option<String>,
    pub name: Option<String>,
}

/// `gke_<project>_<zone or region>_<name>`: none of the three has a `_`.
pub fn name(entry: &str) -> Option<GkeClaim> {
    let mut parts = entry.strip_prefix("gke_")?.split('_');
    let (project, location, name) = (parts.next()?, parts.next()?, parts.next()?);
    let all = [project, location, name];
    // A domain-scoped project is `example.com:project`.
    let legal =
        |part: &str| part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | ':'));
    let is = parts.next().is_none() && all.iter().all(|part| !part.is_empty() && legal(part));
    is.then(|| GkeClaim {
        project: Some(project.to_owned()),
        location: Some(location.to_owned()),
        name: Some(name.to_owned()),
    })
}

/// gcloud's exec plugin, which says no more than that.
pub fn exec(exec: &Exec) -> Option<GkeClaim> {
    (exec.program() == "gke-gcloud-auth-plugin").then(GkeClaim::default)
}

/// The auth provider that came before it.
pub fn auth_provider(provider: &AuthProvider) -> Option<GkeClaim> {
    (provider.name == "gcp").then(GkeClaim::default)
}

/// `gke-….<location>.gke.goog`
pub fn host(host: &str) -> Option<GkeClaim> {
    let (first, location) = host.strip_suffix(".gke.goog")?.rsplit_once('.')?;
    (first.starts_with("gke-") && !location.is_empty())
        .then(|| GkeClaim { location: Some(location.to_owned()), ..GkeClaim::default() })
}

/// Connect gateway, a proxy to the clusters of a fleet, which can be of any provider.
/// gcloud writes its plugin for it too.
pub fn is_connect_gateway(host: &str) -> bool {
    host == "connectgateway.googleapis.com" || host.ends_with("-connectgateway.googleapis.com")
}

/// `projects/<project>/locations/<location>/clusters/<name>`
pub fn resource(id: &str) -> Option<GkeClaim> {
    let words: Vec<&str> = id.trim_matches('/').split('/').collect();
    let ["projects", project, "locations", location, "clusters", name] = words.as_slice() else { return None };
    let text = |word: &&str| Some((**word).to_owned()).filter(|word| !word.is_empty());
    Some(GkeClaim { project: text(project), location: text(location), name: text(name) })
}
