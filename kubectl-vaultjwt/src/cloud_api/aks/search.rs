//! Finds an AKS cluster: by its names, then by its API server's host, which no user can
//! choose. It never returns another cluster than the one that flags name.

use crate::cloud::aks::{AksCluster, AksName};
use crate::cloud_api::aks::arm::{Arm, ManagedCluster};
use crate::cloud_api::error::{CloudErrorKind, Refusal};
use shared::text::one_line;

pub(super) struct ClusterSearch<'a> {
    arm: &'a Arm,
    cluster: &'a AksCluster,
    tried: Vec<String>,
    trouble: Option<Refusal>,
    /// The one that a flag names, if it has another API server than the
    /// kubeconfig.
    another: Option<ManagedCluster>,
}

impl<'a> ClusterSearch<'a> {
    pub(super) fn new(arm: &'a Arm, cluster: &'a AksCluster) -> Self {
        Self { arm, cluster, tried: Vec::new(), trouble: None, another: None }
    }

    /// In the subscription where it most likely is: by name, which is one
    /// request, then among all.
    pub(super) async fn first(&mut self, subscription: &str) -> Option<ManagedCluster> {
        for name in &self.cluster.names {
            if let Some(found) = self.by_name(subscription, name).await {
                return Some(found);
            }
        }
        // Where the names are all that is known, and were asked for, a list has
        // no more to say.
        let open = self.cluster.fqdn.is_some() || self.cluster.names.is_empty();
        if open && self.cluster.wanted.whole().is_none() { self.among_all(subscription).await } else { None }
    }

    pub(super) async fn subscriptions(&mut self) -> Vec<String> {
        self.arm.subscriptions().await.unwrap_or_else(|refusal| {
            self.failed("the list of subscriptions", refusal);
            Vec::new()
        })
    }

    /// The cluster of this name, if the kubeconfig's server is its own. Behind a tunnel the
    /// name must suffice; it is verified later.
    async fn by_name(&mut self, subscription: &str, name: &AksName) -> Option<ManagedCluster> {
        match self.arm.managed_cluster(subscription, name).await {
            Ok(found) if self.is_there(&found) => return Some(found),
            Ok(found) => {
                self.tried.push(format!("{name}: has another API server"));
                self.rejected(found);
            }
            Err(refusal) => self.failed(&name.to_string(), refusal),
        }
        None
    }

    /// One list says of all its names at once.
    pub(super) async fn among_all(&mut self, subscription: &str) -> Option<ManagedCluster> {
        let way = format!("all clusters of subscription {}", one_line(subscription));
        let all = match self.arm.managed_clusters(subscription).await {
            Ok(all) => all,
            Err(refusal) => {
                self.failed(&way, refusal);
                return None;
            }
        };
        let total = all.len();
        let (mut there, elsewhere): (Vec<_>, Vec<_>) =
            all.into_iter().filter(|found| self.is_named(found)).partition(|found| self.is_there(found));
        if there.len() == 1 || (self.cluster.fqdn.is_some() && !there.is_empty()) {
            return Some(there.swap_remove(0));
        }
        match there.len() {
            0 if self.cluster.fqdn.is_some() => {
                let meant = if self.cluster.wanted.is_open() { "" } else { "with the names given " };
                self.tried.push(format!("{way}: none of {total} {meant}has this API server"));
            }
            0 => self.tried.push(format!("{way}: none of {total} has that name")),
            several => {
                let next = "say which with --azure-resource-group".to_owned();
                let words = format!("{several} clusters of subscription {} have that name", one_line(subscription));
                self.trouble = Some(Refusal { next: Some(next), ..Refusal::new(CloudErrorKind::Unknown, words) });
            }
        }
        elsewhere.into_iter().for_each(|found| self.rejected(found));
        None
    }

    /// Whether its names are those that flags, or without an API server to go
    /// by the kubeconfig, give the cluster.
    fn is_named(&self, found: &ManagedCluster) -> bool {
        let Some((_, name)) = found.names() else { return self.cluster.wanted.is_open() };
        let same = |known: &AksName| {
            known.name.eq_ignore_ascii_case(&name.name)
                && known.resource_group.eq_ignore_ascii_case(&name.resource_group)
        };
        let by_kubeconfig = self.cluster.fqdn.is_some() || self.cluster.wanted.name.is_some();
        self.cluster.wanted.takes(&name) && (by_kubeconfig || self.cluster.names.iter().any(same))
    }

    /// Whether the kubeconfig leads there, as far as it leads straight anywhere.
    fn is_there(&self, found: &ManagedCluster) -> bool {
        self.cluster.fqdn.as_ref().is_none_or(|host| found.hosts().contains(host))
    }

    /// What the kubeconfig's names mean is a guess; what a flag names is meant.
    fn rejected(&mut self, found: ManagedCluster) {
        if self.cluster.wanted.name.is_some() {
            self.another.get_or_insert(found);
        }
    }

    fn failed(&mut self, way: &str, refusal: Refusal) {
        let words = refusal.code.as_deref().unwrap_or(&refusal.words);
        self.tried.push(format!("{way}: {words}"));
        // That it is not where it was looked for says less than anything else.
        if self.trouble.as_ref().is_none_or(|known| known.trouble == CloudErrorKind::NotFound) {
            self.trouble = Some(refusal);
        }
    }

    /// What came of it, where nothing was found.
    pub(super) fn over(self) -> Result<ManagedCluster, Refusal> {
        let refusal = match (self.trouble, self.another) {
            (Some(refusal), _) if refusal.trouble != CloudErrorKind::NotFound => refusal,
            (_, Some(another)) => return Ok(another),
            (Some(refusal), None) => refusal,
            (None, None) if self.tried.is_empty() => Refusal::new(CloudErrorKind::Unknown, "no subscription is known"),
            (None, None) => {
                let words = match (&self.cluster.fqdn, self.cluster.wanted.is_open()) {
                    (Some(_), true) => "no cluster has this API server",
                    (Some(_), false) => "no cluster with the names given has this API server",
                    (None, _) => "no cluster has that name",
                };
                Refusal::new(CloudErrorKind::NotFound, words)
            }
        };
        // One way that failed is in the error itself.
        let tried = if self.tried.len() > 1 { self.tried } else { Vec::new() };
        Err(Refusal { tried, ..refusal })
    }
}
