//! Owns finding the issuer, its keys and the owner they stand for.
//!
//! `named` knows who names the issuer. Keys: the issuer's own site, else the
//! API server's key set; for a cloud's issuer only where the cloud itself says
//! that this API server is that cluster's; `form` knows what stands on the mount. The `jwks_uri` that an API server
//! advertises is never followed; the one on the issuer's own site is, since
//! that site is the authority on its keys.

use super::IssuerError;
use super::cloud::{Cloud, CloudWord};
use super::difference::KeyDifference;
use super::form::{self, Standing};
use super::hosts::{is_a_clouds, is_cluster_internal};
use super::named::named;
use super::site::{Discovery, IssuerSite, discovery_url};
use crate::cloud::{Entry, Given};
use crate::cloud_api::Clouds;
use crate::cluster::Cluster;
use crate::keychain::Owner;
use crate::keychain::jwk::KeySet;
use serde::Serialize;
use url::Url;

/// Whom an issuer and its keys are asked of, besides the API server.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// Issuers' own sites.
    pub site: &'a dyn IssuerSite,
    /// The clouds' APIs.
    pub clouds: &'a dyn Clouds,
}

/// When a cluster's cloud is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ask {
    /// Before the API server: who is new to a mount is to be known well.
    #[default]
    First,
    /// Only where API server or issuer's site cannot be read: a refresh needs
    /// nobody to be logged in to the cloud.
    IfNeeded,
}

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
    /// `--keys-from`
    pub keys_from: Option<KeysFrom>,
    /// What flags say about the cluster's cloud.
    pub given: Given,
    /// When that cloud is asked.
    pub ask: Ask,
}

/// `--keys-from`: where keys are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysFrom {
    /// At the issuer's URL, and nowhere else.
    Issuer,
    /// At the API server.
    ApiServer,
    /// In a file.
    File(KeySet),
}

/// Where keys were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum KeySource {
    /// The issuer's own https URL.
    IssuerSite,
    /// The API server's `/openid/v1/jwks`.
    ApiServer,
    /// A file (`--keys-from=file:PATH`).
    File,
}

/// Who named the issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum NamedBy {
    /// `--issuer`
    Flag,
    /// The API server's discovery document.
    ApiServer,
    /// The API of the cluster's cloud.
    Cloud,
    /// A fresh token of the cluster.
    Token,
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
    /// Where its own site has them, where that was read.
    pub keys_url: Option<String>,
    /// Where the keys come from.
    pub source: KeySource,
    /// Why the issuer's own site was not used, where it was not.
    pub site_unused: Option<SiteUnused>,
    /// Why the API server's own key set could not be held against the site's,
    /// where it could not.
    pub no_witness: Option<String>,
    /// How the API server's own key set differs from the site's, where both were read.
    pub difference: KeyDifference,
    /// The owner that stands for this cluster on the mount, by its issuer and UID, whichever
    /// form it has.
    pub standing: Option<Owner>,
    /// What the cluster's cloud said.
    pub cloud: CloudWord,
}

/// Finds issuer, keys and owner of `cluster`. `enrolled` are the owners on the mount: the
/// place that an enrolled cluster's keys are read at changes on request only, and not
/// because a URL starts or stops to answer.
pub async fn resolve(
    cluster: &dyn Cluster,
    sources: Sources<'_>,
    wishes: &Wishes,
    enrolled: &[Owner],
) -> Result<Resolved, IssuerError> {
    let nothing = Entry::default();
    let entry = cluster.entry().unwrap_or(&nothing);
    let mut cloud = Cloud::of(entry, &wishes.given, sources.clouds);
    let (issuer, named_by) = named(cluster, &mut cloud, wishes).await?;
    check(&issuer)?;
    let standing = Standing::find(cluster, wishes, &issuer, enrolled).await?;
    let site_unused = match Place::of(wishes.keys_from.as_ref(), standing.owner.as_ref()) {
        Place::File(keys) => return form::of_file(cluster, wishes, issuer, named_by, standing, keys.clone()).await,
        Place::ApiServer { asked: true } => SiteUnused::None("--keys-from=api-server"),
        Place::ApiServer { asked: false } => {
            SiteUnused::None("the mount has this cluster's keys from the API server (--keys-from=issuer changes that)")
        }
        Place::Site { required } => match from_site(sources.site, &issuer).await? {
            Ok((keys, url)) => {
                let found = Found { issuer, named_by, standing: standing.owner, cloud: cloud.into_word() };
                return compared(cluster, found, keys, &url).await;
            }
            Err(why) if required || wishes.site_required => {
                return Err(IssuerError::Site { issuer, why: why.to_string() });
            }
            Err(why) => why,
        },
    };
    let clouds = is_a_clouds(&issuer);
    if clouds && !cloud.confirms(&issuer).await? {
        let cloud = Box::new(cloud.into_unconfirmed());
        return Err(IssuerError::CloudIssuer { issuer, why: site_unused.to_string(), cloud });
    }
    let keys = KeySet::parse(&cluster.key_set().await?).map_err(IssuerError::ApiKeys)?;
    let by_issuer = standing.owner.as_ref().is_some_and(|owner| owner.cluster_uid.is_none());
    // The cloud gives no two clusters one issuer: it stands for the cluster as it does
    // where its site was read, so that both ways to its keys find the same owner.
    let cluster_uid = match wishes.keys_from {
        _ if clouds => None,
        None if by_issuer => None,
        _ => Some(standing.uid(cluster, wishes).await?),
    };
    Ok(Resolved {
        owner: Owner { issuer, cluster_uid },
        named_by,
        keys,
        keys_url: None,
        source: KeySource::ApiServer,
        site_unused: Some(site_unused),
        no_witness: None,
        difference: KeyDifference::default(),
        standing: standing.owner,
        cloud: cloud.into_word(),
    })
}

/// Where keys are read.
enum Place<'a> {
    /// At the issuer's URL; `required`, if they must not come from the API server instead.
    Site { required: bool },
    /// At the API server; `asked`, if a flag says so.
    ApiServer { asked: bool },
    /// In a file.
    File(&'a KeySet),
}

impl<'a> Place<'a> {
    fn of(keys_from: Option<&'a KeysFrom>, standing: Option<&Owner>) -> Self {
        match keys_from {
            Some(KeysFrom::Issuer) => Self::Site { required: true },
            Some(KeysFrom::ApiServer) => Self::ApiServer { asked: true },
            Some(KeysFrom::File(keys)) => Self::File(keys),
            None if standing.is_some_and(|owner| owner.cluster_uid.is_some()) => Self::ApiServer { asked: false },
            None => Self::Site { required: false },
        }
    }
}

/// What is known of a cluster before its keys are.
struct Found {
    issuer: String,
    named_by: NamedBy,
    standing: Option<Owner>,
    cloud: CloudWord,
}

/// Keys of the issuer's URL, compared with the API server's own key set, where that may
/// be read.
async fn compared(cluster: &dyn Cluster, found: Found, keys: KeySet, url: &Url) -> Result<Resolved, IssuerError> {
    let Found { issuer, named_by, standing, cloud } = found;
    let theirs = match cluster.key_set().await {
        Ok(body) => KeySet::parse(&body).map_err(|e| e.to_string()),
        Err(e) => Err(e.to_string()),
    };
    if theirs.as_ref().is_ok_and(|theirs| !keys.shares_a_key_with(theirs)) {
        return Err(IssuerError::Disjoint { issuer, url: url.to_string() });
    }
    let difference = theirs.as_ref().map(|theirs| KeyDifference::between(&keys, theirs)).unwrap_or_default();
    Ok(Resolved {
        owner: Owner { issuer, cluster_uid: None },
        named_by,
        keys,
        keys_url: Some(url.to_string()),
        source: KeySource::IssuerSite,
        site_unused: None,
        no_witness: theirs.err(),
        difference,
        standing,
        cloud,
    })
}

fn check(issuer: &str) -> Result<(), IssuerError> {
    let why = if issuer.is_empty() {
        "it is empty"
    } else if issuer.len() > 1_024 {
        "it is longer than 1024 bytes"
    } else if issuer.chars().any(char::is_control) {
        "it holds control characters"
    } else if issuer.contains('*') {
        // In a role whose claims are patterns it would stand for any issuer.
        "it has a '*'"
    } else {
        return Ok(());
    };
    Err(IssuerError::Unusable { issuer: issuer.to_owned(), why })
}

/// The keys of the issuer's own site, and their address; the inner error says why it cannot
/// serve, the outer one that it must not be passed over.
async fn from_site(site: &dyn IssuerSite, issuer: &str) -> Result<Result<(KeySet, Url), SiteUnused>, IssuerError> {
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
            Ok(keys) => Ok(Ok((keys, keys_url))),
            Err(source) => Err(IssuerError::SiteKeys { issuer: issuer.to_owned(), source }),
        },
        Err(why) => unreadable(format!("its key set: {why}")),
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
