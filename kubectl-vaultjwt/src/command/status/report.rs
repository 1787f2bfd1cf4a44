//! What a mount's configuration says about its keys, as one document. Pure.

use crate::command::mount;
use crate::command::mount::grounds::form;
use crate::command::report::VaultLocation;
use crate::command::status::StatusError;
use crate::issuer::rotation_policy::{self, Rotation};
use crate::keychain::Owner;
use crate::keychain::element::{Management, MountKey, authorities};
use crate::keychain::evidence::Form;
use crate::keychain::freshness::Freshness;
use crate::keychain::key_proof::KeyProof;
use crate::keychain::provenance::{Provenance, time_text};
use crate::vault::Document;
use crate::vault::mount::config::{ALGORITHMS, BOUND_ISSUER, ConfigConflict, KEYS, StaticKeys};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use shared::mount::MountPath;
use shared::text::one_line;

/// The report of `status`; its JSON form is what `-o json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    #[serde(flatten)]
    pub vault: VaultLocation,
    /// When it was read: by Vault's clock, where it sends the time.
    pub read_at: String,
    /// The one issuer that every token must carry, where one is set.
    pub bound_issuer: Option<String>,
    /// Algorithms that are taken; empty means all.
    pub supported_algorithms: Vec<String>,
    /// Where Vault gets the keys itself, where it does.
    pub key_source: Option<KeySourceField>,
    /// Why commands that change keys refuse this mount, where they do.
    pub not_writable: Option<String>,
    pub owners: Vec<OwnerReport>,
    /// The keys, in the order in which Vault tries them.
    pub keys: Vec<MountKeyReport>,
    /// Clusters that are, or may be, copies of each other.
    pub copies: Vec<CopyReport>,
}

/// Two clusters of which one is, or may be, a copy of the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyReport {
    pub owner: Owner,
    pub other: Owner,
    /// The key that both are known to have; `null` where only their UID is the same.
    pub key: Option<String>,
}

impl CopyReport {
    /// All pairs among `elements`, each once.
    fn all(elements: &[MountKey]) -> Vec<Self> {
        let managed: Vec<(&MountKey, &Provenance)> =
            elements.iter().filter_map(|element| Some((element, element.provenance()?))).collect();
        let mut copies: Vec<Self> = Vec::new();
        for (at, (element, mark)) in managed.iter().enumerate() {
            for (other, theirs) in managed.iter().skip(at + 1).filter(|(_, theirs)| theirs.owner != mark.owner) {
                let both = element.id().is_some() && element.id() == other.id() && mark.is_own() && theirs.is_own();
                let uid = mark.owner.cluster_uid.is_some() && mark.owner.cluster_uid == theirs.owner.cluster_uid;
                let pair = [&mark.owner, &theirs.owner];
                let told = |copy: &Self| pair.contains(&&copy.owner) && pair.contains(&&copy.other);
                if !both && !uid {
                    continue;
                }
                let key = both.then(|| mark.kid().or_else(|| element.id().map(|id| id.to_string()))).flatten();
                match copies.iter_mut().find(|copy| told(copy)) {
                    Some(copy) => copy.key = copy.key.take().or(key),
                    None => copies.push(Self { owner: mark.owner.clone(), other: theirs.owner.clone(), key }),
                }
            }
        }
        copies
    }
}

/// A field of the configuration that names where keys come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeySourceField {
    pub field: &'static str,
    pub value: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReport {
    #[serde(flatten)]
    pub owner: Owner,
    pub keys: usize,
    /// How its issuer replaces them, where that is known.
    pub rotation: Option<Rotation>,
    pub freshness: Option<Freshness>,
    /// The recorded ways to it, over which its keys may change; empty where an earlier
    /// version enrolled it.
    pub authorities: Vec<String>,
}

impl OwnerReport {
    fn new(owner: &Owner, elements: &[MountKey]) -> Self {
        Self {
            owner: owner.clone(),
            keys: elements.iter().filter(|element| element.is_of(owner)).count(),
            rotation: rotation_policy::of(&owner.issuer),
            freshness: Freshness::of(elements, owner),
            authorities: authorities(elements, owner).iter().map(ToString::to_string).collect(),
        }
    }

    /// Whether its keys can change only after a way to it is recorded.
    pub fn lacks_a_way(&self) -> bool {
        self.authorities.is_empty() && form(&self.owner) != Form::Managed
    }

    /// Whether its keys become outdated: its issuer replaces them, and no refresh came for
    /// longer than that. Where the interval is not known, any earlier refresh is expected to
    /// come again.
    pub fn rots(&self, now: Timestamp) -> bool {
        let (Some(rotation), Some(freshness)) = (self.rotation, &self.freshness) else { return false };
        match freshness {
            Freshness::Vault => false,
            Freshness::Nothing { .. } => true,
            Freshness::Sync { .. } => {
                let days = rotation.every_days.map(|days| i64::from(days) + 1);
                let age = freshness.time().map(|time| now.duration_since(time).as_hours() / 24);
                matches!((age, days), (Some(age), Some(days)) if age > days)
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Managed, and published when it was last checked.
    Active,
    /// Managed, and no longer published.
    Retired,
    /// Without provenance.
    Foreign,
    /// With provenance that cannot be read.
    Unreadable,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MountKeyReport {
    pub state: State,
    /// Why its provenance cannot be read, where it cannot.
    pub why: Option<String>,
    /// Name of the cluster, for people.
    pub cluster: Option<String>,
    pub issuer: Option<String>,
    /// UID of the cluster, where it is part of the owner.
    pub cluster_uid: Option<String>,
    /// kid, where the issuer names one.
    pub kid: Option<String>,
    /// Algorithm, where the issuer names one.
    pub alg: Option<String>,
    /// Kind and size: `RSA-2048`, `P-256`, `Ed25519`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// SHA-256 of the SPKI, base64url; `null` where no key can be read.
    pub fingerprint: Option<String>,
    pub added: Option<String>,
    /// When its issuer was first seen without it.
    pub retired: Option<String>,
    /// How it came to be believed; `null` where an earlier version added it.
    pub proof: Option<KeyProof>,
}

impl StatusReport {
    /// What `document` says; `None` where nothing is configured.
    pub fn new(
        vault: VaultLocation,
        mount: &MountPath,
        document: Option<&Document>,
        now: Timestamp,
    ) -> Result<Self, StatusError> {
        // Every mount of the type returns the field, empty or not.
        if document.is_some_and(|document| !document.contains_key(KEYS)) {
            return Err(StatusError::NotJwt { mount: mount.clone() });
        }
        let conflict = StaticKeys::read(document).err();
        let not_writable = conflict.as_ref().map(ToString::to_string);
        let key_source = match conflict {
            Some(ConfigConflict::Shape) => return Err(StatusError::Shape { mount: mount.clone() }),
            Some(ConfigConflict::OtherSource { field, value }) => Some(KeySourceField { field, value }),
            _ => None,
        };
        let field = |name: &str| document.and_then(|d| d.get(name));
        let algorithms = field(ALGORITHMS).and_then(Value::as_array).into_iter().flatten();
        let bound = field(BOUND_ISSUER).and_then(Value::as_str).filter(|issuer| !issuer.is_empty());
        let elements = mount::elements(document);
        Ok(Self {
            vault,
            read_at: time_text(now),
            bound_issuer: bound.map(str::to_owned),
            supported_algorithms: algorithms.filter_map(Value::as_str).map(str::to_owned).collect(),
            key_source,
            not_writable,
            owners: mount::owners(&elements).iter().map(|owner| OwnerReport::new(owner, &elements)).collect(),
            keys: elements.iter().map(MountKeyReport::of).collect(),
            copies: CopyReport::all(&elements),
        })
    }

    pub fn count(&self, state: State) -> usize {
        self.keys.iter().filter(|key| key.state == state).count()
    }
}

impl MountKeyReport {
    fn of(element: &MountKey) -> Self {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let mark = element.provenance();
        let (state, why) = match &element.management {
            Management::Unmanaged => (State::Foreign, None),
            Management::Unreadable(why) => (State::Unreadable, Some(one_line(why))),
            Management::Managed(mark) if mark.retired.is_some() => (State::Retired, None),
            Management::Managed(_) => (State::Active, None),
        };
        Self {
            state,
            why,
            cluster: mark.and_then(|mark| some(&mark.cluster)),
            issuer: mark.map(|mark| mark.owner.issuer.clone()),
            cluster_uid: mark.and_then(|mark| mark.owner.cluster_uid.clone()),
            kid: mark.and_then(Provenance::kid),
            alg: mark.and_then(|mark| some(&mark.alg)),
            kind: element.key.as_ref().map(|key| key.kind().to_string()),
            fingerprint: element.id().map(|id| id.to_string()),
            added: mark.map(|mark| mark.added.clone()),
            retired: mark.and_then(|mark| mark.retired.clone()),
            proof: mark.and_then(|mark| mark.proof),
        }
    }
}
