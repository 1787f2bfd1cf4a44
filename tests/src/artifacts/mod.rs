//! Builds the two programs under test, each on its own: a build of the whole workspace
//! unifies features and is not what is shipped.

pub(crate) mod elf;
pub(crate) mod target;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use serde_json::Value;

pub use target::Target;

use crate::process::say;
use crate::workspace;

/// Makes libtest accept its unstable JSON output. cargo does not get it from tests: it would
/// rebuild the crates that read it.
pub(crate) const LIBTEST_VARIABLE: &str = "RUSTC_BOOTSTRAP";

/// Why a program is not there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ArtifactError {
    /// cargo cannot be run.
    #[error("cannot run \"{program}\": {cause}")]
    Run { program: String, cause: String },
    /// cargo failed; its output is on standard error.
    #[error("cargo {arguments} failed:\n{errors}")]
    Cargo {
        arguments: String,
        /// What the compiler said.
        errors: String,
    },
    /// cargo names no program.
    #[error("cargo {arguments} made no program \"{name}\"")]
    NoProgram { arguments: String, name: &'static str },
    /// There is no C compiler.
    #[error("building vault-jwt-login needs a C compiler, which is not installed")]
    NoCompiler,
    /// What was built is for another machine than was asked for.
    #[error("\"{}\" {cause}", .path.display())]
    WrongMachine { path: PathBuf, cause: String },
    /// Rust's standard library for another machine is missing.
    #[error("Rust has no standard library for \"{triple}\" here")]
    NoTarget { triple: String },
    /// What builds for another machine cannot be had.
    #[error("{cause}")]
    Peer {
        cause: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The pod binary would need a loader that an empty image does not have.
    #[error("\"{}\" is not static: {cause}", .path.display())]
    NotStatic { path: PathBuf, cause: String },
}

impl ArtifactError {
    /// The one thing to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoCompiler => Some("apt-get install gcc musl-tools".to_owned()),
            Self::NoTarget { triple } => Some(format!("rustup target add {triple}")),
            Self::Peer { hint, .. } => hint.clone(),
            Self::Run { .. }
            | Self::Cargo { .. }
            | Self::NoProgram { .. }
            | Self::NotStatic { .. }
            | Self::WrongMachine { .. } => None,
        }
    }
}

/// The pod binary as it is shipped.
#[derive(Debug, Clone)]
pub struct PodBinary {
    pub path: PathBuf,
    /// What it is linked with.
    pub target: Target,
    /// The machine it is for, as Go and container images name it.
    pub architecture: &'static str,
    /// Its size in bytes.
    pub size: u64,
}

/// This machine, as Go and container images name it.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The plugin, dev profile; its folder belongs into `PATH`. Built once per
/// process.
///
/// # Errors
/// It does not build.
pub fn plugin() -> Result<PathBuf, ArtifactError> {
    static BUILT: OnceLock<Result<PathBuf, ArtifactError>> = OnceLock::new();
    BUILT.get_or_init(|| build("kubectl-vaultjwt", "kubectl-vaultjwt", &[], &[])).clone()
}

/// The plugin as it is shipped. Takes minutes to build.
///
/// # Errors
/// It does not build.
pub fn released_plugin() -> Result<PathBuf, ArtifactError> {
    build("kubectl-vaultjwt", "kubectl-vaultjwt", &["--release"], &[])
}

/// The pod binary: release profile, static. Built once per process.
///
/// # Errors
/// It does not build, or is not static.
pub fn pod_binary() -> Result<PodBinary, ArtifactError> {
    static BUILT: OnceLock<Result<PodBinary, ArtifactError>> = OnceLock::new();
    BUILT.get_or_init(build_pod_binary).clone()
}

fn build_pod_binary() -> Result<PodBinary, ArtifactError> {
    let target = Target::choose();
    say(&format!("vault-jwt-login: static for {} ({})", target.triple(), target.why()));
    let triple = target.triple();
    let path =
        build("vault-jwt-login", "vault-jwt-login", &["--release", "--target", &triple], &target.environment()?)?;
    elf::check_static(&path).map_err(|cause| ArtifactError::NotStatic { path: path.clone(), cause })?;
    let size = path.metadata().map(|data| data.len()).unwrap_or_default();
    Ok(PodBinary { path, target, architecture: architecture(), size })
}

/// Variables that cargo, or the suite, sets for the programs it runs. Passed on
/// to another cargo they would count as changes of the environment, and crates
/// with C code would be built again and again.
pub(crate) fn is_set_by_cargo(name: &str) -> bool {
    name == "OUT_DIR"
        || name == LIBTEST_VARIABLE
        || name == "CARGO_CRATE_NAME"
        || name == "CARGO_PRIMARY_PACKAGE"
        || name == "CARGO_TARGET_TMPDIR"
        || ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix))
}

/// Builds one program of one package and returns where cargo put it.
fn build(
    package: &str,
    program: &'static str,
    more: &[&str],
    environment: &[(String, String)],
) -> Result<PathBuf, ArtifactError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut arguments = vec!["build", "-p", package, "--bin", program];
    arguments.extend(more);
    let environment: Vec<_> = environment.iter().map(|(name, value)| (name.clone(), value.into())).collect();
    run_cargo(Path::new(&cargo), &arguments, program, &environment)
}

/// Runs cargo, and gives the messages in which it says what it built.
pub(crate) fn cargo_messages(arguments: &[&str]) -> Result<Vec<Value>, ArtifactError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let messages = cargo_output(Path::new(&cargo), arguments, &[])?;
    Ok(messages.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

/// Runs cargo, or what calls it, and returns where the program was put.
pub(crate) fn run_cargo(
    cargo: &Path,
    arguments: &[&str],
    program: &'static str,
    environment: &[(String, OsString)],
) -> Result<PathBuf, ArtifactError> {
    let messages = cargo_output(cargo, arguments, environment)?;
    let arguments = arguments.join(" ");
    executable(&messages, program).ok_or(ArtifactError::NoProgram { arguments, name: program })
}

/// Runs cargo, or what calls it, and returns its messages, one JSON object a line.
fn cargo_output(cargo: &Path, arguments: &[&str], environment: &[(String, OsString)]) -> Result<String, ArtifactError> {
    let shown = arguments.join(" ");
    let mut command = Command::new(cargo);
    command.args(arguments).arg("--message-format=json-render-diagnostics");
    command.current_dir(workspace::root()).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_set_by_cargo) {
            command.env_remove(name);
        }
    }
    command.envs(environment.iter().map(|(name, value)| (name, value)));
    say(&format!("cargo {shown}"));
    let start = Instant::now();
    let output = command
        .output()
        .map_err(|error| ArtifactError::Run { program: cargo.display().to_string(), cause: error.to_string() })?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(ArtifactError::Cargo { arguments: shown, errors });
    }
    say(&format!("cargo {shown}: done in {} s", start.elapsed().as_secs()));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Where cargo's messages say that a program is.
fn executable(messages: &str, program: &str) -> Option<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages
        .filter(|message| message["reason"] == "compiler-artifact" && message["target"]["name"] == program)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_where_cargo_says() {
        let messages = r#"not json
{"reason":"compiler-artifact","target":{"name":"shared"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"vault-jwt-login"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"vault-jwt-login"},"executable":"/t/release/vault-jwt-login"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "vault-jwt-login"), Some("/t/release/vault-jwt-login".into()));
        assert_eq!(executable(messages, "shared"), None);
    }

    #[test]
    fn what_cargo_sets_is_told_from_what_configures_it() {
        assert!(
            ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "OUT_DIR", "RUSTC_BOOTSTRAP"].into_iter().all(is_set_by_cargo)
        );
        assert!(!["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "RUSTFLAGS"].into_iter().any(is_set_by_cargo));
    }
}
