//! Owns the real servers and tools the tests run against: which there are,
//! and where each is found. The order: an environment variable
//! (`VAULTJWT_PEER_VAULT=/path`), the folder `KUBEBUILDER_ASSETS` (where
//! envtest's setup puts an API server, etcd and kubectl), the cache, `PATH`, else
//! built or installed into the cache. In folders of others, the version has to be
//! the pinned one, or for the three of envtest one that Kubernetes and etcd still
//! support ([`Pin::oldest`]).

mod cache;
mod error;
mod go;
mod pins;
mod python;
mod run;
mod version;
mod wheel;
mod zig;

pub use error::PeerError;
pub use pins::{Pin, Source};
pub(crate) use version::is_executable;
pub use zig::{Zigbuild, zigbuild};

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use crate::process::locked;
use cache::Cache;

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
    /// containerd's own client.
    Ctr,
    /// `HashiCorp` Vault.
    Vault,
    /// `OpenBao`.
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

    /// The peer of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|peer| peer.pin().name == name)
    }
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
    /// The program.
    pub path: PathBuf,
    /// Its version, without a leading `v`; the pinned one where it is not asked.
    pub version: String,
    /// Where it was found.
    pub how: How,
}

/// The folder with envtest's programs: what the tests of Kubernetes controllers
/// read (`EnvAssetsPath` in controller-runtime's pkg/envtest).
pub const ENVTEST: &str = "KUBEBUILDER_ASSETS";

/// Finds a peer, or gets it.
///
/// # Errors
/// It is not there and cannot be built or installed.
pub fn locate(peer: Peer) -> Result<PathBuf, PeerError> {
    // A program that is not in the cache is asked for its version: once is enough.
    static FOUND: Mutex<Vec<(Peer, PathBuf)>> = Mutex::new(Vec::new());
    if let Some((_, path)) = locked(&FOUND).iter().find(|(known, _)| *known == peer) {
        return Ok(path.clone());
    }
    let path = find(peer)?.path;
    locked(&FOUND).push((peer, path.clone()));
    Ok(path)
}

/// As [`locate`], and says how.
///
/// # Errors
/// It is not there and cannot be built or installed.
pub fn find(peer: Peer) -> Result<Found, PeerError> {
    let pin = peer.pin();
    let pinned = || pin.version.to_owned();
    if let Some(path) = std::env::var_os(pin.variable).filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        if !version::is_executable(&path) {
            return Err(PeerError::Variable { variable: pin.variable, path });
        }
        return Ok(Found { path, version: pinned(), how: How::Variable(pin.variable) });
    }
    if let Some((path, version)) = version::in_envtest(pin) {
        return Ok(Found { path, version, how: How::Envtest });
    }
    let cache = Cache::of_user()?;
    if let Some(path) = cache.program(pin) {
        return Ok(Found { path, version: pinned(), how: How::Cache });
    }
    if let Some((path, version)) = version::in_path(pin) {
        return Ok(Found { path, version, how: How::Path });
    }
    let made = cache.make(pin, |cache, folder| match &pin.source {
        Source::Go { .. } => go::build(cache, pin, folder),
        Source::Wheel(wheel) => wheel::install_program(cache, pin, wheel, folder),
        Source::Python { .. } => python::install(cache, pin, folder),
    })?;
    let how = match (made.took, &pin.source) {
        (None, _) => How::Cache,
        (Some(took), Source::Go { .. }) => How::Built(took),
        (Some(took), Source::Wheel(_) | Source::Python { .. }) => How::Installed(took),
    };
    Ok(Found { path: made.path, version: pinned(), how })
}
