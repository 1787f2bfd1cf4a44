//! What one context shows of its cluster: who answers, whether the cluster is to be
//! enrolled, and what a change of its keys rests on.

use super::error::MemberError;
use super::input::SyncInput;
use crate::cluster::Cluster;
use crate::command::chain::{ChainError, Change, Grounds, Member, grounds};
use crate::command::proof::{self, Unproven};
use crate::command::{Progress, Step, possession, ways};
use crate::issuer::{KeySource, Resolved};
use crate::keychain::action::KeyAction;
use crate::keychain::element::authorities;
use crate::keychain::element::{Element, Mark};
use crate::keychain::evidence::Reached;
use crate::keychain::key::KeyId;
use crate::keychain::plan::ChainPlan;
use crate::vault::role::DEFAULT_AUDIENCE;
use jiff::Timestamp;
use shared::text::one_line;

/// The mount as it was read.
#[derive(Clone, Copy)]
pub struct Mount<'a> {
    /// Its keys.
    pub standing: &'a [Element],
    /// Time of the plan, by the mount's server where it is told.
    pub now: Timestamp,
}

/// What a change of the cluster's keys rests on, and whether it is to be enrolled.
/// Requests no token where nothing changes.
pub async fn gather(
    progress: &dyn Progress,
    input: &SyncInput,
    api: &dyn Cluster,
    cluster: &Resolved,
    name: &str,
    mount: Mount<'_>,
) -> Result<Grounds, MemberError> {
    let (standing, policy) = (mount.standing, input.terms.policy);
    let chain = |source: ChainError| MemberError::Chain { mount: input.mount.clone(), source };
    let enrolled = standing.iter().any(|element| element.is_of(&cluster.owner));
    let recorded = authorities(standing, &cluster.owner);
    let evidence = grounds::evidence(cluster, api.reached(&recorded), &recorded);
    let mut grounds = Grounds::new(cluster, evidence, recorded.clone(), api.way());
    if input.terms.allow.same_issuer {
        grounds.unconfirmed.clear();
    }
    let request = possession::Request {
        owner: &cluster.owner,
        elements: standing,
        reached: evidence.reached,
        nonce: &input.nonce,
    };
    let by_hand = |element: &Element| element.mark == Mark::None && element.id().is_some();
    let published = |element: &Element| cluster.keys.keys.iter().any(|key| Some(key.key.id()) == element.id());
    let unmanaged = standing.iter().any(|element| by_hand(element) && published(element));
    let adopts = policy.adopt && unmanaged;
    // Who is checked as a newcomer: its own keys are nobody else's.
    let newcomer = (!enrolled && input.enroll) || input.terms.replace_keys || input.terms.clear_bound_issuer;
    if adopts || (unmanaged && newcomer) {
        grounds.adoptable = possession::adoptable(api, progress, request, cluster, adopts).await;
    }
    // Whose signing key stands there by hand is trusted already. A copy of
    // somebody else's public key shows nothing, nor does a token that was relayed.
    let known = |element: &Element| by_hand(element) && element.id().is_some_and(|id| grounds.adoptable.contains(&id));
    let claims = !enrolled && adopts && standing.iter().any(known);
    // Its issuer's site has those keys, whoever answers here.
    let claims = claims
        && (input.enroll
            || cluster.source != KeySource::IssuerSite
            || possession::signer(api, progress, request, cluster.keys.keys.clone()).await.is_ok());
    let joins = !enrolled && (input.enroll || claims);
    // An enrolled cluster was verified when it was enrolled; the key that signs now must
    // be known before others are removed.
    if joins || (enrolled && policy.prune) {
        grounds.signer = signer(progress, input, api, cluster, joins && input.trust_issuer).await?;
    }
    let outlook = |grounds: &Grounds| {
        let member = Member { cluster, name, enrol: joins, grounds, recent: None };
        member.outlook(standing, mount.now, policy)
    };
    let mut plan = outlook(&grounds);
    // Another cluster that copied a key must not keep its owner from it.
    let withholds = |plan: &ChainPlan| {
        // The key that signs is this cluster's, whether its key set can be read or not.
        let waits = cluster.no_witness.is_some() && plan.count(KeyAction::Wait) > 0;
        waits || plan.count(KeyAction::Withhold) > 0
    };
    let withholds = plan.as_ref().is_ok_and(withholds);
    if enrolled && withholds && grounds.signer.is_none() {
        grounds.signer = signer(progress, input, api, cluster, false).await.ok().flatten();
        plan = outlook(&grounds);
    }
    // Only where something between could answer too, and there is something to change.
    let changes = plan.as_ref().map_or(true, ChainPlan::changes);
    if enrolled && evidence.reached == Reached::Indirect && changes {
        match possession::show(api, progress, request).await {
            Ok(_) => grounds.evidence.possession = true,
            Err(why) => grounds.no_possession = Some(why),
        }
        grounds.evidence.possession |= input.trust_issuer && possession::is_trusted(standing, &cluster.owner);
    }
    let mut ways = Vec::new();
    if joins {
        ways = ways::to_record(api, progress, grounds.recordable(name).map_err(chain)?).await;
    } else if evidence.reached == Reached::Direct {
        ways = ways::renewed(api, progress, &cluster.owner, standing).await;
    }
    grounds.ensure_unchanged(name, api.reached(&recorded), api.way().as_ref(), joins).map_err(chain)?;
    if joins {
        grounds.enroll(cluster, ways);
    } else {
        grounds.record = ways;
    }
    if enrolled {
        // For each context by itself, before those of one owner are put together: none
        // brings keys by another's evidence.
        let brings = plan.as_ref().map_or(true, grounds::brings_keys);
        let change = if brings { Change::Keys } else { Change::Nothing };
        grounds.check(cluster, name, standing, change).map_err(chain)?;
    }
    Ok(grounds)
}

/// The key that signed a fresh token; none where an unproven issuer is believed.
async fn signer(
    progress: &dyn Progress,
    input: &SyncInput,
    api: &dyn Cluster,
    cluster: &Resolved,
    trust_issuer: bool,
) -> Result<Option<KeyId>, MemberError> {
    let audiences = [DEFAULT_AUDIENCE.to_owned(), input.nonce.clone()];
    match proof::ask(api, progress, cluster, &[], &audiences, Timestamp::now()).await {
        Ok(proven) => Ok(Some(proven.proof.key)),
        Err(Unproven::NoToken(_)) if trust_issuer => {
            proof::can_be_believed(cluster)?;
            progress.step(Step::Warning(format!(
                "the issuer \"{}\" is believed without proof (--trust-issuer)",
                one_line(&cluster.owner.issuer)
            )));
            Ok(None)
        }
        Err(Unproven::NoToken(why)) if input.terms.policy.prune && !input.enroll => {
            Err(MemberError::BlindPrune { why })
        }
        Err(unproven) => Err(unproven.into()),
    }
}
