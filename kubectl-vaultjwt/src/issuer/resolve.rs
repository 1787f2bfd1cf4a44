//! Owns finding the issuer, its keys and the owner they stand for.
//!
//! Issuer: the flag, else the API server's discovery document. Keys: the
//! issuer's own site, else the API server's key set. The `jwks_uri` that an
//! API server advertises is never followed; the one on the issuer's own site
//! is, since that site is the authority on its keys.

use super::site::{Discovery, IssuerSite, discovery_url};
use crate::cluster::{Cluster, ClusterError};
use crate::keychain::Owner;
use crate::keychain::jwk::{KeySet, KeySetError};
use serde::Serialize;
use shared::text::one_line;
use url::Url;

/// What the user decides.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// `--issuer`
    pub issuer: Option<String>,
    /// `--cluster-uid`
    pub cluster_uid: Option<String>,
    /// Whether the issuer's own site must be read (`--issuer-ca-cert` names
    /// whom to trust there, so passing over it would be a surprise).
    pub site_required: bool,
}

/// Where keys were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeySource {
    /// The issuer's own https URL.
    IssuerSite,
    /// The API server's `/openid/v1/jwks`.
    ApiServer,
}

/// Who named the issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum NamedBy {
    /// `--issuer`
    Flag,
    /// The API server's discovery document.
    ApiServer,
    /// The names in the kubeconfig, where GKE makes its issuers of them.
    Kubeconfig,
}

/// Why an issuer's own site was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiteUnused {
    /// There is none outside the cluster.
    None(&'static str),
    /// There may be one, but it could not be read.
    Unreadable(String),
}

impl std::fmt::Display for SiteUnused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None(why) => f.write_str(why),
            Self::Unreadable(why) => f.write_str(why),
        }
    }
}

/// Issuer, owner and keys of a cluster: claimed, not yet proven.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The issuer and, where its site could not be read, the cluster.
    pub owner: Owner,
    /// Who named the issuer.
    pub named_by: NamedBy,
    /// What it publishes now.
    pub keys: KeySet,
    /// Where the keys come from.
    pub source: KeySource,
    /// Why the issuer's own site was not used, where it was not.
    pub site_unused: Option<SiteUnused>,
    /// Why the API server's own key set could not be held against the site's,
    /// where it could not.
    pub no_witness: Option<String>,
}

/// Why issuer or keys could not be found.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The API server did not answer.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The API server's discovery document.
    #[error("the discovery document of the API server is not usable: {}", one_line(.0))]
    Discovery(String),
    /// An issuer text no token should carry.
    #[error("issuer \"{}\" is not usable: {why}", one_line(.issuer))]
    Unusable {
        /// The text.
        issuer: String,
        /// The rule it breaks.
        why: &'static str,
    },
    /// The issuer's site says it is somebody else.
    #[error("the discovery document at \"{url}\" names issuer \"{}\", not \"{}\"", one_line(.found), one_line(.issuer))]
    SiteIsAnother {
        /// Where it was read.
        url: String,
        /// The issuer it names.
        found: String,
        /// The issuer asked for.
        issuer: String,
    },
    /// Keys of the issuer's site.
    #[error("the key set of issuer \"{}\" is not usable: {source}", one_line(.issuer))]
    SiteKeys {
        /// The issuer.
        issuer: String,
        /// What is wrong.
        source: KeySetError,
    },
    /// Keys of the API server.
    #[error("the key set of the API server is not usable: {0}")]
    ApiKeys(#[source] KeySetError),
    /// Two different clusters.
    #[error("issuer \"{}\" and this API server publish no common key: they are not the same cluster", one_line(.0))]
    Disjoint(String),
    /// Keys for a cloud's issuer from an API server.
    #[error("the keys of issuer \"{}\" can only be taken from its own site, which could not be read: {why}", one_line(.issuer))]
    CloudIssuer {
        /// The issuer.
        issuer: String,
        /// Why its site was not read.
        why: String,
    },
    /// The site was asked for and cannot be read.
    #[error("the site of issuer \"{}\" could not be read: {why}", one_line(.issuer))]
    Site {
        /// The issuer.
        issuer: String,
        /// Why not.
        why: String,
    },
    /// A UID that this cluster does not have.
    #[error("this cluster's UID (of namespace kube-system) is \"{}\", not \"{}\"", one_line(.found), one_line(.wanted))]
    OtherUid {
        /// `--cluster-uid`
        wanted: String,
        /// The UID it has.
        found: String,
    },
    /// No UID.
    #[error("the cluster's UID (of namespace kube-system) could not be read: {0}")]
    Uid(#[source] ClusterError),
}

impl IssuerError {
    /// The one thing to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cluster(e) => e.hint(),
            Self::Discovery(_) | Self::Unusable { .. } => {
                Some("give the issuer with --issuer; 'kubectl create token default' issues a token whose iss claim names it".to_owned())
            }
            Self::SiteIsAnother { .. } => Some("give the issuer that the cluster's tokens carry with --issuer".to_owned()),
            Self::SiteKeys { .. } | Self::ApiKeys(_) => {
                Some("look at the key set: kubectl get --raw /openid/v1/jwks".to_owned())
            }
            Self::Disjoint(_) => Some(
                "look at what the API server claims: kubectl get --raw /.well-known/openid-configuration".to_owned(),
            ),
            Self::CloudIssuer { .. } => {
                Some("run this where the issuer's URL can be reached (a proxy is taken from HTTPS_PROXY)".to_owned())
            }
            Self::Site { .. } => Some("check --issuer-ca-cert, or leave it out to take the keys from the API server".to_owned()),
            Self::OtherUid { .. } => Some("leave --cluster-uid out: it is for where the UID cannot be read".to_owned()),
            Self::Uid(_) => Some(
                "give it with --cluster-uid; somebody who may read it runs: kubectl get namespace kube-system -o jsonpath={.metadata.uid}"
                    .to_owned(),
            ),
        }
    }
}

/// Finds issuer, keys and owner of `cluster`.
pub async fn resolve(cluster: &dyn Cluster, site: &dyn IssuerSite, wishes: &Wishes) -> Result<Resolved, IssuerError> {
    let (issuer, named_by) = named(cluster, wishes).await?;
    check(&issuer)?;
    match from_site(site, &issuer).await? {
        Ok(keys) => {
            // The API server's set is the second witness, where it may be read.
            let theirs = match cluster.key_set().await {
                Ok(body) => KeySet::parse(&body).map_err(|e| e.to_string()),
                Err(e) => Err(e.to_string()),
            };
            if theirs.as_ref().is_ok_and(|theirs| !keys.shares_a_key_with(theirs)) {
                return Err(IssuerError::Disjoint(issuer));
            }
            let owner = Owner { issuer, cluster_uid: None };
            let source = KeySource::IssuerSite;
            Ok(Resolved { owner, named_by, keys, source, site_unused: None, no_witness: theirs.err() })
        }
        Err(why) => {
            if wishes.site_required {
                return Err(IssuerError::Site { issuer, why: why.to_string() });
            }
            if is_a_clouds(&issuer) {
                return Err(IssuerError::CloudIssuer { issuer, why: why.to_string() });
            }
            let keys = KeySet::parse(&cluster.key_set().await?).map_err(IssuerError::ApiKeys)?;
            let uid = match (&wishes.cluster_uid, cluster.uid().await) {
                (Some(wanted), Ok(found)) if *wanted != found => {
                    return Err(IssuerError::OtherUid { wanted: wanted.clone(), found });
                }
                (Some(wanted), _) => wanted.clone(),
                (None, found) => found.map_err(IssuerError::Uid)?,
            };
            let owner = Owner { issuer, cluster_uid: Some(uid) };
            let source = KeySource::ApiServer;
            Ok(Resolved { owner, named_by, keys, source, site_unused: Some(why), no_witness: None })
        }
    }
}

/// The issuer, and who says so. Where the API server may not be asked (by
/// default only service accounts read its discovery document), the names in a
/// GKE kubeconfig will do: GKE makes the issuer of them, it is a cloud's, so
/// that its keys come from its own site only, and names are no proof of more.
async fn named(cluster: &dyn Cluster, wishes: &Wishes) -> Result<(String, NamedBy), IssuerError> {
    if let Some(issuer) = &wishes.issuer {
        return Ok((issuer.clone(), NamedBy::Flag));
    }
    match (cluster.discovery_document().await, cluster.implied_issuer()) {
        (Ok(document), _) => Ok((claimed(&document)?, NamedBy::ApiServer)),
        (Err(error), Some(issuer)) if error.is_of_rights() => Ok((issuer, NamedBy::Kubeconfig)),
        (Err(error), _) => Err(error.into()),
    }
}

fn claimed(body: &[u8]) -> Result<String, IssuerError> {
    let document: Discovery = serde_json::from_slice(body).map_err(|e| IssuerError::Discovery(e.to_string()))?;
    Ok(document.issuer)
}

fn check(issuer: &str) -> Result<(), IssuerError> {
    let why = if issuer.is_empty() {
        "it is empty"
    } else if issuer.len() > 1_024 {
        "it is longer than 1024 bytes"
    } else if issuer.chars().any(char::is_control) {
        "it holds control characters"
    } else {
        return Ok(());
    };
    Err(IssuerError::Unusable { issuer: issuer.to_owned(), why })
}

/// The keys of the issuer's own site; the inner error says why it cannot
/// serve, the outer one that it must not be passed over.
async fn from_site(site: &dyn IssuerSite, issuer: &str) -> Result<Result<KeySet, SiteUnused>, IssuerError> {
    let unreadable = |why: String| Ok(Err(SiteUnused::Unreadable(why)));
    let Some(url) = discovery_url(issuer) else {
        return Ok(Err(SiteUnused::None("it is not an https URL")));
    };
    if url.host_str().is_some_and(is_cluster_internal) {
        return Ok(Err(SiteUnused::None("its host exists only inside the cluster")));
    }
    let document = match site.get(&url).await {
        Ok(body) => match serde_json::from_slice::<Discovery>(&body) {
            Ok(document) => document,
            Err(_) => return unreadable("what is there is not a discovery document".to_owned()),
        },
        Err(why) => return unreadable(why.to_string()),
    };
    if document.issuer != issuer {
        let found = document.issuer;
        return Err(IssuerError::SiteIsAnother { url: url.to_string(), found, issuer: issuer.to_owned() });
    }
    let Some(keys_url) =
        document.jwks_uri.as_deref().and_then(|u| Url::parse(u).ok()).filter(|u| u.scheme() == "https")
    else {
        return unreadable("its discovery document names no https jwks_uri".to_owned());
    };
    match site.get(&keys_url).await {
        Ok(body) => match KeySet::parse(&body) {
            Ok(keys) => Ok(Ok(keys)),
            Err(source) => Err(IssuerError::SiteKeys { issuer: issuer.to_owned(), source }),
        },
        Err(why) => unreadable(format!("its key set: {why}")),
    }
}

/// Names that no resolver outside a cluster knows
/// (kubernetes `dns` specification section 2): asking would only cost time.
fn is_cluster_internal(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host.ends_with(".svc") || host.ends_with(".cluster.local")
}

/// Whether an issuer's host is one of the clouds that run clusters for their
/// users. Their API alone knows which cluster an issuer belongs to.
pub fn is_a_clouds(issuer: &str) -> bool {
    let Some(host) = Url::parse(issuer).ok().and_then(|u| u.host_str().map(str::to_ascii_lowercase)) else {
        return false;
    };
    host.starts_with("oidc.eks.")
        || host.starts_with("oidc-eks.")
        || host.ends_with(".oic.prod-aks.azure.com")
        || host == "oidc.prod-aks.azure.com"
        || host == "container.googleapis.com"
}

/// Whether nobody but its cloud can sign tokens of this issuer. Stricter than
/// [`is_a_clouds`], because it lets a cluster in: the whole name counts, and
/// nobody can own a host of these shapes.
pub fn is_managed(issuer: &str) -> bool {
    let Some(url) = Url::parse(issuer).ok().filter(|url| url.scheme() == "https" && url.port().is_none()) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    let region = |rest: &str| !rest.is_empty() && !rest.contains('.');
    let between =
        |start: &str, end: &str| host.strip_prefix(start).and_then(|h| h.strip_suffix(end)).is_some_and(region);
    // Partitions of AWS (botocore `partitions.json`), and dual-stack hosts.
    between("oidc.eks.", ".amazonaws.com")
        || between("oidc.eks.", ".amazonaws.com.cn")
        || between("oidc.eks.", ".amazonaws.eu")
        || between("oidc-eks.", ".api.aws")
        || between("oidc-eks.", ".api.amazonwebservices.com.cn")
        || between("", ".oic.prod-aks.azure.com")
        || host == "oidc.prod-aks.azure.com"
        || host == "container.googleapis.com"
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
