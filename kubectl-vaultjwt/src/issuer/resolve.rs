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
use crate::issuer::find_issuer::find_issuer;
use crate::issuer::form::KnownOwner;
use crate::issuer::managed_hosts::{is_a_clouds, is_cluster_internal};
use crate::issuer::request::{IssuerOverrides, KeysFrom, Sources};
use crate::issuer::resolved::{KeyDifference, KeySource, Resolved, SiteUnused};
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
    let enrolled_with_uid = standing.owner.as_ref().is_some_and(|owner| owner.cluster_uid.is_some());
    let site_unused = match overrides.keys_from {
        Some(KeysFrom::File(_)) => SiteUnused::None("--keys-from=file"),
        Some(KeysFrom::ApiServer) => SiteUnused::None("--keys-from=api-server"),
        None if enrolled_with_uid => {
            SiteUnused::None("the mount has this cluster's keys from the API server (--keys-from=issuer changes that)")
        }
        Some(KeysFrom::Issuer) | None => match from_site(sources.site, &issuer).await? {
            Ok((keys, url)) => {
                let (difference, api_keys_unread) = compared(cluster, &issuer, &keys, &url).await?;
                return Ok(Resolved {
                    owner: Owner { issuer, cluster_uid: None },
                    named_by,
                    keys,
                    keys_url: Some(url.to_string()),
                    source: KeySource::IssuerSite,
                    site_unused: None,
                    api_keys_unread,
                    difference,
                    standing: standing.owner,
                    cloud: cloud.word,
                });
            }
            Err(why) if overrides.keys_from.is_some() || overrides.site_required => {
                return Err(IssuerError::Site { issuer, why: why.to_string() });
            }
            Err(why) => why,
        },
    };
    let clouds = is_a_clouds(&issuer);
    let (source, keys, cloud) = match &overrides.keys_from {
        // A cloud's issuer counts as verified by others on the mount, and a file cannot show that.
        Some(KeysFrom::File(_)) if clouds => return Err(IssuerError::FileForCloud(issuer)),
        Some(KeysFrom::File(keys)) => (KeySource::File, keys.clone(), CloudAnswer::NotAsked),
        _ => {
            if clouds && !cloud.confirms(&issuer).await? {
                let cloud = Box::new(cloud.into_unconfirmed());
                return Err(IssuerError::CloudIssuer { issuer, why: site_unused.to_string(), cloud });
            }
            let keys = KeySet::parse(&cluster.key_set().await?).map_err(IssuerError::ApiKeys)?;
            (KeySource::ApiServer, keys, cloud.word)
        }
    };
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
        source,
        site_unused: Some(site_unused),
        api_keys_unread: None,
        difference: KeyDifference::default(),
        standing: standing.owner,
        cloud,
    })
}

/// How keys of the issuer's URL differ from the API server's own key set, or why that could
/// not be read.
async fn compared(
    cluster: &dyn Cluster,
    issuer: &str,
    keys: &KeySet,
    url: &Url,
) -> Result<(KeyDifference, Option<String>), IssuerError> {
    let theirs = match cluster.key_set().await {
        Ok(body) => KeySet::parse(&body).map_err(|e| e.to_string()),
        Err(e) => Err(e.to_string()),
    };
    match theirs {
        Ok(theirs) if !keys.shares_a_key_with(&theirs) => {
            Err(IssuerError::Disjoint { issuer: issuer.to_owned(), url: url.to_string() })
        }
        Ok(theirs) => Ok((KeyDifference::between(keys, &theirs), None)),
        Err(why) => Ok((KeyDifference::default(), Some(why))),
    }
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
