//! Finds the real servers and tools that the tests run against. The order: an environment
//! variable (`VAULTJWT_PEER_VAULT=/path`), the folder `KUBEBUILDER_ASSETS` (where envtest's
//! setup puts an API server, etcd and kubectl), the cache, `PATH`. Otherwise the peer is built
//! or installed into the cache. Outside the cache, the version must be the pinned one or, for
//! the three of envtest, one that Kubernetes and etcd still support ([`Pin::oldest`]).

mod cache;
mod error;
mod go;
mod peer;
mod pins;
mod python;
mod run;
mod version;
mod wheel;
mod zig;

pub use error::PeerError;
pub use peer::{ENVTEST, Found, How, Peer};
pub use pins::{Pin, Source};
pub(crate) use version::is_executable;
pub use zig::{Zigbuild, zigbuild};

use std::path::PathBuf;
use std::sync::Mutex;

use crate::process::locked;
use cache::Cache;

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
