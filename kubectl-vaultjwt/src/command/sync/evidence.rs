//! What one context shows of its cluster: which server answers, whether the cluster is to
//! be enrolled, and what a change of its keys is based on.

use crate::cluster::Cluster;
use crate::command::mount::{Change, EnrollmentError, Grounds, Member, grounds};
use crate::command::prove_issuer::{self, IssuerProofError};
use crate::command::sync::error::MemberError;
use crate::command::sync::input::SyncInput;
use crate::command::{Progress, Step, possession, ways};
use crate::issuer::{KeySource, Resolved};
use crate::keychain::action::KeyAction;
use crate::keychain::element::{Management, MountKey, authorities};
use crate::keychain::evidence::Reached;
use crate::keychain::key_id::KeyId;
use crate::keychain::plan::KeyListPlan;
use jiff::Timestamp;
use shared::jwt::DEFAULT_AUDIENCE;
use shared::text::one_line;

#[derive(Clone, Copy)]
pub struct Mount<'a> {
    pub standing: &'a [MountKey],
    /// Time of the plan, by the mount's server where it sends it.
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
    let (standing, policy) = (mount.standing, input.options.policy);
    let chain = |source: EnrollmentError| MemberError::Chain { mount: input.mount.clone(), source };
    let enrolled = standing.iter().any(|element| element.is_of(&cluster.owner));
    let recorded = authorities(standing, &cluster.owner);
    let evidence = grounds::evidence(cluster, api.reached(&recorded), &recorded);
    let mut grounds = Grounds::new(cluster, evidence, recorded.clone(), api.way());
    if input.options.allow.same_issuer {
        grounds.unconfirmed.clear();
    }
    let request = possession::PossessionRequest {
        owner: &cluster.owner,
        elements: standing,
        reached: evidence.reached,
        nonce: &input.nonce,
    };
    let by_hand = |element: &MountKey| element.management == Management::Unmanaged && element.id().is_some();
    let published = |element: &MountKey| cluster.keys.keys.iter().any(|key| Some(key.key.id()) == element.id());
    let unmanaged = standing.iter().any(|element| by_hand(element) && published(element));
    let adopts = policy.adopt && unmanaged;
    // Checked as a cluster that is not enrolled: its own keys are not another's.
    let new_cluster = (!enrolled && input.enroll) || input.options.replace_keys || input.options.clear_bound_issuer;
    if adopts || (unmanaged && new_cluster) {
        grounds.adoptable = possession::adoptable(api, progress, request, cluster, adopts).await;
    }
    // A signing key that was added by hand is trusted already. A copy of
    // another cluster's public key shows nothing, nor does a token that was relayed.
    let known = |element: &MountKey| by_hand(element) && element.id().is_some_and(|id| grounds.adoptable.contains(&id));
    let claims = !enrolled && adopts && standing.iter().any(known);
    // Its issuer's site has those keys, whichever server answers here.
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
        let member = Member { cluster, name, enroll: joins, grounds, recent: None };
        member.outlook(standing, mount.now, policy)
    };
    let mut plan = outlook(&grounds);
    // Another cluster that copied a key must not keep its owner from it.
    let withholds = |plan: &KeyListPlan| {
        // The key that signs is this cluster's, whether its key set can be read or not.
        let waits = cluster.api_keys_unread.is_some() && plan.count(KeyAction::Wait) > 0;
        waits || plan.count(KeyAction::Withhold) > 0
    };
    let withholds = plan.as_ref().is_ok_and(withholds);
    if enrolled && withholds && grounds.signer.is_none() {
        grounds.signer = signer(progress, input, api, cluster, false).await.ok().flatten();
        plan = outlook(&grounds);
    }
    // Only where something between could answer too, and there is something to change.
    let changes = plan.as_ref().map_or(true, KeyListPlan::changes);
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
    match prove_issuer::ask(api, progress, cluster, &[], &audiences, Timestamp::now()).await {
        Ok(proven) => Ok(Some(proven.proof.key)),
        Err(IssuerProofError::NoToken(_)) if trust_issuer => {
            prove_issuer::can_be_believed(cluster)?;
            progress.step(Step::Warning(format!(
                "the issuer \"{}\" is believed without proof (--trust-issuer)",
                one_line(&cluster.owner.issuer)
            )));
            Ok(None)
        }
        Err(IssuerProofError::NoToken(why)) if input.options.policy.prune && !input.enroll => {
            Err(MemberError::BlindPrune { why })
        }
        Err(unproven) => Err(unproven.into()),
    }
}
