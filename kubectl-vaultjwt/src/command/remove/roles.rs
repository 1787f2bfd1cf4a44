//! Finds the roles of a mount that are an owner's alone, and the others that it shares.
//! Pure.

use crate::keychain::Owner;
use crate::vault::Document;
use crate::vault::mount::role::bound_issuers;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Why a role that takes the owner's tokens is never deleted with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Shared {
    /// Another owner of the same issuer is on the mount.
    OtherOwner { owner: Owner },
    /// Keys of no known owner are on the mount, and another cluster can have the
    /// same issuer.
    #[serde(rename = "strangers")]
    UnmanagedKeys,
}

/// Who stays on a mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    /// Owners, each once.
    pub owners: Vec<Owner>,
    /// Whether there are keys whose owner is not known.
    pub unmanaged_keys: bool,
    /// Whether it is not known if the owner that leaves has a UID: it has no keys there.
    pub any_form: bool,
}

impl std::fmt::Display for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OtherOwner { owner } => write!(f, "{owner} uses it too"),
            Self::UnmanagedKeys => {
                f.write_str("keys of no known owner are on the mount, and may be of a cluster with the same issuer")
            }
        }
    }
}

/// What a role is to an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// It is not bound to the owner's issuer.
    None,
    Exclusive,
    /// It accepts these issuers too, and not the owner's any more when that is removed from it.
    Listed(Vec<String>),
    /// Others use it too.
    Shared(Shared),
}

/// What `role` is to `owner`, where `remaining` are on the mount without it.
pub fn part(role: &Document, owner: &Owner, remaining: &Remaining) -> Part {
    let issuers = bound_issuers(role);
    let by_pointer = role.get("bound_claims").is_some_and(|claims| claims.get("/iss").is_some());
    // Roles for OIDC take no tokens of clusters, whatever they bind.
    let oidc = role.get("role_type").and_then(Value::as_str) == Some("oidc");
    if oidc || !issuers.contains(&owner.issuer) {
        return Part::None;
    }
    let others: Vec<String> = issuers.into_iter().filter(|issuer| *issuer != owner.issuer).collect();
    match remaining.owners.iter().find(|other| other.issuer == owner.issuer) {
        Some(other) => Part::Shared(Shared::OtherOwner { owner: other.clone() }),
        // An issuer with a site of its own is one cluster's; kubeadm's is many clusters'.
        None if remaining.unmanaged_keys && (remaining.any_form || owner.cluster_uid.is_some()) => {
            Part::Shared(Shared::UnmanagedKeys)
        }
        // A role that binds it by a pointer as well would accept no token.
        None if !others.is_empty() && by_pointer => Part::None,
        None if others.is_empty() => Part::Exclusive,
        None => Part::Listed(others),
    }
}

/// The roles that an owner has a part in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnersRoles {
    /// Its own, by name.
    pub exclusive: BTreeMap<String, Document>,
    /// Those that accept other issuers too, by name, with these.
    pub listed: BTreeMap<String, Vec<String>>,
    /// Shared ones, by name.
    pub shared: BTreeMap<String, Shared>,
}

impl OwnersRoles {
    pub fn of(roles: &BTreeMap<String, Document>, owner: &Owner, remaining: &Remaining) -> Self {
        let mut found = Self::default();
        for (name, role) in roles {
            match part(role, owner, remaining) {
                Part::None => {}
                Part::Exclusive => found.exclusive.extend([(name.clone(), role.clone())]),
                Part::Listed(others) => found.listed.extend([(name.clone(), others)]),
                Part::Shared(why) => found.shared.extend([(name.clone(), why)]),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn owner(uid: Option<&str>) -> Owner {
        Owner { issuer: "https://a".into(), cluster_uid: uid.map(str::to_owned) }
    }

    #[test]
    fn only_roles_of_the_owner_alone_are_its_own() {
        let role = |value: Value| value.as_object().cloned().unwrap();
        let bound = |iss: Value| role(json!({"role_type": "jwt", "bound_claims": {"iss": iss, "sub": ["s"]}}));
        let other = Owner { issuer: "https://b".into(), cluster_uid: None };
        let listed = |issuers: &[&str]| Part::Listed(issuers.iter().map(|i| (*i).to_owned()).collect());
        let twin = || Part::Shared(Shared::OtherOwner { owner: owner(None) });
        for (document, remaining, expected) in [
            (bound(json!("https://a")), vec![other.clone()], Part::Exclusive),
            (bound(json!(["https://a", "https://a"])), vec![], Part::Exclusive),
            (bound(json!(["https://a", "https://b"])), vec![], listed(&["https://b"])),
            (bound(json!(["https://a", "https://b"])), vec![owner(None)], twin()),
            (bound(json!("https://a")), vec![other.clone(), owner(None)], twin()),
            (bound(json!("https://a/")), vec![], Part::None),
            (role(json!({"role_type": "jwt", "bound_subject": "s"})), vec![], Part::None),
            (role(json!({"role_type": "oidc", "bound_claims": {"iss": "https://a"}})), vec![], Part::None),
            // A pattern may accept any cluster's tokens.
            (
                role(json!({"role_type": "jwt", "bound_claims_type": "glob", "bound_claims": {"iss": "https://a*"}})),
                vec![],
                Part::None,
            ),
        ] {
            let remaining = Remaining { owners: remaining, ..Remaining::default() };
            assert_eq!(part(&document, &owner(Some("1")), &remaining), expected, "{document:?}");
        }
        let unmanaged_keys = Remaining { owners: vec![other], unmanaged_keys: true, any_form: false };
        let ours = bound(json!("https://a"));
        assert_eq!(part(&ours, &owner(Some("1")), &unmanaged_keys), Part::Shared(Shared::UnmanagedKeys));
        assert_eq!(part(&ours, &owner(None), &unmanaged_keys), Part::Exclusive);
        let any_form = Remaining { any_form: true, ..unmanaged_keys };
        assert_eq!(part(&ours, &owner(None), &any_form), Part::Shared(Shared::UnmanagedKeys));
    }

    #[test]
    fn why_a_role_stays() {
        assert_eq!(
            Shared::UnmanagedKeys.to_string(),
            "keys of no known owner are on the mount, and may be of a cluster with the same issuer"
        );
        assert_eq!(Shared::OtherOwner { owner: owner(Some("1")) }.to_string(), "https://a (cluster 1) uses it too");
    }
}
