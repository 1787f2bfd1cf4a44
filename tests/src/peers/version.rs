//! Checks the version of a program that the project did not install.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::peer::ENVTEST;
use super::pins::Pin;
use crate::process::say;
use crate::workspace;

/// A file that may be run?
pub(crate) fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The program of the peer's name in `PATH`, and its version: the pinned one,
/// else the first that serves as well.
pub(super) fn in_path(pin: &Pin) -> Option<(PathBuf, String)> {
    if pin.version_arguments.is_empty() {
        return None;
    }
    let found = in_folders(pin, &workspace::path_folders())?;
    // What a machine of CI happens to have is no reason to test with something else.
    let exactly = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
    (!exactly || found.1 == pin.version).then_some(found)
}

/// The same in envtest's folder, for what envtest has. A version that does not
/// serve is told: whoever set the variable expects it to be used.
pub(super) fn in_envtest(pin: &Pin) -> Option<(PathBuf, String)> {
    let folder = std::env::var_os(ENVTEST).filter(|folder| !folder.is_empty())?;
    let oldest = pin.oldest?;
    let program = Path::new(&folder).join(pin.binary);
    if !is_executable(&program) {
        return None;
    }
    let version = asked(&program, pin);
    match version {
        Some(version) if serves(&version, pin) => Some((program, version)),
        other => {
            let is = other.map_or("does not tell its version".to_owned(), |version| format!("is {version}"));
            let ((major, minor), program) = (oldest, program.display());
            let newest = pin.version.rsplit_once('.').map_or(pin.version, |(newest, _)| newest);
            say(&format!("passing over \"{program}\": it {is}, and not {major}.{minor} to {newest} ({ENVTEST})"));
            None
        }
    }
}

fn in_folders(pin: &Pin, folders: &[PathBuf]) -> Option<(PathBuf, String)> {
    let programs = folders.iter().map(|folder| folder.join(pin.binary)).filter(|path| is_executable(path));
    let serving: Vec<_> = programs
        .filter_map(|path| asked(&path, pin).map(|version| (path, version)))
        .filter(|(_, version)| serves(version, pin))
        .collect();
    let pinned = serving.iter().position(|(_, version)| version == pin.version);
    serving.into_iter().nth(pinned.unwrap_or_default())
}

/// Whether the tests can be run with this version.
fn serves(version: &str, pin: &Pin) -> bool {
    // Neither prereleases nor editions, which have further words.
    let minor = |version: &str| {
        let numbers: Vec<u32> = version.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        if let [major, minor, _] = numbers[..] { Some((major, minor)) } else { None }
    };
    let between = |oldest| (Some(oldest)..=minor(pin.version)).contains(&minor(version));
    version == pin.version || pin.oldest.is_some_and(between)
}

/// The version a program says it has.
fn asked(program: &Path, pin: &Pin) -> Option<String> {
    let mut command = Command::new(program);
    // Not even a wrong program may touch the developer's home.
    let nowhere = tempfile::tempdir().ok()?;
    command.args(pin.version_arguments).env("HOME", nowhere.path()).stdin(Stdio::null());
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    parse(&text, pin.version_prefix)
}

/// The version in the answer: what follows `prefix` up to a blank or comma.
fn parse(answer: &str, prefix: &str) -> Option<String> {
    let rest = answer.lines().find_map(|line| line.strip_prefix(prefix))?;
    rest.split([' ', ',']).next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::peer::Peer;
    use super::*;

    /// What the real programs print.
    const ANSWERS: [(Peer, &str); 11] = [
        (Peer::Etcd, "etcd Version: 3.7.3\nGit SHA: Not provided\nGo Version: go1.26.8\nGo OS/Arch: linux/amd64\n"),
        (Peer::KubeApiserver, "Kubernetes v1.37.2\n"),
        (Peer::Kubectl, "Client Version: v1.37.2\nKustomize Version: v5.8.1\n"),
        (Peer::Kubelet, "Kubernetes v1.37.2\n"),
        (Peer::Containerd, "containerd github.com/containerd/containerd/v2 v2.4.2 \n"),
        (Peer::ContainerdShim, "containerd-shim-runc-v2:\n  Version:  v2.4.2\n  Revision: \n  Go version: go1.26.8\n"),
        (Peer::Ctr, "ctr github.com/containerd/containerd/v2 v2.4.2\n"),
        (Peer::Vault, "Vault v1.21.2, built 2025-11-24T23:16:07Z\n"),
        (Peer::OpenBao, "OpenBao v2.7.2 (9e0a0d3c), committed 2026-10-26T20:32:27Z\n"),
        (Peer::CargoDeny, "cargo-deny 0.20.2\n"),
        (Peer::Aws, "aws-cli/1.46.3 Python/3.11.7 Linux/6.1.0 botocore/1.43.62\n"),
    ];

    #[test]
    fn versions_are_read_from_what_the_programs_print() {
        for (peer, answer) in ANSWERS {
            let pin = peer.pin();
            assert_eq!(parse(answer, pin.version_prefix).as_deref(), Some(pin.version), "{}", pin.name);
        }
    }

    #[test]
    fn an_edition_or_prerelease_is_another_version() {
        let enterprise = parse("Vault v1.21.2+ent (abc), built", "Vault v");
        assert_eq!(enterprise.as_deref(), Some("1.21.2+ent"));
        assert_eq!(parse("Vault v1.21.2 (0123abc), built", "Vault v").as_deref(), Some("1.21.2"));
        assert_eq!(parse("bash: vault: not found", "Vault v"), None);
    }

    #[test]
    fn another_version_in_path_is_passed_over() {
        let folders = tempfile::tempdir().unwrap();
        let program = |folder: &str, version: &str| {
            let path = folders.path().join(folder).join("kubectl");
            fs::create_dir(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("#!/bin/sh\necho 'Client Version: v{version}'\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let old = program("old", "1.31.0");
        let right = program("right", "1.37.2");
        let folder = |path: &Path| path.parent().unwrap().to_path_buf();
        let pin = Peer::Kubectl.pin();
        assert_eq!(in_folders(pin, &[folder(&old)]), None);
        assert_eq!(in_folders(pin, &[folder(&old), folder(&right)]), Some((right.clone(), "1.37.2".into())));
        // One that serves as well, where there is no better one.
        let supported = program("supported", "1.36.4");
        let found = in_folders(pin, &[folder(&old), folder(&supported)]);
        assert_eq!(found, Some((supported.clone(), "1.36.4".into())));
        assert_eq!(in_folders(pin, &[folder(&supported), folder(&right)]), Some((right, "1.37.2".into())));
    }

    #[test]
    fn supported_minor_versions_serve_where_a_pin_says_so() {
        let api_server = Peer::KubeApiserver.pin();
        for version in ["1.35.0", "1.36.12", "1.37.0", "1.37.2", "1.37.9"] {
            assert!(serves(version, api_server), "{version}");
        }
        for version in ["1.34.9", "1.38.0", "2.36.0", "1.36.0-rc.1", "1.36.1-gke.1", "1.36", "", "1.36.1.1"] {
            assert!(!serves(version, api_server), "{version}");
        }
        assert!(serves("1.21.2", Peer::Vault.pin()) && !serves("1.21.3", Peer::Vault.pin()));
    }
}
