//! Token files that cannot be written: the error comes before any request to Vault.

use crate::server::{Server, granted};
use crate::{JWT, OLD, Outcome, arguments, assert_safe, row};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Commands of sh(1) that spoil the folder `$1/out`, which is a file system of
/// its own and holds the old token.
struct FileFault {
    name: &'static str,
    spoil: &'static str,
    code: i32,
    error: &'static str,
    hint: &'static str,
    /// What `$1/out` holds in the end.
    left: &'static str,
}

const FAULTS: [FileFault; 7] = [
    FileFault { name: "all is well", spoil: ":", code: 0, error: "", hint: "", left: "token=hvs.new" },
    FileFault {
        name: "no space left",
        spoil: "cat /dev/zero >filler 2>/dev/null",
        code: 73,
        error: "could not write the token file \"DIR/out/token\": no space left on device",
        hint: "raise sizeLimit of the volume that the token file is on",
        left: "filler token=hvs.old",
    },
    FileFault {
        name: "no inodes left",
        spoil: "i=0; while touch file$i 2>/dev/null; do i=$((i + 1)); done",
        code: 73,
        error: "could not write the token file \"DIR/out/token\": no space left on device",
        hint: "raise sizeLimit of the volume that the token file is on",
        left: "token=hvs.old",
    },
    FileFault {
        name: "a read-only file system",
        spoil: "mount -o remount,ro \"$1/out\"",
        code: 73,
        error: "could not write the token file \"DIR/out/token\": read-only file system",
        hint: "mount a writable volume (an emptyDir with medium Memory) at \"DIR/out\"",
        left: "token=hvs.old",
    },
    FileFault {
        name: "a directory in its place",
        spoil: "rm token; mkdir token",
        code: 73,
        error: "could not write the token file \"DIR/out/token\": it is a directory",
        hint: "name a file, not a directory, with --token-file or VAULT_TOKEN_FILE",
        left: "token",
    },
    FileFault {
        name: "a link to another file in its place",
        spoil: "mv token other; ln -s other token",
        code: 0,
        error: "",
        hint: "",
        left: "other=hvs.old token=hvs.new",
    },
    FileFault {
        name: "a link to nowhere in its place",
        spoil: "rm token; ln -s /nowhere token",
        code: 0,
        error: "",
        hint: "",
        left: "token=hvs.new",
    },
];

/// In a mount namespace of its own, as root of a user namespace.
fn in_a_namespace(script: &str, dir: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script, "sh"]).arg(dir).stdin(Stdio::null());
    command
}

const MOUNT: &str = "mount -t tmpfs -o size=16k,nr_inodes=32 tmpfs \"$1/out\"";

#[test]
fn places_that_do_not_take_a_token() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("out")).unwrap();
    if !in_a_namespace(MOUNT, dir.path()).output().is_ok_and(|ran| ran.status.success()) {
        eprintln!("SKIPPED: this user may not mount anything (unshare -rm)");
        return;
    }
    println!("{:40} {:>4} {:>8} {:>7}  stderr", "fault", "code", "attempts", "seconds");
    for place in &FAULTS {
        spoiled(place);
    }
}

fn spoiled(place: &FileFault) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("jwt"), JWT).unwrap();
    std::fs::create_dir(dir.path().join("out")).unwrap();
    let server = Server::plain(granted()).start();
    // What is in the folder in the end, with the content of small files.
    let look = "for file in $(ls -A); do case $file in file*) ;; filler) echo $file;; \
                *) if [ -f $file ]; then echo $file=$(cat $file); else echo $file; fi;; esac; done";
    let spoil = place.spoil;
    let script =
        format!("{MOUNT}; cd \"$1/out\"; printf {OLD} >token; {spoil}; shift; \"$@\"; code=$?; {look}; exit $code");
    let mut command = in_a_namespace(&script, dir.path());
    command.arg(env!("CARGO_BIN_EXE_vault-jwt-login")).args(arguments(dir.path(), &server.address));
    let started = Instant::now();
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap().replace(&dir.path().display().to_string(), "DIR");
    assert_safe(&said, JWT);
    let outcome = Outcome { code: output.status.code(), asked: server.asked(), took: started.elapsed(), said };
    row(place.name, &outcome);
    let expected = match (place.error, place.hint) {
        ("", _) => String::new(),
        (error, hint) => format!("error: {error}\nhint: {hint}\n"),
    };
    assert_eq!((outcome.code, outcome.said.as_str()), (Some(place.code), expected.as_str()), "{}", place.name);
    assert_eq!(outcome.asked, u32::from(place.code == 0), "{}", place.name);
    let left = String::from_utf8(output.stdout).unwrap();
    assert_eq!(left.split_whitespace().collect::<Vec<_>>().join(" "), place.left, "{}", place.name);
}
