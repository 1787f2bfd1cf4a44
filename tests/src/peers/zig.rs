//! Installs what builds programs for other machines: zig, and cargo-zigbuild, which makes
//! cargo use it. Only `cargo image --all` needs them.

use std::ffi::OsString;
use std::path::PathBuf;

use super::cache::Cache;
use super::error::PeerError;
use super::pins::{CARGO_ZIGBUILD, Wheel, ZIG};
use super::wheel;

/// cargo-zigbuild, ready to be called.
#[derive(Debug)]
pub struct Zigbuild {
    pub program: PathBuf,
    /// What it needs in its environment.
    pub environment: Vec<(&'static str, OsString)>,
}

/// Finds both, or installs them.
///
/// # Errors
/// They cannot be installed.
pub fn zigbuild() -> Result<Zigbuild, PeerError> {
    let cache = Cache::of_user()?;
    let zig = whole(&cache, &ZIG, "a download of 100 MB")?;
    let program = whole(&cache, &CARGO_ZIGBUILD, "a download of 2 MB")?;
    let folder = |name: &str| cache.base().join(name).into_os_string();
    let environment = vec![
        ("CARGO_ZIGBUILD_ZIG_PATH", zig.into_os_string()),
        // Else in the user's home and in the workspace.
        ("CARGO_ZIGBUILD_CACHE_DIR", folder("cargo-zigbuild-cache")),
        ("ZIG_GLOBAL_CACHE_DIR", folder("zig-cache")),
        ("ZIG_LOCAL_CACHE_DIR", folder("zig-cache")),
    ];
    Ok(Zigbuild { program, environment })
}

/// A wheel with everything that is in it; returns its program.
fn whole(cache: &Cache, wheel: &Wheel, takes: &str) -> Result<PathBuf, PeerError> {
    let program = format!("unpacked/{}", wheel.program);
    let made = cache.make_file(wheel.package, wheel.version, &program, |cache, folder| {
        let what = format!("installing {} {}", wheel.package, wheel.version);
        wheel::install(cache, what, takes, wheel, folder)
    });
    made.map(|made| made.path)
}
