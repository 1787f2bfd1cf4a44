//! Records what the programs printed and what Vault was asked during the tests, so that
//! a change of structure can be shown to change no behavior: record before it, record
//! after it, and compare (`cargo compare-recordings`).
//!
//! Recording is on where [`VARIABLE`] names a folder. Each test has one file there, with
//! one block per program run and per server.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;

use crate::process::locked;

/// Environment variable with the folder that recordings are written to.
pub const VARIABLE: &str = "VAULTJWT_TEST_RECORDING";

/// What begins a block in a recording.
pub(crate) const BLOCK: &str = "\u{1}";

/// Files that this process has started: a test that runs again replaces its recording.
static STARTED: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);

/// Whether the tests are being recorded.
pub fn is_on() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// The arguments of a program that is about to run.
pub fn command(command: &Command) {
    if !is_on() {
        return;
    }
    let program = PathBuf::from(command.get_program());
    let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    block("run", &std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" "));
}

/// What a program did.
pub fn output(output: &Output) {
    if !is_on() {
        return;
    }
    block("exit code", &format!("{:?}", output.status.code()));
    block("stdout", &String::from_utf8_lossy(&output.stdout));
    block("stderr", &String::from_utf8_lossy(&output.stderr));
}

/// The audit log of a server.
pub(crate) fn audit(log: &[u8]) {
    if !log.is_empty() {
        block("audit", &String::from_utf8_lossy(log));
    }
}

/// Appends a block to the file of this thread's test. Recording must not fail a test, so
/// what cannot be written is missing from the recording, which the comparison shows.
fn block(kind: &str, text: &str) {
    let Some(folder) = std::env::var_os(VARIABLE).map(PathBuf::from) else { return };
    let thread = thread::current();
    // libtest names the thread of a test after the test.
    let Some(test) = thread.name() else { return };
    let file = folder.join(format!("{}.txt", test.replace("::", ".")));
    let first = locked(&STARTED).get_or_insert_default().insert(file.clone());
    let open = || {
        fs::create_dir_all(&folder)?;
        if first { File::create(&file) } else { File::options().append(true).open(&file) }
    };
    let written = open().and_then(|mut file| write!(file, "{}{kind}\n{text}\n", BLOCK));
    if let Err(error) = written {
        eprintln!("{}: {error}", file.display());
    }
}
