//! Owns collecting what points to a cloud, the strongest first.

use super::aks::{self, AksClaim};
use super::eks::{self, EksClaim};
use super::entry::{Entry, host};
use super::gke::{self, GkeClaim};
use serde::Serialize;

/// Where a piece was found. What comes first counts more: a host name cannot be
/// chosen, the tools write arguments and the cluster entry for themselves, and
/// names are for people, who change them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// The user, by flags.
    Flag,
    /// The host of `server`.
    Server,
    /// `tls-server-name`: the server behind a tunnel.
    TlsServerName,
    /// The cluster entry's name, where it is an ARN.
    ClusterArn,
    /// The user's exec plugin.
    ExecPlugin,
    /// The user's auth provider.
    AuthProvider,
    /// The user entry's name.
    UserName,
    /// The cluster entry's name.
    ClusterName,
    /// The context's name.
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

    /// Whether it is a mere name, which anybody may have changed.
    pub fn is_a_name(self) -> bool {
        self >= Self::UserName
    }
}

/// What a piece says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// An EKS cluster.
    Eks(EksClaim),
    /// An AKS cluster.
    Aks(AksClaim),
    /// A GKE cluster.
    Gke(GkeClaim),
    /// None of the clouds, but a tool that is known.
    Other(&'static str),
}

impl Claim {
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

/// One piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Where it was found.
    pub source: Source,
    /// What is written there. Never a credential.
    pub found: String,
    /// What it says.
    pub claim: Claim,
}

/// Everything in `entry` that points somewhere, the strongest first.
pub fn collect(entry: &Entry) -> Vec<Evidence> {
    let mut all = Vec::new();
    let mut add = |source, found: &str, claim: Option<Claim>| {
        all.extend(claim.map(|claim| Evidence { source, found: found.to_owned(), claim }));
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
        add(Source::ClusterArn, cluster, eks::arn(cluster).map(Claim::Eks));
    }
    if let Some(exec) = &entry.exec {
        let claim = (eks::exec(exec).map(Claim::Eks))
            .or_else(|| aks::exec(exec).map(Claim::Aks))
            .or_else(|| gke::exec(exec).filter(|_| !gateway).map(Claim::Gke));
        add(Source::ExecPlugin, &exec.shown(), claim);
    }
    if let Some(provider) = &entry.auth_provider {
        let claim = gke::auth_provider(provider).map(Claim::Gke);
        add(Source::AuthProvider, &provider.name, claim.or_else(|| aks::auth_provider(provider).map(Claim::Aks)));
    }
    if let Some(user) = &entry.user {
        let of_aks = aks::user(user, entry.cluster.as_deref()).map(Claim::Aks);
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

fn of_host(host: &str) -> Option<Claim> {
    let of_cloud = (eks::endpoint(host).map(Claim::Eks))
        .or_else(|| aks::host(host).map(Claim::Aks))
        .or_else(|| gke::host(host).map(Claim::Gke));
    let of_tool = || match host {
        "kubernetes.docker.internal" => Some("Docker Desktop"),
        _ if gke::is_connect_gateway(host) => Some("Connect gateway"),
        _ => None,
    };
    of_cloud.or_else(|| of_tool().map(Claim::Other))
}

/// `https://rancher.example.com/k8s/clusters/<id>`: a proxy, behind which any
/// cluster can be.
fn path_of_rancher(server: &str) -> Option<Claim> {
    host(server)?;
    server.contains("/k8s/clusters/").then_some(Claim::Other("Rancher"))
}

fn of_name(name: &str) -> Option<Claim> {
    let of_cloud = (eks::arn(name).map(Claim::Eks))
        .or_else(|| eks::eksctl(name.rsplit('@').next().unwrap_or(name)).map(Claim::Eks))
        .or_else(|| gke::name(name).map(Claim::Gke));
    let of_tool = || match name {
        "docker-desktop" => Some("Docker Desktop"),
        "minikube" => Some("minikube"),
        _ if name.starts_with("kind-") => Some("kind"),
        _ if name.starts_with("k3d-") => Some("k3d"),
        _ => None,
    };
    of_cloud.or_else(|| of_tool().map(Claim::Other))
}
