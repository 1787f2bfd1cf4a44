//! Builds the programs for other machines, with zig as C compiler and linker: musl on Linux.

use std::path::{Path, PathBuf};

use super::krew::Platform;
use crate::artifacts::{self, ArtifactError, PodBinary, Target, architecture, elf, run_cargo, target};
use crate::peers;
use crate::process::say;

/// Go's name and Rust's.
const MACHINES: [(&str, &str); 2] = [("amd64", "x86_64"), ("arm64", "aarch64")];

/// The pod binary for every machine that images are made for, this one's first.
///
/// # Errors
/// One does not build, or is not static.
pub fn pod_binaries() -> Result<Vec<PodBinary>, ArtifactError> {
    let others = MACHINES.into_iter().filter(|(go, _)| *go != architecture());
    std::iter::once(artifacts::pod_binary()).chain(others.map(|(go, rust)| cross(go, rust))).collect()
}

fn cross(go: &'static str, rust: &str) -> Result<PodBinary, ArtifactError> {
    let path = zig_build("vault-jwt-login", &format!("{rust}-unknown-linux-musl"))?;
    check_linux(&path, go)?;
    let size = path.metadata().map(|data| data.len()).unwrap_or_default();
    Ok(PodBinary { path, target: Target::Musl, architecture: go, size })
}

/// The plugin as it is shipped, for Linux on every machine: static, so that the age
/// of its libc does not matter.
///
/// # Errors
/// One does not build, or is not what it should be.
pub fn plugins() -> Result<Vec<(Platform, PathBuf)>, ArtifactError> {
    let name = "kubectl-vaultjwt";
    let mut plugins = Vec::new();
    for (arch, rust) in MACHINES {
        let path = zig_build(name, &format!("{rust}-unknown-linux-musl"))?;
        check_linux(&path, arch)?;
        plugins.push((Platform { os: "linux", arch }, path));
    }
    Ok(plugins)
}

fn check_linux(path: &Path, go: &str) -> Result<(), ArtifactError> {
    let place = || path.to_path_buf();
    elf::check_static(path).map_err(|cause| ArtifactError::NotStatic { path: place(), cause })?;
    elf::check_machine(path, go).map_err(|cause| ArtifactError::WrongMachine { path: place(), cause })
}

/// A program in the release profile, for a target that cargo names so.
fn zig_build(name: &'static str, triple: &str) -> Result<PathBuf, ArtifactError> {
    if !(target::has(triple) || (target::add(triple) && target::has(triple))) {
        return Err(ArtifactError::NoTarget { triple: triple.to_owned() });
    }
    let zigbuild =
        peers::zigbuild().map_err(|error| ArtifactError::Peer { cause: error.to_string(), hint: error.hint() })?;
    say(&format!("{name}: for {triple}"));
    let environment: Vec<_> = zigbuild.environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let arguments = ["zigbuild", "-p", name, "--bin", name, "--release", "--target", triple];
    run_cargo(Path::new(&zigbuild.program), &arguments, name, &environment)
}
