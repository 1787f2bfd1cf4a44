//! Collects what points to a cloud, the strongest evidence first.

use crate::cloud::aks::{self, AksCluster};
use crate::cloud::eks::{self, EksCluster};
use crate::cloud::gke::{self, GkeCluster};
use crate::cloud::kubeconfig_entry::{Entry, host};
use serde::Serialize;
use shared::text::one_line;
use std::fmt;

/// Where a piece was found. What comes first counts more: a host name cannot be
/// chosen, the tools write arguments and the cluster entry for themselves, and
/// names are for people, who change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    Flag,
    /// The host of `server`.
    Server,
    /// `tls-server-name`: the server behind a tunnel.
    TlsServerName,
    /// The cluster entry's name, where it is an ARN.
    ClusterArn,
    ExecPlugin,
    AuthProvider,
    UserName,
    ClusterName,
    ContextName,
}

impl Source {
    /// In the words of a kubeconfig.
    pub fn words(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Server => "server",
            Self::TlsServerName => "tls-server-name",
            Self::ClusterArn | Self::ClusterName => "cluster entry",
            Self::ExecPlugin => "exec plugin",
            Self::AuthProvider => "auth provider",
            Self::UserName => "user entry",
            Self::ContextName => "context name",
        }
    }

    /// Whether it is a mere name, which any user may have changed.
    pub fn is_a_name(self) -> bool {
        self >= Self::UserName
    }
}

/// `--cloud`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    Eks,
    Aks,
    Gke,
    Generic,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloudClaim {
    Eks(EksCluster),
    Aks(AksCluster),
    Gke(GkeCluster),
    /// None of the clouds, but a tool that is known.
    Other(&'static str),
}

impl CloudClaim {
    pub fn cloud(&self) -> Option<Cloud> {
        match self {
            Self::Eks(_) => Some(Cloud::Eks),
            Self::Aks(_) => Some(Cloud::Aks),
            Self::Gke(_) => Some(Cloud::Gke),
            Self::Other(_) => None,
        }
    }

    /// The name people have for it.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Eks(_) => "EKS",
            Self::Aks(_) => "AKS",
            Self::Gke(_) => "GKE",
            Self::Other(tool) => tool,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudEvidence {
    pub source: Source,
    /// What is written there. Never a credential.
    pub found: String,
    pub claim: CloudClaim,
}

impl fmt::Display for CloudEvidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} \"{}\" ({})", self.source.words(), one_line(&self.found), self.claim.words())
    }
}

/// Everything in `entry` that points somewhere, the strongest first.
pub fn collect(entry: &Entry) -> Vec<CloudEvidence> {
    let mut all = Vec::new();
    let mut add = |source, found: &str, claim: Option<CloudClaim>| {
        all.extend(claim.map(|claim| CloudEvidence { source, found: found.to_owned(), claim }));
    };
    let gateway = entry.host().is_some_and(|host| gke::is_connect_gateway(&host));
    if let Some(host) = entry.host() {
        add(Source::Server, &host, of_host(&host).or_else(|| path_of_rancher(&entry.server)));
    }
    if let Some(name) = &entry.tls_server_name {
        let name = name.to_ascii_lowercase();
        add(Source::TlsServerName, &name, of_host(name.trim_end_matches('.')));
    }
    if let Some(cluster) = &entry.cluster {
        add(Source::ClusterArn, cluster, eks::arn(cluster).map(CloudClaim::Eks));
    }
    if let Some(exec) = &entry.exec {
        let claim = (eks::exec(exec).map(CloudClaim::Eks))
            .or_else(|| aks::exec(exec).map(CloudClaim::Aks))
            .or_else(|| gke::exec(exec).filter(|_| !gateway).map(CloudClaim::Gke));
        add(Source::ExecPlugin, &exec.shown(), claim);
    }
    if let Some(provider) = &entry.auth_provider {
        let claim = gke::auth_provider(provider).map(CloudClaim::Gke);
        add(Source::AuthProvider, &provider.name, claim.or_else(|| aks::auth_provider(provider).map(CloudClaim::Aks)));
    }
    if let Some(user) = &entry.user {
        let of_aks = aks::user(user, entry.cluster.as_deref()).map(CloudClaim::Aks);
        add(Source::UserName, user, of_aks.or_else(|| of_name(user)));
    }
    for (source, name) in [(Source::ClusterName, &entry.cluster), (Source::ContextName, &entry.context)] {
        // An ARN counts more where the tool itself puts it.
        let is_arn = source == Source::ClusterName;
        if let Some(name) = name {
            add(source, name, of_name(name).filter(|_| !is_arn || eks::arn(name).is_none()));
        }
    }
    all.sort_by_key(|evidence| evidence.source);
    all
}

fn of_host(host: &str) -> Option<CloudClaim> {
    let of_cloud = (eks::endpoint(host).map(CloudClaim::Eks))
        .or_else(|| aks::host(host).map(CloudClaim::Aks))
        .or_else(|| gke::host(host).map(CloudClaim::Gke));
    let of_tool = || match host {
        "kubernetes.docker.internal" => Some("Docker Desktop"),
        _ if gke::is_connect_gateway(host) => Some("Connect gateway"),
        _ => None,
    };
    of_cloud.or_else(|| of_tool().map(CloudClaim::Other))
}

/// `https://rancher.example.com/k8s/clusters/<id>`: a proxy, behind which any
/// cluster can be.
fn path_of_rancher(server: &str) -> Option<CloudClaim> {
    host(server)?;
    server.contains("/k8s/clusters/").then_some(CloudClaim::Other("Rancher"))
}

fn of_name(name: &str) -> Option<CloudClaim> {
    let of_cloud = (eks::arn(name).map(CloudClaim::Eks))
        .or_else(|| eks::eksctl(name.rsplit('@').next().unwrap_or(name)).map(CloudClaim::Eks))
        .or_else(|| gke::name(name).map(CloudClaim::Gke));
    let of_tool = || match name {
        "docker-desktop" => Some("Docker Desktop"),
        "minikube" => Some("minikube"),
        _ if name.starts_with("kind-") => Some("kind"),
        _ if name.starts_with("k3d-") => Some("k3d"),
        _ => None,
    };
    of_cloud.or_else(|| of_tool().map(CloudClaim::Other))
}
