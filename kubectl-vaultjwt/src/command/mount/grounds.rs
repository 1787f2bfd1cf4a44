//! What a change of one cluster's keys is based on: the evidence of this run, how new keys
//! are verified, and which ways are recorded. Pure.

use crate::command::mount::error::{Claim, EnrollmentError};
use crate::issuer::{CloudAnswer, IssuerError, KeySource, Resolved, is_a_clouds, is_managed};
use crate::keychain::Owner;
use crate::keychain::action::KeyAction;
use crate::keychain::authority::Authority;
use crate::keychain::element::{MountKey, authorities};
use crate::keychain::evidence::{Evidence, Form, KeyChange, Missing, Reached};
use crate::keychain::key_id::KeyId;
use crate::keychain::key_proof::KeyProof;
use crate::keychain::plan::KeyListPlan;
use crate::keychain::refresh::Absence;
use std::collections::HashSet;

/// What a change of one cluster's keys rests on.
#[derive(Clone, Debug)]
pub struct Grounds {
    /// Of this run. Not looked at for a cluster that is enrolled now.
    pub evidence: Evidence,
    /// The ways that were recorded when the connection was judged.
    pub seen: Vec<Authority>,
    pub enrolls: bool,
    /// How keys that come now are believed.
    pub proof: KeyProof,
    /// The key that signed a fresh token, where one was requested.
    pub signer: Option<KeyId>,
    /// The way that the API server was reached over.
    pub way: Option<Authority>,
    pub record: Vec<Authority>,
    /// Unmanaged keys that are known to be this cluster's.
    pub adoptable: Vec<KeyId>,
    /// Published keys that nothing shows to be this cluster's: only the issuer's URL
    /// has them.
    pub unconfirmed: Vec<KeyId>,
    /// Keys that the API server publishes, and the issuer's URL does not.
    pub also_published: Vec<KeyId>,
    /// Whether the place that this owner's keys are read at was read.
    pub complete: bool,
    /// Whether keys of the issuer's URL could not be compared with the API server's.
    pub blind: bool,
    /// The owner whose keys become this cluster's: the same cluster before its issuer, or
    /// the place that its keys are read at, changed.
    pub from: Option<Owner>,
    /// Whether this run continues because a person confirmed its way.
    pub confirmed: bool,
    /// Why no token of kube-system was had, where one was requested.
    pub no_possession: Option<String>,
}

/// What a plan changes of an enrolled cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Nothing,
    /// The recorded ways, and no key.
    Ways,
    Keys,
}

impl Change {
    pub fn of(plan: &KeyListPlan) -> Self {
        match (plan.changes_keys(), plan.changes()) {
            (true, _) => Self::Keys,
            (false, true) => Self::Ways,
            (false, false) => Self::Nothing,
        }
    }
}

impl Grounds {
    /// Of a cluster that was resolved; `evidence` is what the connection shows,
    /// compared with `seen`, the recorded ways.
    pub fn new(cluster: &Resolved, evidence: Evidence, seen: Vec<Authority>, way: Option<Authority>) -> Self {
        // Clusters can share the URL of a self-managed issuer, and the holder of one key
        // would log in as any of them.
        let may_be_shared = form(&cluster.owner) == Form::Issuer && cluster.source == KeySource::IssuerSite;
        let unconfirmed = match &cluster.api_keys_unread {
            _ if !may_be_shared => Vec::new(),
            Some(_) => cluster.keys.ids().collect(),
            None => cluster.difference.site_only.clone(),
        };
        Self {
            evidence,
            seen,
            enrolls: false,
            proof: proof(cluster, true),
            signer: None,
            way,
            record: Vec::new(),
            adoptable: Vec::new(),
            unconfirmed,
            also_published: cluster.difference.api_server_only.iter().map(|key| key.key.id()).collect(),
            // The issuer's URL, unless the owner has a UID or its cloud vouches for the API server.
            complete: cluster.source != KeySource::ApiServer || cluster.owner.cluster_uid.is_some() || vouched(cluster),
            blind: may_be_shared && cluster.api_keys_unread.is_some(),
            from: None,
            confirmed: false,
            no_possession: None,
        }
    }

    /// What it means that a key is not among the published ones.
    pub fn absence(&self) -> Absence<'_> {
        // The next key may wait: the one of before must not be retired meanwhile.
        let known = self.complete && !(self.blind && self.signer.is_none());
        if known { Absence::Gone { except: &self.also_published } } else { Absence::Unknown }
    }

    /// A cluster that is enrolled by this run, over `record`.
    pub fn enroll(&mut self, cluster: &Resolved, record: Vec<Authority>) {
        let unverified = self.signer.is_none() && cluster.source != KeySource::File;
        self.proof = if unverified { KeyProof::Trusted } else { proof(cluster, false) };
        self.enrolls = true;
        self.record = record;
    }

    /// Ways that this run records, on a person's word.
    pub fn record(&mut self, record: Vec<Authority>) {
        (self.evidence.reached, self.evidence.recorded) = (Reached::Direct, true);
        self.confirmed = true;
        self.record = record;
    }

    /// The way of this run, or why it cannot be recorded.
    pub fn recordable(&self, context: &str) -> Result<Authority, EnrollmentError> {
        match &self.way {
            Some(way) if way.is_recordable() => Ok(way.clone()),
            _ => Err(EnrollmentError::Unsteady { context: context.to_owned() }),
        }
    }

    /// Whether the connections that were made since agree with the judgment: a server
    /// that may answer one connection itself can pass the next one on. `records`: the
    /// way is recorded by this run, so that it must be the same too.
    pub fn ensure_unchanged(
        &self,
        context: &str,
        now: Reached,
        way: Option<&Authority>,
        records: bool,
    ) -> Result<(), EnrollmentError> {
        if now >= self.evidence.reached && (!records || way == self.way.as_ref()) {
            return Ok(());
        }
        Err(EnrollmentError::Unsteady { context: context.to_owned() })
    }

    /// Whether this context by itself may enroll the cluster, or change its keys.
    pub fn allows_changes(&self, owner: &Owner) -> bool {
        self.enrolls || form(owner).allows(KeyChange::ChangeKeys, self.evidence).is_ok()
    }

    /// Those of another context of the same cluster, in the same run.
    pub fn add(&mut self, other: &Self) {
        let (mine, theirs) = (&mut self.evidence, other.evidence);
        mine.reached = mine.reached.max(theirs.reached);
        mine.possession |= theirs.possession;
        mine.site |= theirs.site;
        mine.cloud |= theirs.cloud;
        self.signer = self.signer.or(other.signer);
        for way in &other.record {
            if !self.record.contains(way) {
                self.record.push(way.clone());
            }
        }
        self.adoptable.extend(&other.adoptable);
        // One context that confirms a key is enough; that a key is gone, all must agree on.
        self.unconfirmed.retain(|id| other.unconfirmed.contains(id));
        self.also_published.extend(&other.also_published);
        self.complete &= other.complete;
        self.blind &= other.blind;
    }

    /// The evidence against the ways that are recorded now: another run may have
    /// changed them after the connection was judged.
    fn evidence_now(&self, recorded: &[Authority]) -> Result<Evidence, EnrollmentError> {
        if self.enrolls {
            // Enrolled by this run's own write, which recorded the way; or by another
            // run, and then this context is one more that claims to be the cluster.
            let reached = match &self.way {
                Some(way) if recorded.contains(way) => way.reached(),
                _ if recorded.is_empty() => return Err(EnrollmentError::Meanwhile),
                _ => Reached::Unrecorded,
            };
            return Ok(Evidence { reached, recorded: true, ..self.evidence });
        }
        let lost = self.seen.iter().any(|way| !recorded.contains(way));
        // One that was added may be the way of this run.
        let gained = recorded.len() > self.seen.len() && self.evidence.reached != Reached::Direct;
        if lost || gained { Err(EnrollmentError::Meanwhile) } else { Ok(self.evidence) }
    }

    /// Whether the keys of `from` may become those of `cluster`, over this way.
    pub fn check_transfer(
        &self,
        cluster: &Resolved,
        name: &str,
        elements: &[MountKey],
        from: &Owner,
        replaced: bool,
    ) -> Result<(), EnrollmentError> {
        let recorded = authorities(elements, from);
        let evidence = self.evidence_now(&recorded)?;
        let step = if from.issuer == cluster.owner.issuer {
            KeyChange::ChangeForm
        } else {
            KeyChange::ChangeIssuer { replaced }
        };
        form(from).allows(step, evidence).map_err(|missing| {
            match self.refusal(missing, cluster, name, elements, from) {
                refusal if step == KeyChange::ChangeForm => refusal,
                EnrollmentError::NoPossession { claim, why } => EnrollmentError::CannotMove { claim, why: Some(why) },
                EnrollmentError::AnotherWay { claim, .. } | EnrollmentError::NoWay(claim) => {
                    EnrollmentError::CannotMove { claim, why: None }
                }
                refusal => refusal,
            }
        })
    }

    /// Whether the keys of an enrolled cluster may be checked over this way, and what `change`
    /// says be done.
    pub fn check(
        &self,
        cluster: &Resolved,
        name: &str,
        elements: &[MountKey],
        change: Change,
    ) -> Result<(), EnrollmentError> {
        let (form, owner) = (form(&cluster.owner), cluster.owner.clone());
        let evidence = match self.evidence_now(&authorities(elements, &owner)) {
            Ok(evidence) => evidence,
            Err(meanwhile) => return if change == Change::Nothing { Ok(()) } else { Err(meanwhile) },
        };
        let records = form != Form::Managed || self.enrolls;
        let another_way = records && evidence.recorded && evidence.reached == Reached::Unrecorded;
        let missing = match form.allows(KeyChange::ChangeKeys, evidence) {
            // Who answers comes before what is read.
            Err(Missing::Site) | Ok(()) if another_way => Missing::Way,
            Err(missing) => missing,
            Ok(()) => return Ok(()),
        };
        let needed = match change {
            Change::Nothing => another_way,
            // Where keys are read does not matter to how the cluster is reached.
            Change::Ways => another_way || missing != Missing::Site,
            Change::Keys => true,
        };
        if !needed {
            return Ok(());
        }
        Err(self.refusal(missing, cluster, name, elements, &owner))
    }

    /// What is missing, about `owner`.
    fn refusal(
        &self,
        missing: Missing,
        cluster: &Resolved,
        name: &str,
        elements: &[MountKey],
        owner: &Owner,
    ) -> EnrollmentError {
        let claim = Claim::new(name, elements, owner);
        match missing {
            Missing::Way | Missing::Word => {
                EnrollmentError::AnotherWay { claim, recorded: authorities(elements, owner) }
            }
            Missing::AnyWay => EnrollmentError::NoWay(claim),
            Missing::Possession => match self.no_possession.clone() {
                Some(why) => EnrollmentError::NoPossession { claim, why },
                // When the connection was judged, there was nothing to change.
                None => EnrollmentError::Meanwhile,
            },
            Missing::Site => EnrollmentError::NoSite {
                context: claim.context,
                owner: claim.owner,
                why: cluster.site_unused.as_ref().map(ToString::to_string).unwrap_or_default(),
            },
        }
    }
}

/// What an owner's name is made of.
pub fn form(owner: &Owner) -> Form {
    match &owner.cluster_uid {
        Some(_) => Form::IssuerAndCluster,
        None if is_managed(&owner.issuer) => Form::Managed,
        None => Form::Issuer,
    }
}

/// What `cluster`'s connection and sources show about its owner, before any token.
pub fn evidence(cluster: &Resolved, reached: Reached, recorded: &[Authority]) -> Evidence {
    Evidence {
        reached,
        recorded: !recorded.is_empty(),
        possession: false,
        site: cluster.source == KeySource::IssuerSite,
        cloud: vouched(cluster),
    }
}

/// Whether the cloud vouches for the API server that published the keys.
fn vouched(cluster: &Resolved) -> bool {
    cluster.source == KeySource::ApiServer
        && cluster.owner.cluster_uid.is_none()
        && is_a_clouds(&cluster.owner.issuer)
        && matches!(cluster.cloud, CloudAnswer::Confirmed(_))
}

/// How the keys of `cluster` are believed that sign no token: at enrollment they are
/// only listed, later they come over a recorded way.
pub fn proof(cluster: &Resolved, enrolled: bool) -> KeyProof {
    match cluster.source {
        KeySource::IssuerSite => KeyProof::Site,
        KeySource::ApiServer if vouched(cluster) => KeyProof::Cloud,
        KeySource::ApiServer if enrolled => KeyProof::Way,
        KeySource::ApiServer => KeyProof::Listed,
        KeySource::File => KeyProof::File,
    }
}

/// The cluster without keys whose private key can be computed. Those that the mount
/// has for it were checked when they came, and the check costs milliseconds each.
pub fn without_weak_keys(mut cluster: Resolved, elements: &[MountKey]) -> Result<Resolved, IssuerError> {
    let ours: HashSet<KeyId> =
        elements.iter().filter(|element| element.is_of(&cluster.owner)).filter_map(MountKey::id).collect();
    let known = |id: KeyId| ours.contains(&id);
    match cluster.keys.without_weak(&known) {
        Ok(keys) => {
            cluster.keys = keys;
            Ok(cluster)
        }
        Err(source) if cluster.source == KeySource::IssuerSite => {
            Err(IssuerError::SiteKeys { issuer: cluster.owner.issuer, source })
        }
        Err(source) => Err(IssuerError::ApiKeys(source)),
    }
}

/// Whether a plan brings keys for the owner that the mount has not, or has as retired.
pub fn brings_keys(plan: &KeyListPlan) -> bool {
    [KeyAction::Add, KeyAction::Adopt, KeyAction::Return].into_iter().any(|action| plan.count(action) > 0)
}
