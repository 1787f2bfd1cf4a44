//! Owns reading the clusters side by side. One that cannot be read is an
//! answer like any other.

use super::Ports;
use super::error::MemberError;
use super::input::{Scope, SyncInput};
use crate::cluster::{Cluster, Target};
use crate::command::chain::{self, Grounds, Member, grounds};
use crate::command::proof::{self, Unproven};
use crate::command::{Step, possession, ways};
use crate::issuer::resolve::resolve;
use crate::issuer::{KeySource, Resolved};
use crate::keychain::element::{Element, Mark};
use crate::keychain::evidence::Reached;
use crate::keychain::key::KeyId;
use crate::keychain::plan::{ChainPlan, KeyAction, authorities};
use crate::keychain::provenance::KeyProof;
use crate::vault::Config;
use crate::vault::role::DEFAULT_AUDIENCE;
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use shared::text::one_line;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Clusters read at a time. More would save little on two cores, and a
/// kubeconfig's exec plugin is a process each.
pub const AT_ONCE: usize = 16;

/// One cluster, as far as it could be read.
#[derive(Debug)]
pub struct Observed {
    /// The context; `None` for the cluster that flags or a pod name.
    pub context: Option<String>,
    /// What is known of it, or why nothing is.
    pub found: Result<Found, MemberError>,
}

/// A cluster that could be read.
#[derive(Debug)]
pub struct Found {
    /// Which cluster.
    pub target: Target,
    /// Its issuer, owner and keys.
    pub cluster: Resolved,
    /// Whether it is not on the mount and may be put on it.
    pub joins: bool,
    /// What a change of its keys rests on.
    pub grounds: Grounds,
}

impl Observed {
    /// Whether it is not on the mount and may be put on it.
    pub fn joins(&self) -> bool {
        self.found.as_ref().is_ok_and(|found| found.joins)
    }
}

/// Reads all clusters that `input` names, in the order named.
pub async fn clusters(ports: Ports<'_>, input: &SyncInput, mount: &Config) -> Vec<Observed> {
    let contexts: Vec<Option<String>> = match &input.scope {
        Scope::Current(_) => vec![None],
        Scope::Named(names) | Scope::All(names) => names.iter().cloned().map(Some).collect(),
    };
    let standing = chain::elements(mount.document.as_ref());
    let (total, done) = (contexts.len(), AtomicUsize::new(0));
    let one = |context: Option<String>| {
        let (standing, done) = (&standing, &done);
        async move {
            let found = cluster(ports, input, context.as_deref(), standing, mount).await;
            let context = context.or_else(|| input.scope.current());
            ports.progress.advance("clusters read", done.fetch_add(1, Ordering::Relaxed) + 1, total);
            Observed { context, found }
        }
    };
    ports.progress.advance("clusters read", 0, total);
    let observed: Vec<Observed> = stream::iter(contexts).map(one).buffered(AT_ONCE).collect().await;
    tell(ports, &observed);
    observed
}

async fn cluster(
    ports: Ports<'_>,
    input: &SyncInput,
    context: Option<&str>,
    standing: &[Element],
    mount: &Config,
) -> Result<Found, MemberError> {
    let api = ports.clusters.connect(context).await?;
    let cluster = resolve(api.as_ref(), ports.sources, &input.wishes).await?;
    let cluster = grounds::without_weak_keys(cluster, standing)?;
    let enrolled = standing.iter().any(|element| element.is_of(&cluster.owner));
    // For each context, before those of one owner are put together: a cluster
    // made from another's backup would hide behind the other's keys.
    chain::admission::refuse_discontinuity(&cluster, standing, input.terms.replace_keys)
        .map_err(|source| MemberError::Chain { mount: input.mount.clone(), source })?;
    let recorded = authorities(standing, &cluster.owner);
    let evidence = grounds::evidence(&cluster, api.reached(&recorded), &recorded);
    let mut grounds = Grounds::new(&cluster, evidence, recorded.clone(), api.way());
    let by_hand = |element: &Element| element.mark == Mark::None && element.id().is_some();
    let published = |element: &Element| cluster.keys.keys.iter().any(|key| Some(key.key.id()) == element.id());
    let unmanaged = standing.iter().any(|element| by_hand(element) && published(element));
    let adopts = input.terms.policy.adopt && unmanaged;
    let name = context.map(str::to_owned).or_else(|| api.target().context.clone());
    let name = name.unwrap_or_else(|| api.target().cluster.clone());
    let chain = |source| MemberError::Chain { mount: input.mount.clone(), source };
    let request = possession::Request {
        owner: &cluster.owner,
        elements: standing,
        reached: evidence.reached,
        nonce: &input.nonce,
    };
    // A newcomer's own keys are nobody else's.
    if adopts || (unmanaged && !enrolled && input.enroll) {
        grounds.adoptable = adoptable(ports, api.as_ref(), &cluster, request, adopts).await;
    }
    // Whose signing key stands there by hand is trusted already. A copy of
    // somebody else's public key shows nothing, nor does a token that was relayed.
    let known = |element: &Element| by_hand(element) && element.id().is_some_and(|id| grounds.adoptable.contains(&id));
    let joins = !enrolled && (input.enroll || (adopts && standing.iter().any(known)));
    // An enrolled cluster was verified when it was enrolled; the key that signs now must
    // be known before others are removed.
    if joins || (enrolled && input.terms.policy.prune) {
        grounds.signer = signer(ports, input, api.as_ref(), &cluster, joins && input.trust_issuer).await?;
    }
    let outlook = |grounds: &Grounds| {
        let member = Member { cluster: &cluster, name: &name, enrol: joins, grounds, recent: None };
        member.outlook(standing, mount.date.unwrap_or(input.now), input.terms.policy)
    };
    let mut plan = outlook(&grounds);
    // Only where something between could answer too, and there is something to change.
    let changes = plan.as_ref().map_or(true, ChainPlan::changes);
    if enrolled && evidence.reached == Reached::Indirect && changes {
        match possession::show(api.as_ref(), ports.progress, request).await {
            Ok(_) => grounds.evidence.possession = true,
            Err(why) => grounds.no_possession = Some(why),
        }
        grounds.evidence.possession |= input.trust_issuer && trusted(standing, &cluster);
    }
    // Another cluster that copied a key must not keep its owner from it.
    let withholds = plan.as_ref().is_ok_and(|plan| plan.count(KeyAction::Withhold) > 0);
    if enrolled && withholds && grounds.signer.is_none() {
        grounds.signer = signer(ports, input, api.as_ref(), &cluster, false).await.ok().flatten();
        plan = outlook(&grounds);
    }
    let mut ways = Vec::new();
    if joins {
        ways = ways::to_record(api.as_ref(), ports.progress, grounds.recordable(&name).map_err(chain)?).await;
    } else if evidence.reached == Reached::Direct {
        ways = ways::renewed(api.as_ref(), ports.progress, &recorded).await;
    }
    grounds.ensure_unchanged(&name, api.reached(&recorded), api.way().as_ref()).map_err(chain)?;
    if joins {
        grounds.enroll(&cluster, ways);
    } else {
        grounds.record = ways;
    }
    if enrolled {
        // For each context by itself, before those of one owner are put together: none
        // brings keys by another's evidence.
        let brings = plan.as_ref().map_or(true, grounds::brings_keys);
        grounds.check(&cluster, &name, standing, brings).map_err(chain)?;
    }
    Ok(Found { target: api.target().clone(), cluster, joins, grounds })
}

/// Whether the owner was enrolled without verification, so that the user's word can
/// stand in for a token again.
fn trusted(standing: &[Element], cluster: &Resolved) -> bool {
    let mut marks = standing.iter().filter_map(Element::provenance).filter(|mark| mark.owner == cluster.owner);
    marks.any(|mark| mark.proof == Some(KeyProof::Trusted))
}

/// Unmanaged keys that are known to be the cluster's: all that its issuer's site has,
/// else the one that signs tokens of kube-system.
async fn adoptable(
    ports: Ports<'_>,
    api: &dyn Cluster,
    cluster: &Resolved,
    request: possession::Request<'_>,
    adopts: bool,
) -> Vec<KeyId> {
    if cluster.source == KeySource::IssuerSite {
        return cluster.keys.keys.iter().map(|published| published.key.id()).collect();
    }
    match possession::signer(api, ports.progress, request, cluster.keys.keys.clone()).await {
        Ok(key) => vec![key],
        Err(why) => {
            let what = if adopts { "is adopted" } else { "counts as this cluster's" };
            ports.progress.step(Step::Skipped(format!("no unmanaged key {what}: {why}")));
            Vec::new()
        }
    }
}

/// The key that signed a fresh token; none where an unproven issuer is believed.
async fn signer(
    ports: Ports<'_>,
    input: &SyncInput,
    api: &dyn Cluster,
    cluster: &Resolved,
    trust_issuer: bool,
) -> Result<Option<KeyId>, MemberError> {
    let audiences = [DEFAULT_AUDIENCE.to_owned(), input.nonce.clone()];
    match proof::ask(api, ports.progress, cluster, &[], &audiences, Timestamp::now()).await {
        Ok(proven) => Ok(Some(proven.proof.key)),
        Err(Unproven::NoToken(_)) if trust_issuer => {
            proof::can_be_believed(cluster)?;
            ports.progress.step(Step::Warning(format!(
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

/// Keys that were left out, with the context they belong to.
fn tell(ports: Ports<'_>, observed: &[Observed]) {
    for Observed { context, found } in observed {
        let Ok(found) = found else { continue };
        for skipped in &found.cluster.keys.skipped {
            let of = context.as_deref().or(found.target.context.as_deref()).unwrap_or(&found.target.cluster);
            ports.progress.step(Step::Warning(format!("context \"{}\": {skipped}", one_line(of))));
        }
    }
}
