//! Names the peers, and says where one was found.

use std::path::PathBuf;
use std::time::Duration;

/// A real server, or a tool that comes the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// The store of the API server.
    Etcd,
    /// A cluster's API server.
    KubeApiserver,
    /// The client our plugin is called through.
    Kubectl,
    /// Runs a node's pods.
    Kubelet,
    /// Runs their containers.
    Containerd,
    /// Stands between containerd and runc, one for each pod.
    ContainerdShim,
    Ctr,
    Vault,
    OpenBao,
    /// Installs kubectl's plugins.
    Krew,
    /// What Krew's index holds each manifest to.
    ValidateKrewManifest,
    /// Checks licences and sources in CI.
    CargoDeny,
    /// Builds the fuzz targets.
    CargoFuzz,
    /// Checks the workflows.
    Actionlint,
    /// AWS as far as the tests need it: EKS and STS.
    Moto,
    /// The AWS command line.
    Aws,
}

impl Peer {
    /// All of them, those first that take longest.
    pub const ALL: [Self; 16] = [
        Self::KubeApiserver,
        Self::Kubectl,
        Self::Etcd,
        Self::Vault,
        Self::Kubelet,
        Self::Containerd,
        Self::ContainerdShim,
        Self::Ctr,
        Self::Krew,
        Self::ValidateKrewManifest,
        Self::OpenBao,
        Self::CargoDeny,
        Self::CargoFuzz,
        Self::Actionlint,
        Self::Moto,
        Self::Aws,
    ];
}

/// Where a peer was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// An environment variable named it.
    Variable(&'static str),
    /// An earlier run had put it there.
    Cache,
    /// envtest's folder has a right version.
    Envtest,
    /// A right version is installed.
    Path,
    /// Built from source just now.
    Built(Duration),
    /// Downloaded just now.
    Installed(Duration),
}

impl std::fmt::Display for How {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable(variable) => write!(f, "named by {variable}"),
            Self::Cache => f.write_str("found in cache"),
            Self::Envtest => write!(f, "found in {ENVTEST}"),
            Self::Path => f.write_str("found in PATH"),
            Self::Built(time) => write!(f, "built in {} s", time.as_secs()),
            Self::Installed(time) => write!(f, "installed in {} s", time.as_secs()),
        }
    }
}

/// A peer that can be run.
#[derive(Debug, Clone)]
pub struct Found {
    pub path: PathBuf,
    /// Its version, without a leading `v`; the pinned one where it is not asked.
    pub version: String,
    /// Where it was found.
    pub how: How,
}

/// The folder with envtest's programs: what the tests of Kubernetes controllers
/// read (`EnvAssetsPath` in controller-runtime's pkg/envtest).
pub const ENVTEST: &str = "KUBEBUILDER_ASSETS";
