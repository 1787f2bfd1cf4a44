//! Plans for a mount whose keys Vault fetches itself, and for a mount that changes its
//! source of keys. Pure.

use crate::command::mount::{EnrollmentError, Grounds, Roles, admission, elements};
use crate::command::setup::error::{SetupError, SourceConflict};
use crate::command::setup::input::SetupInput;
use crate::command::setup::state::{ConfigPlan, fetches};
use crate::command::words::{counted, listed};
use crate::issuer::{Resolved, is_managed};
use crate::keychain::Owner;
use crate::keychain::element::{Management, MountKey};
use crate::keychain::others::Others;
use crate::keychain::plan::KeyListPlan;
use crate::vault::Document;
use crate::vault::mount::config::{self, BOUND_ISSUER, ConfigConflict, MountSnapshot};
use crate::vault::mount::key_source::{self, KeySetUrl, KeysMode, MountKeySource};
use shared::text::one_line;

/// What is to become of the configuration where Vault fetches the keys.
pub fn plan(
    input: &SetupInput,
    cluster: &Resolved,
    standing: MountSnapshot<'_>,
    roles: &Roles,
    grounds: &Grounds,
) -> Result<ConfigPlan, SetupError> {
    let conflict = |source| SetupError::Source { mount: input.mount.clone(), source };
    let current = standing.document;
    if let Some(field) = config::secret(current) {
        return Err(SetupError::Config { mount: input.mount.clone(), source: ConfigConflict::Secret(field) });
    }
    let Some(keys_url) = &cluster.keys_url else {
        let why = cluster.site_unused.as_ref().map_or_else(String::new, ToString::to_string);
        return Err(conflict(SourceConflict::NoSite { why }));
    };
    if !grounds.unconfirmed.is_empty() {
        let (url, keys) = (keys_url.clone(), grounds.unconfirmed.len());
        return Err(conflict(SourceConflict::SharedUrl { url, keys }));
    }
    if input.keys.mode == KeysMode::JwksPairs && current.is_some_and(|d| d.contains_key("status")) {
        return Err(conflict(SourceConflict::NoPairs));
    }
    replaceable(input, cluster, current, grounds).map_err(conflict)?;
    ensure_bound(input, cluster, current)?;
    let enrolled = fetches(current, cluster) || elements(current).iter().any(|key| key.is_of(&cluster.owner));
    let admit = |others: &Others| match enrolled {
        true => Ok(()),
        false => admission::new_cluster(&cluster.owner, others, &input.options.allow, roles)
            .map_err(|source| input.refused(source)),
    };
    let ca = input.keys.ca.clone();
    let issuer = &cluster.owner.issuer;
    let mut shared = false;
    let wanted = match input.keys.mode {
        KeysMode::Static | KeysMode::JwksUrl => MountKeySource::JwksUrl(KeySetUrl { url: keys_url.clone(), ca }),
        KeysMode::OidcDiscovery => MountKeySource::OidcDiscovery(KeySetUrl { url: issuer.clone(), ca }),
        KeysMode::JwksPairs => {
            let mut pairs = match MountKeySource::of(current) {
                MountKeySource::JwksPairs(pairs) => pairs,
                _ => Vec::new(),
            };
            let others = owners(pairs.iter().filter(|pair| pair.url != *keys_url));
            shared = others.any();
            match pairs.iter_mut().find(|pair| pair.url == *keys_url) {
                // Whom to trust there is kept where no flag says otherwise.
                Some(pair) if !ca.is_empty() => pair.ca = ca,
                Some(_) => {}
                None => {
                    admit(&others)?;
                    pairs.push(KeySetUrl { url: keys_url.clone(), ca });
                }
            }
            MountKeySource::JwksPairs(pairs)
        }
    };
    if input.keys.mode != KeysMode::JwksPairs {
        admit(&Others::default())?;
    }
    let document = key_source::fetching(current, &wanted, issuer);
    let write = !key_source::same(current, &document);
    let key_list = KeyListPlan::default();
    Ok(ConfigPlan { key_list, document, keys: 0, shared, write, warnings: Vec::new() })
}

/// A mount that fetches its keys, as a mount for static ones: its source
/// taken out, where that may be. Nothing where it fetches none.
pub fn back_to_static(
    input: &SetupInput,
    cluster: &Resolved,
    standing: MountSnapshot<'_>,
    grounds: &Grounds,
) -> Result<Option<Document>, SetupError> {
    let current = standing.document;
    // Without the flag, the current source is refused as before.
    if MountKeySource::of(current).mode() == KeysMode::Static
        || !input.keys.convert
        || config::secret(current).is_some()
    {
        return Ok(None);
    }
    replaceable(input, cluster, current, grounds)
        .map_err(|source| SetupError::Source { mount: input.mount.clone(), source })?;
    Ok(Some(key_source::without_source(current)))
}

/// The current source may be replaced only where it is told to, and where it is
/// this cluster's alone.
fn replaceable(
    input: &SetupInput,
    cluster: &Resolved,
    current: Option<&Document>,
    grounds: &Grounds,
) -> Result<(), SourceConflict> {
    let mode = input.keys.mode;
    let source = MountKeySource::of(current);
    let (found, only_ours, same_mode) = match &source {
        MountKeySource::Static => {
            let standing = elements(current);
            if standing.is_empty() {
                return Ok(());
            }
            let only_ours = standing.iter().all(|element| is_ours(element, cluster, grounds));
            (format!("holds {}", counted(standing.len(), "static key")), only_ours, false)
        }
        // One more cluster beside others.
        MountKeySource::JwksPairs(_) if mode == KeysMode::JwksPairs => return Ok(()),
        other => {
            let urls = other.urls();
            let only_ours = urls.len() <= 1 && fetches(current, cluster);
            let from = listed(urls.into_iter().map(one_line));
            (format!("takes keys from {from}"), only_ours, other.mode() == mode)
        }
    };
    if !only_ours {
        return Err(SourceConflict::Others { found });
    }
    if same_mode || input.keys.convert { Ok(()) } else { Err(SourceConflict::Mixed { found, mode }) }
}

/// A key of this cluster, and of no other.
/// For an unmanaged key, it is the one that signed a fresh token: public keys can be copied.
fn is_ours(element: &MountKey, cluster: &Resolved, grounds: &Grounds) -> bool {
    let signs = || grounds.signer.is_some() && element.id() == grounds.signer;
    element.is_of(&cluster.owner) || (element.management == Management::Unmanaged && signs())
}

/// A mount that is bound to another issuer stays so unless a flag says otherwise.
fn ensure_bound(input: &SetupInput, cluster: &Resolved, current: Option<&Document>) -> Result<(), SetupError> {
    let bound = current.and_then(|d| d.get(BOUND_ISSUER)).and_then(|value| value.as_str()).unwrap_or_default();
    if bound.is_empty() || bound == cluster.owner.issuer || input.options.clear_bound_issuer {
        return Ok(());
    }
    Err(input.refused(EnrollmentError::BoundIssuer { bound: bound.to_owned() }))
}

/// The owners of the key sets that a mount fetches. Of a managed cluster, the address of its
/// keys begins with its issuer.
fn owners<'a>(places: impl Iterator<Item = &'a KeySetUrl>) -> Others {
    let mut others = Others::default();
    for place in places {
        let url = place.url.as_str();
        let issuer = ["openid/v1/jwks", "/keys", "/jwks"].into_iter().find_map(|end| url.strip_suffix(end));
        match issuer.filter(|issuer| is_managed(issuer)) {
            Some(issuer) => others.owners.push(Owner { issuer: issuer.to_owned(), cluster_uid: None }),
            None => others.unmanaged += 1,
        }
    }
    others
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issuer::{CloudAnswer, KeySource as ReadFrom, NamedBy};
    use crate::keychain::evidence::Evidence;
    use crate::keychain::jwk::{KeySet, PublishedKey};
    use crate::keychain::key::PublicKey;
    use serde_json::json;

    fn key(number: u8) -> PublishedKey {
        use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
        let pair = Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap();
        PublishedKey { key: PublicKey::ed25519(pair.public_key().as_ref()).unwrap(), kid: None, alg: None }
    }

    fn cluster(uid: Option<&str>) -> Resolved {
        Resolved {
            owner: Owner { issuer: "https://issuer.example.com".into(), cluster_uid: uid.map(str::to_owned) },
            named_by: NamedBy::ApiServer,
            keys: KeySet { keys: vec![key(1), key(2)], skipped: vec![] },
            source: if uid.is_none() { ReadFrom::IssuerSite } else { ReadFrom::ApiServer },
            keys_url: uid.is_none().then(|| "https://issuer.example.com/keys".to_owned()),
            site_unused: None,
            api_keys_unread: None,
            difference: Default::default(),
            standing: None,
            cloud: CloudAnswer::NotAsked,
        }
    }

    /// Every kubeadm cluster has the same issuer: only who has its site fetches from it.
    #[test]
    fn a_mount_fetches_the_keys_of_whoever_was_read_there() {
        for source in [
            json!({"oidc_discovery_url": "https://issuer.example.com"}),
            json!({"jwks_url": "https://issuer.example.com/keys"}),
        ] {
            let document = source.as_object().unwrap().clone();
            assert!(fetches(Some(&document), &cluster(None)), "{source}");
            assert!(!fetches(Some(&document), &cluster(Some("u1"))), "{source}");
        }
    }

    #[test]
    fn an_unmanaged_key_is_ones_own_if_it_signs() {
        let own = cluster(None);
        let mut grounds = Grounds::new(&own, Evidence::NONE, vec![], None);
        let by_hand = MountKey::read(key(1).key.pem().trim());
        assert!(!is_ours(&by_hand, &own, &grounds));
        grounds.signer = Some(key(2).key.id());
        assert!(!is_ours(&by_hand, &own, &grounds));
        grounds.signer = Some(key(1).key.id());
        assert!(is_ours(&by_hand, &own, &grounds));
    }
}
