//! Reads the clusters in parallel. A cluster that cannot be read is a result like any
//! other.

use crate::cluster::ClusterTarget;
use crate::command::Step;
use crate::command::mount::{self, Grounds, grounds};
use crate::command::sync::error::MemberError;
use crate::command::sync::evidence;
use crate::command::sync::input::{SyncInput, SyncPorts};
use crate::issuer::Resolved;
use crate::issuer::resolve::resolve;
use crate::keychain::element::{MountKey, authorities};
use crate::keychain::evidence::Reached;
use crate::vault::Config;
use futures_util::stream::{self, StreamExt as _};
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
    pub found: Result<Found, MemberError>,
}

#[derive(Debug)]
pub struct Found {
    pub target: ClusterTarget,
    pub cluster: Resolved,
    /// What a change of its keys rests on.
    pub grounds: Grounds,
}

impl Observed {
    /// Whether it is not on the mount and may be put on it.
    pub fn joins(&self) -> bool {
        self.found.as_ref().is_ok_and(|found| found.grounds.enrolls)
    }
}

/// What a context is called: by its name, or its cluster's.
pub fn name(context: Option<&str>, target: &ClusterTarget) -> String {
    context.or(target.context.as_deref()).unwrap_or(&target.cluster).to_owned()
}

/// Reads all clusters that `input` names, in the order named.
pub async fn clusters(ports: SyncPorts<'_>, input: &SyncInput, mount: &Config) -> Vec<Observed> {
    let contexts = input.scope.contexts();
    let standing = mount::elements(mount.document.as_ref());
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
    ports: SyncPorts<'_>,
    input: &SyncInput,
    context: Option<&str>,
    standing: &[MountKey],
    mount: &Config,
) -> Result<Found, MemberError> {
    let api = ports.clusters.connect(context).await?;
    let cluster = resolve(api.as_ref(), ports.sources, &input.overrides, &mount::owners(standing)).await?;
    let cluster = grounds::without_weak_keys(cluster, standing)?;
    let name = name(context, api.target());
    // For each context, before those of one owner are put together: a cluster
    // made from another's backup would hide behind the other's keys.
    // Over another way, that is what is wrong.
    let recorded = authorities(standing, &cluster.owner);
    if recorded.is_empty() || api.reached(&recorded) != Reached::Unrecorded {
        mount::admission::ensure_key_continuity(&cluster, &name, standing, input.options.replace_keys)
            .map_err(|source| MemberError::Chain { mount: input.mount.clone(), source })?;
    }
    let mount = evidence::Mount { standing, now: mount.date.unwrap_or(input.now) };
    let grounds = evidence::gather(ports.progress, input, api.as_ref(), &cluster, &name, mount).await?;
    Ok(Found { target: api.target().clone(), cluster, grounds })
}

/// Keys that were left out, with the context they belong to.
fn tell(ports: SyncPorts<'_>, observed: &[Observed]) {
    for Observed { context, found } in observed {
        let Ok(found) = found else { continue };
        let of = name(context.as_deref(), &found.target);
        if let (false, Some(why)) = (found.grounds.complete, &found.cluster.site_unused) {
            ports.progress.step(Step::Warning(format!(
                "context \"{}\": the keys are not changed, because the URL of issuer \"{}\" could not be read: {why}",
                one_line(&of),
                one_line(&found.cluster.owner.issuer)
            )));
        }
        for skipped in &found.cluster.keys.skipped {
            ports.progress.step(Step::Warning(format!("context \"{}\": {skipped}", one_line(&of))));
        }
    }
}
