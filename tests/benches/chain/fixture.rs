//! Clusters, a Vault, the plugin, and figures for all parts of the benchmark.

use super::Failure;
use harness::process::clean_environment;
use harness::server::{FakeApiServers, VaultServer};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// The plugin, as users have it.
pub fn plugin() -> Result<PathBuf, Failure> {
    if let Some(given) = std::env::var_os("VAULTJWT_BENCH_PLUGIN") {
        return Ok(PathBuf::from(given));
    }
    eprintln!("building the plugin for release …");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--locked", "--release", "-q", "-p", "kubectl-vaultjwt"])
        .current_dir(harness::workspace::root())
        .status()?;
    if !built.success() {
        return Err("the plugin does not build".into());
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| harness::workspace::root().join("target"), PathBuf::from);
    Ok(target.join("release/kubectl-vaultjwt"))
}

/// The plugin with these words, pointed at both sides.
pub fn vaultjwt(plugin: &Path, clusters: &FakeApiServers, vault: &VaultServer, words: &[&str]) -> Command {
    let mut command = Command::new(plugin);
    clean_environment(&mut command, clusters.scratch().path(), &[]);
    command.args(words).env("KUBECONFIG", clusters.kubeconfig()).envs(vault.client_environment());
    command.env("VAULT_TOKEN", vault.root_token().expose());
    command
}

/// Runs it to a good end.
pub fn ok(command: &mut Command) -> Result<(Output, Duration), Failure> {
    let started = Instant::now();
    let output = command.output()?;
    if output.status.success() {
        return Ok((output, started.elapsed()));
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}

pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Milliseconds with one digit.
pub fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1_000.0)
}

/// One line of a table, aligned to the right.
pub fn line(cells: &[&str], widths: &[usize]) {
    let cells: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
    println!("{}", cells.join("  "));
}
