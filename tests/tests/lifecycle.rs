//! However a process ends, its programs and folders are removed. Each case runs in a child process:
//! this test binary with `LIFECYCLE` in its environment.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use harness::process::{Scratch, Supervised, is_ignored};

/// A program with a folder, as a server has one.
struct Server {
    program: Supervised,
    scratch: Scratch,
}

fn start(script: &str) -> Server {
    let scratch = Scratch::new("lifecycle").unwrap();
    let folder = scratch.path().to_owned();
    // Inherited by every process below: this is how the test finds them.
    let program = Supervised::start(&scratch, "program", Path::new("sh"), ["-c", script], |command| {
        command.env("FOLDER", folder);
    });
    let program = program.unwrap();
    while !scratch.path().join("ready").exists() {
        assert!(program.ended().is_none());
        thread::sleep(Duration::from_millis(10));
    }
    Server { program, scratch }
}

const PLAIN: &str = ": >\"$FOLDER/ready\"; sleep 600; true";
const IGNORES_TERM: &str = "trap '' TERM; : >\"$FOLDER/ready\"; sleep 600; sleep 600; true";

/// What the child process does, by the value of `LIFECYCLE`. It prints the
/// folder when the program runs.
fn child(case: &str) {
    static KEPT: OnceLock<Server> = OnceLock::new();
    let script = if case == "ignores-term" { IGNORES_TERM } else { PLAIN };
    let server = start(script);
    println!("folder {}", server.scratch.path().display());
    match case {
        "drop" => drop(server),
        "ignores-term" => {
            // Dropped, it would not even be asked.
            server.program.stop();
            drop(server);
        }
        "panic" => panic!("as a failed test does"),
        "exit" => {
            let _ = KEPT.set(server);
            std::process::exit(0);
        }
        _ => loop {
            thread::sleep(Duration::from_secs(1));
        },
    }
}

#[test]
#[ignore = "only as the child process of the other tests"]
fn child_process() {
    child(&std::env::var("LIFECYCLE").unwrap());
}

/// Starts the child; returns it and its folder.
fn run(case: &str) -> (Child, PathBuf) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child_process", "--exact", "--ignored", "--nocapture"])
        .env("LIFECYCLE", case)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let folder =
        lines.map_while(Result::ok).find_map(|line| line.split_once("folder ").map(|(_, folder)| folder.into()));
    (child, folder.unwrap())
}

/// The processes that were started with `folder` in their environment, and
/// the shells that were given it as an argument.
fn processes(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let read = |path: PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).replace('\0', " ");
    let found = |entry: fs::DirEntry| {
        let (command, environment) = (read(entry.path().join("cmdline")), read(entry.path().join("environ")));
        // A process that has ended and is not yet reaped has neither.
        (command.contains(folder) || environment.contains(folder)).then_some(command)
    };
    fs::read_dir("/proc").unwrap().filter_map(|entry| found(entry.unwrap())).collect()
}

/// Nothing is left, at the latest after `at_most`.
fn assert_gone(folder: &Path, at_most: Duration) {
    let start = Instant::now();
    while folder.exists() || !processes(folder).is_empty() {
        let left = processes(folder);
        assert!(start.elapsed() < at_most, "{} exists: {}, processes: {left:#?}", folder.display(), folder.exists());
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!folder.parent().unwrap().exists(), "the folder of the run is left");
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn dropped_servers_are_gone_when_drop_returns() {
    let (mut child, folder) = run("drop");
    child.wait().unwrap();
    assert_gone(&folder, Duration::ZERO);
}

#[test]
fn a_program_that_ignores_term_is_killed() {
    let (mut child, folder) = run("ignores-term");
    child.wait().unwrap();
    assert_gone(&folder, Duration::ZERO);
}

#[test]
fn a_panic_leaves_nothing_but_the_log() {
    let (mut child, folder) = run("panic");
    assert!(!child.wait().unwrap().success());
    assert_gone(&folder, Duration::ZERO);
    let kept = harness::workspace::failed().join(child.id().to_string());
    assert_eq!(fs::read_dir(&kept).unwrap().count(), 1);
    fs::remove_dir_all(kept).unwrap();
}

#[test]
fn servers_in_statics_end_with_the_process() {
    let (mut child, folder) = run("exit");
    child.wait().unwrap();
    assert_gone(&folder, Duration::from_secs(10));
}

#[test]
fn after_int_and_term_the_process_ends_last() {
    for (name, number) in [("INT", 2), ("TERM", 15)] {
        let (mut child, folder) = run("wait");
        assert!(!processes(&folder).is_empty());
        signal(&child, name);
        if is_ignored(number) {
            // As whoever started the tests wants it, in the background.
            thread::sleep(Duration::from_millis(500));
            assert!(child.try_wait().unwrap().is_none() && !processes(&folder).is_empty(), "{name}");
            child.kill().unwrap();
            child.wait().unwrap();
            assert_gone(&folder, Duration::from_secs(10));
            continue;
        }
        assert_eq!(child.wait().unwrap().code(), Some(130), "{name}");
        assert_gone(&folder, Duration::ZERO);
    }
}

#[test]
fn kill_9_leaves_nothing() {
    let (mut child, folder) = run("wait");
    assert!(!processes(&folder).is_empty());
    signal(&child, "KILL");
    child.wait().unwrap();
    assert_gone(&folder, Duration::from_secs(10));
}
