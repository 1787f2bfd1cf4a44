//! Runs a token helper: the program that keeps the operator's token in place of
//! `~/.vault-token`, called with the one argument `get`.
//!
//! As the vault CLI does it (`api/tokenhelper/helper_external.go`): started directly, no
//! shell, with the environment passed on; its output is the token. Where this is stricter
//! than the CLI, and why:
//! - The CLI joins a relative path to the working directory (and does not expand `~/`).
//!   Write access to that directory would then give the operator's rights, so only an
//!   absolute path is run.
//! - The CLI waits forever, and takes output of any length.
//!
//! Where this is more lenient: blanks around the token are removed.

use shared::text::{one_line, os_cause};
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long a helper may take. It may have to ask a keychain over the network,
/// but waiting longer for a prompt that never comes is of no use.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);
/// Most that a helper may write. Batch tokens, the longest, have a few hundred
/// characters.
const OUTPUT_LIMIT: u64 = 64 * 1024;
/// Most that is read of what a helper says went wrong.
const COMPLAINT_LIMIT: u64 = 4 * 1024;
/// How long a failed helper's last words are waited for: they are in the pipe
/// already, and only the thread that reads them may be late.
const COMPLAINT_WAIT: Duration = Duration::from_millis(500);

/// Why a token helper gave no token. None of these shows its output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HelperError {
    /// Its path depends on the working directory.
    #[error("the token helper \"{}\" is not an absolute path", one_line(.0))]
    Relative(String),
    #[error("could not run the token helper \"{}\": {}", one_line(helper), one_line(why))]
    NotRun { helper: String, why: String },
    /// It did not end in time, and was killed.
    #[error("the token helper \"{}\" did not finish within {limit:?}", one_line(helper))]
    Slow { helper: String, limit: Duration },
    /// It ended, but something it had started can still write, so that it is not known whether
    /// the token is complete.
    #[error("the token helper \"{}\" left a program behind that kept its output open for {limit:?}", one_line(helper))]
    HeldOpen { helper: String, limit: Duration },
    #[error("the token helper \"{}\" wrote more than {} KiB", one_line(.0), OUTPUT_LIMIT / 1024)]
    TooLong(String),
    #[error("the token helper \"{}\" failed with {how}{}", one_line(helper), because(complaint))]
    Failed {
        helper: String,
        /// `exit code 3`, or the signal that ended it.
        how: String,
        /// The first line of its error output; empty where there is none.
        complaint: String,
    },
}

fn because(complaint: &str) -> String {
    if complaint.is_empty() { String::new() } else { format!(": {}", one_line(complaint)) }
}

impl HelperError {
    /// The one thing to do next, where `config` names the helper.
    pub fn hint(&self, config: &str) -> String {
        let config = one_line(config);
        let first: &str = match self {
            Self::Relative(_) => &format!("give its absolute path in \"{config}\""),
            Self::NotRun { .. } => &format!("name a program that can be run as token_helper in \"{config}\""),
            Self::Slow { .. } => "run it by hand with the argument get to see what it waits for",
            Self::HeldOpen { .. } => "let the helper start it with its output sent elsewhere (>/dev/null)",
            Self::TooLong(_) => "let the helper write the token alone",
            Self::Failed { .. } => "run 'vault login'",
        };
        format!("{first}, or set VAULT_TOKEN")
    }
}

/// What `<helper> get` writes, for the Vault at `address`.
pub fn get(helper: &Path, address: &str, limit: Duration) -> Result<Vec<u8>, HelperError> {
    let deadline = Instant::now() + limit;
    let name = helper.display().to_string();
    if !helper.is_absolute() {
        return Err(HelperError::Relative(name));
    }
    // The system says of a directory that permission is denied.
    if std::fs::metadata(helper).map_err(not_run(&name))?.is_dir() {
        return Err(HelperError::NotRun { helper: name, why: "it is a directory".to_owned() });
    }
    let mut child = start(helper.as_os_str(), address).map_err(not_run(&name))?;
    let result = watch(&mut child, &name, limit, deadline);
    if result.is_err() {
        // It may have ended by itself. Where it has not, a thread waits for its
        // end, because a process stuck in the system outlives even a kill.
        let _ = child.kill();
        let _ = thread::Builder::new().spawn(move || child.wait());
    }
    result
}

fn start(helper: &OsStr, address: &str) -> io::Result<Child> {
    Command::new(helper)
        .arg("get")
        // Helpers keep a token per Vault and look it up by this variable. The
        // vault CLI leaves it as it is even when the address comes from a flag,
        // and a Vault would get another one's token; OpenBao's CLI sets both
        // (openbao#314, `command/config/util.go`).
        .env("VAULT_ADDR", address)
        .env("BAO_ADDR", address)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

fn not_run(helper: &str) -> impl Fn(io::Error) -> HelperError {
    move |error| HelperError::NotRun { helper: helper.to_owned(), why: os_cause(&error) }
}

/// The output of `child`, if it ends well before `deadline`.
fn watch(child: &mut Child, helper: &str, limit: Duration, deadline: Instant) -> Result<Vec<u8>, HelperError> {
    let not_run = not_run(helper);
    let closed = || not_run(io::Error::other("its output is not there"));
    let output = read_output(child.stdout.take().ok_or_else(closed)?).map_err(&not_run)?;
    let complaint = read_complaint(child.stderr.take().ok_or_else(closed)?).map_err(&not_run)?;
    let helper = helper.to_owned();
    let output = match output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(output) => output.map_err(&not_run)?,
        Err(_) if child.try_wait().map_err(&not_run)?.is_some() => return Err(HelperError::HeldOpen { helper, limit }),
        Err(_) => return Err(HelperError::Slow { helper, limit }),
    };
    if output.len() as u64 > OUTPUT_LIMIT {
        return Err(HelperError::TooLong(helper));
    }
    // Nearly always the helper ends right after its output does. Waiting for it
    // in a thread would take the handle away that it must be killed by.
    let status = loop {
        match child.try_wait().map_err(&not_run)? {
            Some(status) => break status,
            None if Instant::now() >= deadline => return Err(HelperError::Slow { helper, limit }),
            None => thread::sleep(Duration::from_millis(2)),
        }
    };
    if status.success() {
        return Ok(output);
    }
    let complaint = complaint.recv_timeout(COMPLAINT_WAIT).unwrap_or_default();
    Err(HelperError::Failed { helper, how: how(status), complaint })
}

/// Reads up to one byte more than is allowed. In a thread, as are the
/// complaints: neither pipe may be full while the other is waited for. The
/// thread is left alone when time is up; a program that keeps the pipe open
/// cannot be told to close it.
fn read_output(stdout: ChildStdout) -> io::Result<Receiver<io::Result<Vec<u8>>>> {
    let (send, receive) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let mut output = Vec::new();
        let read = stdout.take(OUTPUT_LIMIT + 1).read_to_end(&mut output);
        // The receiver is gone after the timeout.
        let _ = send.send(read.map(|_| output));
    })?;
    Ok(receive)
}

/// Reads the first line that is not blank, and lets the rest run away.
fn read_complaint(mut stderr: ChildStderr) -> io::Result<Receiver<String>> {
    let (send, receive) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let mut start = BufReader::new((&mut stderr).take(COMPLAINT_LIMIT));
        let mut line = Vec::new();
        while line.trim_ascii().is_empty() {
            line.clear();
            if !matches!(start.read_until(b'\n', &mut line), Ok(1..)) {
                break;
            }
        }
        let _ = send.send(String::from_utf8_lossy(line.trim_ascii()).into_owned());
        let _ = io::copy(&mut stderr, &mut io::sink());
    })?;
    Ok(receive)
}

fn how(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        // `signal: 9 (SIGKILL)`
        None => status.to_string().replacen(": ", " ", 1),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests;
