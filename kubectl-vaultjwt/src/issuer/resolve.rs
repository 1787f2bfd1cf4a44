//! Finds the issuer, its keys, and their owner.
//!
//! `find_issuer` finds the issuer, `form` decides what the owner on the mount is. Keys come
//! from the issuer URL, else from the API server's key set; for a cloud's issuer only where
//! the cloud itself says that this API server is that cluster's. The `jwks_uri` that an API
//! server advertises is never followed; the one in the discovery document at the issuer URL
//! is, since that document is the authority on its keys.

use crate::cloud::Entry;
use crate::cluster::Cluster;
use crate::issuer::IssuerError;
use crate::issuer::cloud_answer::CloudAnswer;
use crate::issuer::cloud_lookup::CloudQuery;
use crate::issuer::difference::KeyDifference;
use crate::issuer::find_issuer::find_issuer;
use crate::issuer::form::{self, KnownOwner};
use crate::issuer::managed_hosts::{is_a_clouds, is_cluster_internal};
use crate::issuer::request::{IssuerOverrides, KeysFrom, NamedBy, Sources};
use crate::issuer::resolved::{KeySource, Resolved, SiteUnused};
use crate::issuer::site::{Discovery, IssuerSite, discovery_url};
use crate::keychain::Owner;
use crate::keychain::jwk::KeySet;
use url::Url;

/// Finds issuer, keys and owner of `cluster`. `enrolled` are the owners on the mount: the
/// place that an enrolled cluster's keys are read at changes on request only, and not
/// because a URL starts or stops to answer.
pub async fn resolve(
    cluster: &dyn Cluster,
    sources: Sources<'_>,
    overrides: &IssuerOverrides,
    enrolled: &[Owner],
) -> Result<Resolved, IssuerError> {
    let nothing = Entry::default();
    let entry = cluster.entry().unwrap_or(&nothing);
    let mut cloud = CloudQuery::of(entry, &overrides.given, sources.clouds);
    let (issuer, named_by) = find_issuer(cluster, &mut cloud, overrides).await?;
    check(&issuer)?;
    let standing = KnownOwner::find(cluster, overrides, &issuer, enrolled).await?;
    let site_unused = match KeyLocation::of(overrides.keys_from.as_ref(), standing.owner.as_ref()) {
        KeyLocation::File(keys) => {
            return form::of_file(cluster, overrides, issuer, named_by, standing, keys.clone()).await;
        }
        KeyLocation::ApiServer { asked: true } => SiteUnused::None("--keys-from=api-server"),
        KeyLocation::ApiServer { asked: false } => {
            SiteUnused::None("the mount has this cluster's keys from the API server (--keys-from=issuer changes that)")
        }
        KeyLocation::Site { required } => match from_site(sources.site, &issuer).await? {
            Ok((keys, url)) => {
                let found = Found { issuer, named_by, standing: standing.owner, cloud: cloud.into_word() };
                return compared(cluster, found, keys, &url).await;
            }
            Err(why) if required || overrides.site_required => {
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
    // The cloud gives no two clusters one issuer: it identifies the cluster as it does where
    // its site was read, so that both ways to its keys find the same owner.
    let cluster_uid = match overrides.keys_from {
        _ if clouds => None,
        None if by_issuer => None,
        _ => Some(standing.uid(cluster, overrides).await?),
    };
    Ok(Resolved {
        owner: Owner { issuer, cluster_uid },
        named_by,
        keys,
        keys_url: None,
        source: KeySource::ApiServer,
        site_unused: Some(site_unused),
        api_keys_unread: None,
        difference: KeyDifference::default(),
        standing: standing.owner,
        cloud: cloud.into_word(),
    })
}

/// Where keys are read.
enum KeyLocation<'a> {
    /// At the issuer's URL; `required`, if they must not come from the API server instead.
    Site { required: bool },
    /// At the API server; `asked`, if a flag says so.
    ApiServer { asked: bool },
    /// In a file.
    File(&'a KeySet),
}

impl<'a> KeyLocation<'a> {
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
    cloud: CloudAnswer,
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
        api_keys_unread: theirs.err(),
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
mod tests;
