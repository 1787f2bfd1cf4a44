//! The plugin as Krew packages it: the real Krew reads the manifest, and installs, upgrades and
//! removes the plugin.

use crate::support::fixture::{Fixture, ROLE, Ran, run};
use harness::artifacts;
use harness::peers::{self, Peer};
use harness::process::{Scratch, clean_environment, say};
use harness::server::{FileSite, Product};
use harness::tools::krew::{CHECKSUMS, MANIFEST, PLATFORMS, Packed, Platform, manifest, pack};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A person with an empty home, kubectl and Krew.
pub struct Krew {
    folder: Scratch,
    archives: PathBuf,
    site: FileSite,
}

impl Krew {
    pub fn new() -> Self {
        let folder = Scratch::new("krew").expect("a folder is made");
        for name in ["home", "bin", "index"] {
            folder.folder(name).expect("a folder is made");
        }
        let archives = folder.folder("archives").expect("a folder is made");
        let link = |peer, name: &str| {
            symlink(peers::locate(peer).expect("it is there"), folder.path().join("bin").join(name)).expect("a link");
        };
        link(Peer::Kubectl, "kubectl");
        link(Peer::Krew, "kubectl-krew");
        let site = FileSite::start(&archives).expect("the site starts");
        Self { folder, archives, site }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command in that person's shell, with Krew's programs in `PATH`.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let (home, krew) = (self.path("home"), self.path("home/.krew"));
        clean_environment(&mut command, &home, &[&self.path("bin"), &krew.join("bin")]);
        let index = format!("file://{}", self.path("index").display());
        command.env("KREW_DEFAULT_INDEX_URI", index).env("KREW_NO_UPGRADE_CHECK", "1").current_dir(&home);
        // What the system's own git configuration says must not matter.
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("TMPDIR", self.folder.folder("tmp").expect("a folder"));
        command
    }

    #[track_caller]
    pub fn kubectl(&self, words: &[&str]) -> Ran {
        run(self.command("kubectl").args(words))
    }

    /// Packs these programs and puts the manifest into the index.
    #[track_caller]
    pub fn publish(&self, programs: &[(Platform, PathBuf)], tag: &str) -> Vec<Packed> {
        let packed = pack(programs, &self.archives).expect("the archives are made");
        let manifest = manifest(&packed, tag, Some(&self.site.url())).expect("the manifest is made");
        let plugins = self.folder.folder("index/plugins").expect("a folder is made");
        fs::write(plugins.join(MANIFEST), manifest).expect("the manifest is written");
        for words in [
            &["init", "-q", "-b", "master"][..],
            &["add", "plugins"],
            &["-c", "user.name=e2e", "-c", "user.email=e2e@example.com", "commit", "-q", "-m", tag],
        ] {
            run(self.command("git").args(words).current_dir(self.path("index"))).ok();
        }
        packed
    }

    #[track_caller]
    fn validate(&self, flags: &[&str]) -> Ran {
        let validate = peers::locate(Peer::ValidateKrewManifest).expect("it is there");
        let manifest = self.path("index/plugins").join(MANIFEST);
        run(self.command(validate.to_str().expect("a path")).arg("-manifest").arg(manifest).args(flags))
    }
}

/// The plugin that all tests use, without what a debugger needs: packing that takes
/// longer than everything else here.
fn plugin() -> PathBuf {
    static STRIPPED: OnceLock<(Scratch, PathBuf)> = OnceLock::new();
    let strip = || {
        let (folder, plugin) = (Scratch::new("stripped").expect("a folder"), artifacts::plugin().expect("the plugin"));
        let path = folder.path().join("kubectl-vaultjwt");
        run(Command::new("strip").arg("-o").args([&path, &plugin])).ok();
        (folder, path)
    };
    STRIPPED.get_or_init(strip).1.clone()
}

/// Something in place of the plugin on another machine.
fn stand_in(krew: &Krew, platform: Platform) -> (Platform, PathBuf) {
    let file = krew.path(&format!("{}-{}", platform.os, platform.arch));
    fs::write(&file, format!("a program for {platform}\n")).expect("a file is written");
    (platform, file)
}

fn version() -> String {
    format!("kubectl-vaultjwt {}\n", env!("CARGO_PKG_VERSION"))
}

#[test]
fn krew_installs_upgrades_and_removes_the_plugin() {
    let krew = Krew::new();
    // An older version, which says so.
    let old = krew.path("old");
    fs::write(&old, "#!/bin/sh\necho 'the old one'\n").expect("a program");
    krew.publish(&[(Platform::HERE, old)], "v0.0.1");
    krew.kubectl(&["krew", "update"]).ok();
    let found = krew.kubectl(&["krew", "search", "vaultjwt"]).ok().stdout;
    // The whole short description: Krew cuts a longer one off.
    assert!(found.contains("Make Vault JWT auth trust your service accounts "), "{found}");
    let installed = krew.kubectl(&["krew", "install", "vaultjwt"]).ok();
    assert!(installed.stderr.contains("Set VAULT_ADDR, and log in to Vault"), "{}", installed.stderr);
    assert_eq!(krew.kubectl(&["vaultjwt", "version"]).ok().stdout, "the old one\n");

    krew.publish(&[(Platform::HERE, plugin())], concat!("v", env!("CARGO_PKG_VERSION")));
    krew.kubectl(&["krew", "update"]).ok();
    krew.kubectl(&["krew", "upgrade", "vaultjwt"]).ok();
    assert_eq!(krew.kubectl(&["vaultjwt", "version"]).ok().stdout, version());
    // Bare, as everybody tries it first.
    let bare = krew.kubectl(&["vaultjwt"]).ok();
    assert!(bare.stdout.contains("Usage: kubectl vaultjwt"), "{}", bare.stdout);
    assert_eq!(bare.stderr, "");
    let listed = krew.kubectl(&["krew", "list"]).ok().stdout;
    assert!(listed.contains("vaultjwt"), "{listed}");

    krew.kubectl(&["krew", "uninstall", "vaultjwt"]).ok();
    let left: Vec<_> = fs::read_dir(krew.path("home/.krew/bin")).expect("a folder").collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!krew.path("home/.krew/store/vaultjwt").exists());
    let gone = krew.kubectl(&["vaultjwt", "version"]);
    assert_eq!((gone.code, gone.stdout.as_str()), (1, ""));
}

/// What gives kubectl's script the words of a line; a package of its own on Debian.
const BASH_COMPLETION: &str = "/usr/share/bash-completion/bash_completion";

/// Somebody new: an empty home, Krew, and what the caveats say.
#[test]
fn from_an_empty_home_to_a_login_and_to_tab() {
    let krew = Krew::new();
    let fixture = Fixture::new(Product::OpenBao);
    krew.publish(&[(Platform::HERE, plugin())], concat!("v", env!("CARGO_PKG_VERSION")));
    krew.kubectl(&["krew", "update"]).ok();
    let caveats = krew.kubectl(&["krew", "install", "vaultjwt"]).ok().stderr;
    assert!(krew.kubectl(&["vaultjwt"]).ok().stdout.contains("Usage: kubectl vaultjwt"));

    let person = |program: &str| {
        let mut command = krew.command(program);
        command.env("KUBECONFIG", fixture.cluster.kubeconfig()).envs(fixture.vault.client_environment());
        command.env("VAULT_TOKEN", fixture.vault.root_token().expose()).env("VAULTJWT_COMPLETION_TIMEOUT", "30s");
        command
    };
    let set_up = run(person("kubectl").args(["vaultjwt", "setup"]).args(ROLE)).ok();
    assert!(set_up.stderr.contains("logged in as \"shop:app\" with role \"app\""), "{}", set_up.stderr);

    // The two lines as they stand in the caveats, behind Krew's frame.
    let line = |begin: &str| {
        let found = caveats.lines().find_map(|line| line.find(begin).map(|at| line[at..].to_owned()));
        found.unwrap_or_else(|| panic!("{caveats}"))
    };
    let step = format!("{}\n{}\n", line("shim="), line("kubectl vaultjwt completion kubectl"));
    run(person("sh").args(["-ec", &step])).ok();
    let answer = run(person("kubectl").args(["__complete", "vaultjwt", "setup", "--role", ""])).ok();
    assert_eq!(answer.stdout, "app\n:4\n");

    if !Path::new(BASH_COMPLETION).exists() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "there is no {BASH_COMPLETION}");
        say("SKIPPED, TAB in bash through kubectl: bash-completion is not installed");
        return;
    }
    // As bash calls it when TAB is pressed at the end of these words.
    let program = "source \"$1\"; shift; source <(kubectl completion bash)
        COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMP_LINE=\"$*\"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9; COMP_KEY=9
        __start_kubectl kubectl \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"
        printf '[%s]\\n' \"${COMPREPLY[@]}\"";
    for (words, expected) in [
        (&["vaultjwt", "stat"][..], "[status]\n"),
        (&["vaultjwt", "setup", "--role", ""], "[app]\n"),
        (&["vaultjwt", "setup", "--mount", "j"], "[jwt]\n"),
        (&["vaultjwt", "setup", "-n", "kube-sys"], "[kube-system]\n"),
        (&["vaultjwt", "status", "--mou"], "[--mount]\n"),
    ] {
        let mut bash = person("bash");
        bash.args(["--norc", "-c", program, "bash", BASH_COMPLETION, "kubectl"]).args(words);
        assert_eq!(run(&mut bash).ok().stdout, expected, "{words:?}");
    }
}

/// Plan B of krew/README.md.
#[test]
fn a_custom_index_installs_and_upgrades_too() {
    let krew = Krew::new();
    let old = krew.path("old");
    fs::write(&old, "#!/bin/sh\necho 'the old one'\n").expect("a program");
    krew.publish(&[(Platform::HERE, old.clone())], "v0.0.1");
    let index = format!("file://{}", krew.path("index").display());
    krew.kubectl(&["krew", "index", "add", "own", &index]).ok();
    krew.kubectl(&["krew", "install", "own/vaultjwt"]).ok();
    assert_eq!(krew.kubectl(&["vaultjwt"]).ok().stdout, "the old one\n");
    fs::write(&old, "#!/bin/sh\necho 'the new one'\n").expect("a program");
    krew.publish(&[(Platform::HERE, old)], "v0.0.2");
    krew.kubectl(&["krew", "update"]).ok();
    krew.kubectl(&["krew", "upgrade", "vaultjwt"]).ok();
    assert_eq!(krew.kubectl(&["vaultjwt"]).ok().stdout, "the new one\n");
    krew.kubectl(&["krew", "uninstall", "vaultjwt"]).ok();
    assert!(!krew.path("home/.krew/store/vaultjwt").exists());
}

#[test]
fn krews_index_takes_the_manifest_for_every_platform() {
    let krew = Krew::new();
    let programs: Vec<_> = PLATFORMS.into_iter().map(|platform| stand_in(&krew, platform)).collect();
    krew.publish(&programs, "v9.9.9");
    let checked = krew.validate(&["-skip-install"]).ok().stderr;
    for said in
        ["structural validation OK", "all spec.platform[] items are used", "no overlapping spec.platform[].selector"]
    {
        assert!(checked.contains(said), "{checked}");
    }
    // Krew really installs each, and looks for the licence.
    let installed = krew.validate(&[]).ok().stderr;
    assert!(installed.contains("all 5 spec.platforms installed fine"), "{installed}");
    // The check is one that can fail.
    let manifest = krew.path("index/plugins").join(MANIFEST);
    let text = fs::read_to_string(&manifest).expect("the manifest");
    fs::write(&manifest, text.replace("arch: arm64", "arch: amd64")).expect("it is written");
    let refused = krew.validate(&["-skip-install"]);
    assert!(refused.code != 0 && refused.stderr.contains("overlapping"), "{}", refused.stderr);
    // Without the licence, or with another archive than was summed up, nothing is installed.
    fs::write(&manifest, text).expect("it is written");
    fs::write(krew.archives.join(Platform::HERE.archive()), "another archive").expect("it is written");
    let refused = krew.validate(&[]);
    assert!(refused.code != 0 && refused.stderr.contains("checksum does not match"), "{}", refused.stderr);
}

/// `cargo package-plugin` with these words.
fn package(words: &[&str]) -> Ran {
    run(Command::new(env!("CARGO_BIN_EXE_package_plugin")).args(words))
}

#[test]
fn two_runs_of_packaging_give_the_same_bytes() {
    let krew = Krew::new();
    let folder = &krew.folder;
    let plugin = plugin();
    let program = |path: &Path| format!("{}={}", Platform::HERE, path.display());
    // Another file with the same content, of another time, mode and owner's name.
    let copy = folder.path().join("copy");
    fs::copy(&plugin, &copy).expect("a copy");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).expect("a mode");
    let made: Vec<_> = [("first", program(&plugin)), ("second", program(&copy))]
        .into_iter()
        .map(|(name, program)| {
            let to = folder.path().join(name);
            package(&["--program", &program, to.to_str().expect("a path")]).ok();
            [Platform::HERE.archive().as_str(), CHECKSUMS, MANIFEST]
                .map(|name| fs::read(to.join(name)).expect("a file"))
        })
        .collect();
    assert!(made[0] == made[1]);

    // What is in it, as tar sees it; and the sums are those of sha256sum.
    let first = folder.path().join("first");
    let listed =
        run(Command::new("tar").args(["tvzf", &Platform::HERE.archive(), "--numeric-owner"]).current_dir(&first));
    let listed = listed.ok().stdout;
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    let seen: Vec<_> = lines.iter().map(|words| (words[0], words[1], words[3], words[5])).collect();
    assert_eq!(
        seen,
        [
            ("-rw-r--r--", "0/0", "1970-01-01", "LICENSE"),
            ("-rwxr-xr-x", "0/0", "1970-01-01", "kubectl-vaultjwt"),
            ("-rwxr-xr-x", "0/0", "1970-01-01", "kubectl_complete-vaultjwt"),
        ]
    );
    run(Command::new("sha256sum").args(["-c", CHECKSUMS]).current_dir(&first)).ok();

    // Manifest and archive are enough for Krew, without a server.
    let manifest = format!("--manifest={}", first.join(MANIFEST).display());
    let archive = format!("--archive={}", first.join(Platform::HERE.archive()).display());
    krew.kubectl(&["krew", "install", &manifest, &archive]).ok();
    assert_eq!(krew.kubectl(&["vaultjwt", "version"]).ok().stdout, version());
}

#[test]
fn a_wrong_call_of_packaging_says_how_it_is_called() {
    for words in [&["--program", "linux/amd64"][..], &["--program", "plan9/amd64=x"], &["--nonsense"], &["a", "b"]] {
        let ran = package(words);
        assert_eq!(
            (ran.code, ran.stdout.lines().next()),
            (
                2,
                Some(
                    "usage: cargo package-plugin [--all] [--program OS/ARCH=FILE]... [--tag TAG] [--uri URL] [FOLDER]"
                )
            )
        );
    }
    let folder = Scratch::new("packages").expect("a folder is made");
    package(&["--program", "linux/amd64=/nonexistent/program", folder.path().to_str().expect("a path")])
        .failed(1, "error: \"/nonexistent/program\": no such file or directory\n");
}
