//! Which ways to a cluster are recorded: that of this run when the cluster is
//! enrolled, and a renewed authority while the old one still vouches.

use crate::cluster::Cluster;
use crate::command::{Progress, Step};
use crate::keychain::Owner;
use crate::keychain::authority::{AUTHORITIES_AT_MOST, Authority, AuthorityId};
use crate::keychain::element::{MountKey, authorities};
use std::collections::HashSet;

/// Authorities of pods that one enrollment records: one, and its successor.
const POD_AUTHORITIES: usize = 2;

/// What to record for a cluster that is enrolled over `way`, that of this run: it,
/// and what the cluster's pods trust, where that may be read.
pub async fn to_record(cluster: &dyn Cluster, progress: &dyn Progress, way: Authority) -> Vec<Authority> {
    let of_pods = of_pods(cluster, progress).await.into_iter().map(|id| Authority::Pod { id });
    each_once(std::iter::once(way).chain(of_pods))
}

/// In the order of their first.
fn each_once(all: impl Iterator<Item = Authority>) -> Vec<Authority> {
    let mut ways = Vec::new();
    for way in all {
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    ways
}

async fn of_pods(cluster: &dyn Cluster, progress: &dyn Progress) -> Vec<AuthorityId> {
    match cluster.root_authorities().await {
        Ok(mut ids) => {
            ids.truncate(POD_AUTHORITIES);
            ids
        }
        Err(why) => {
            progress.step(Step::Detail(format!("the authority of the cluster's pods is not recorded: {why}")));
            Vec::new()
        }
    }
}

/// Further authorities of a cluster that is reached directly: those that both the
/// kubeconfig and the cluster's own ConfigMap have beside the recorded one. So a
/// certificate authority can be renewed with overlap. Not for a name that stands for
/// another owner of the mount: the second owner could take over the other's next way.
pub async fn renewed(
    cluster: &dyn Cluster,
    progress: &dyn Progress,
    owner: &Owner,
    standing: &[MountKey],
) -> Vec<Authority> {
    let recorded = &authorities(standing, owner);
    let others: HashSet<&str> = standing
        .iter()
        .filter_map(MountKey::provenance)
        .filter(|mark| mark.owner != *owner)
        .flat_map(|mark| &mark.authorities)
        .filter_map(|way| if let Authority::Direct { name, .. } = way { Some(name.as_str()) } else { None })
        .collect();
    let others = &others;
    let wanted = |id: AuthorityId| {
        let names = recorded.iter().filter_map(move |way| match (way, cluster.way()?) {
            (Authority::Direct { name, .. }, Authority::Direct { .. }) if !others.contains(name.as_str()) => {
                Some(Authority::Direct { id, name: name.clone() })
            }
            (Authority::Pod { .. }, Authority::Pod { .. }) => Some(Authority::Pod { id }),
            _ => None,
        });
        names.filter(|way| !recorded.contains(way))
    };
    let further: Vec<AuthorityId> = cluster.trusted().into_iter().filter(|id| wanted(*id).next().is_some()).collect();
    if further.is_empty() {
        return Vec::new();
    }
    let published = of_pods(cluster, progress).await;
    let mut ways = each_once(further.into_iter().filter(|id| published.contains(id)).flat_map(wanted));
    // What does not fit must not keep the keys from being refreshed.
    ways.truncate(AUTHORITIES_AT_MOST.saturating_sub(recorded.len()));
    ways
}
