//! Owns the question whether a program found in `PATH` is the pinned version.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Pin;
use crate::workspace;

/// A file that may be run?
pub(crate) fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The first program of the peer's name in `PATH` that is exactly the pinned
/// version.
pub(super) fn in_path(pin: &Pin) -> Option<PathBuf> {
    if pin.version_arguments.is_empty() {
        return None;
    }
    in_folders(pin, &workspace::path_folders())
}

fn in_folders(pin: &Pin, folders: &[PathBuf]) -> Option<PathBuf> {
    let programs = folders.iter().map(|folder| folder.join(pin.binary)).filter(|path| is_executable(path));
    programs.into_iter().find(|path| asked(path, pin).is_some_and(|version| version == pin.version))
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

    use super::super::Peer;
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
        assert_eq!(in_folders(pin, &[folder(&old), folder(&right)]), Some(right));
    }
}
