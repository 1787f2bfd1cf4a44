//! What a change of one cluster's keys rests on: the evidence of this run, how new
//! keys come to be believed, and which ways are recorded. Pure.

use super::ChainError;
use crate::issuer::{CloudWord, IssuerError, KeySource, Resolved, is_managed};
use crate::keychain::Owner;
use crate::keychain::authority::Authority;
use crate::keychain::element::Element;
use crate::keychain::evidence::{Evidence, Form, Missing, Reached, Step};
use crate::keychain::key::KeyId;
use crate::keychain::plan::{ChainPlan, KeyAction, authorities};
use crate::keychain::provenance::{KeyProof, Provenance};
use std::collections::HashSet;

/// What a change of one cluster's keys rests on.
#[derive(Clone, Debug)]
pub struct Grounds {
    /// Of this run. Not looked at for a cluster that is enrolled now.
    pub evidence: Evidence,
    /// The ways that were recorded when the connection was judged.
    pub seen: Vec<Authority>,
    /// Whether this run enrolls the cluster.
    pub enrolls: bool,
    /// How keys that come now are believed.
    pub proof: KeyProof,
    /// The key that signed a fresh token, where one was requested.
    pub signer: Option<KeyId>,
    /// The way that the API server was reached over.
    pub way: Option<Authority>,
    /// Ways to record.
    pub record: Vec<Authority>,
    /// Unmanaged keys that are known to be this cluster's.
    pub adoptable: Vec<KeyId>,
    /// Why no token of kube-system was had, where one was requested.
    pub no_possession: Option<String>,
}

impl Grounds {
    /// Of a cluster that was resolved; `evidence` is what the connection shows,
    /// compared with `seen`, the recorded ways.
    pub fn new(cluster: &Resolved, evidence: Evidence, seen: Vec<Authority>, way: Option<Authority>) -> Self {
        Self {
            evidence,
            seen,
            enrolls: false,
            proof: proof(cluster, true),
            signer: None,
            way,
            record: Vec::new(),
            adoptable: Vec::new(),
            no_possession: None,
        }
    }

    /// A cluster that is enrolled by this run, over `record`.
    pub fn enroll(&mut self, cluster: &Resolved, record: Vec<Authority>) {
        self.proof = if self.signer.is_none() { KeyProof::Trusted } else { proof(cluster, false) };
        self.enrolls = true;
        self.record = record;
    }

    /// Ways that this run records, on a person's word.
    pub fn record(&mut self, record: Vec<Authority>) {
        (self.evidence.reached, self.evidence.recorded) = (Reached::Direct, true);
        self.record = record;
    }

    /// The way of this run, or why it cannot be recorded.
    pub fn recordable(&self, context: &str) -> Result<Authority, ChainError> {
        match &self.way {
            Some(way) if way.is_recordable() => Ok(way.clone()),
            _ => Err(ChainError::Unsteady { context: context.to_owned() }),
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
    ) -> Result<(), ChainError> {
        if now >= self.evidence.reached && (!records || way == self.way.as_ref()) {
            return Ok(());
        }
        Err(ChainError::Unsteady { context: context.to_owned() })
    }

    /// Whether this context by itself may enroll the cluster, or change its keys.
    pub fn allows_changes(&self, owner: &Owner) -> bool {
        self.enrolls || form(owner).allows(Step::ChangeKeys, self.evidence).is_ok()
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
    }

    /// The evidence against the ways that are recorded now: another run may have
    /// changed them after the connection was judged.
    fn evidence_now(&self, recorded: &[Authority]) -> Result<Evidence, ChainError> {
        if self.enrolls {
            // Enrolled by this run's own write, which recorded the way; or by another
            // run, and then this context is one more that claims to be the cluster.
            let reached = match &self.way {
                Some(way) if recorded.contains(way) => way.reached(),
                _ if recorded.is_empty() => return Err(ChainError::Meanwhile),
                _ => Reached::Unrecorded,
            };
            return Ok(Evidence { reached, recorded: true, ..self.evidence });
        }
        let lost = self.seen.iter().any(|way| !recorded.contains(way));
        // One that was added may be the way of this run.
        let gained = recorded.len() > self.seen.len() && self.evidence.reached != Reached::Direct;
        if lost || gained { Err(ChainError::Meanwhile) } else { Ok(self.evidence) }
    }

    /// Whether the keys of an enrolled cluster may be looked at over this way, and,
    /// where `changes`, be changed.
    pub fn check(&self, cluster: &Resolved, name: &str, elements: &[Element], changes: bool) -> Result<(), ChainError> {
        let (form, owner) = (form(&cluster.owner), cluster.owner.clone());
        let recorded = authorities(elements, &owner);
        let evidence = match self.evidence_now(&recorded) {
            Ok(evidence) => evidence,
            Err(meanwhile) => return if changes { Err(meanwhile) } else { Ok(()) },
        };
        let records = form != Form::Managed || self.enrolls;
        let another_way = records && evidence.recorded && evidence.reached == Reached::Unrecorded;
        let missing = match form.allows(Step::ChangeKeys, evidence) {
            Err(missing) => missing,
            Ok(()) if another_way => Missing::Way,
            Ok(()) => return Ok(()),
        };
        if !changes && !another_way {
            return Ok(());
        }
        let enrolled = enrolled_name(elements, &owner);
        Err(match missing {
            Missing::Way | Missing::Word => {
                ChainError::AnotherWay { context: name.to_owned(), enrolled, recorded, way: self.way.clone(), owner }
            }
            Missing::AnyWay => ChainError::NoWay { context: name.to_owned(), enrolled, owner },
            Missing::Possession => match self.no_possession.clone() {
                Some(why) => ChainError::NoPossession { context: name.to_owned(), enrolled, owner, why },
                // When the connection was judged, there was nothing to change.
                None => ChainError::Meanwhile,
            },
            Missing::Site => ChainError::NoSite {
                owner,
                why: cluster.site_unused.as_ref().map(ToString::to_string).unwrap_or_default(),
            },
        })
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
        && matches!(cluster.cloud, CloudWord::Confirmed(_))
}

/// How the keys of `cluster` are believed that sign no token: at enrollment they are
/// only listed, later they come over a recorded way.
pub fn proof(cluster: &Resolved, enrolled: bool) -> KeyProof {
    match cluster.source {
        KeySource::IssuerSite => KeyProof::Site,
        KeySource::ApiServer if vouched(cluster) => KeyProof::Cloud,
        KeySource::ApiServer if enrolled => KeyProof::Way,
        KeySource::ApiServer => KeyProof::Listed,
    }
}

/// The cluster without keys whose private key can be computed. Those that the mount
/// has for it were checked when they came, and the check costs milliseconds each.
pub fn without_weak_keys(mut cluster: Resolved, elements: &[Element]) -> Result<Resolved, IssuerError> {
    let ours: HashSet<KeyId> =
        elements.iter().filter(|element| element.is_of(&cluster.owner)).filter_map(Element::id).collect();
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
pub fn brings_keys(plan: &ChainPlan) -> bool {
    [KeyAction::Add, KeyAction::Adopt, KeyAction::Return].into_iter().any(|action| plan.count(action) > 0)
}

/// The name that the owner's newest key was added under, for messages.
pub fn enrolled_name(elements: &[Element], owner: &Owner) -> String {
    let marks = elements.iter().filter_map(Element::provenance).filter(|mark| mark.owner == *owner);
    let newest = marks.reduce(|newest, mark| if mark.added > newest.added { mark } else { newest });
    newest.map(|mark: &Provenance| mark.cluster.clone()).unwrap_or_default()
}
