//! The logs of servers: the last lines for error messages, and a copy that is kept when a test fails.

use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, Weak};

use super::locked::locked;
use crate::workspace;

/// Tells whether the owner of a log still exists.
type Owner = Weak<dyn Any + Send + Sync>;

/// Name, log and owner of every running program.
static LOGS: Mutex<Vec<(String, PathBuf, Owner)>> = Mutex::new(Vec::new());

pub(super) fn register(name: &str, log: &Path, owner: Arc<dyn Any + Send + Sync>) {
    let mut logs = locked(&LOGS);
    logs.retain(|(_, _, owner)| owner.strong_count() > 0);
    logs.push((name.to_owned(), log.to_path_buf(), Arc::downgrade(&owner)));
}

/// The last `lines` lines of a file, empty when it cannot be read.
pub fn tail(file: &Path, lines: usize) -> String {
    let text = fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Failed runs whose logs are kept.
const RUNS_KEPT: usize = 20;

/// Copies the logs of all running servers out of the folders that will go
/// away, and returns where they are. Logs of runs long ago go.
pub fn keep_logs() -> Option<PathBuf> {
    static PRUNED: Once = Once::new();
    PRUNED.call_once(|| prune(&workspace::failed(), RUNS_KEPT - 1));
    let kept = workspace::failed().join(std::process::id().to_string());
    let mut any = false;
    for (name, log, owner) in locked(&LOGS).iter() {
        if owner.strong_count() == 0 {
            continue;
        }
        let folder = log.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let copy = kept.join(format!("{folder}-{name}.log"));
        any |= fs::create_dir_all(&kept).is_ok() && fs::copy(log, copy).is_ok();
    }
    any.then_some(kept)
}

/// Removes all folders in `folder` but the `newest` ones.
fn prune(folder: &Path, newest: usize) {
    let changed = |entry: fs::DirEntry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()));
    let mut runs: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().filter_map(changed).collect();
    runs.sort();
    let old = runs.len().saturating_sub(newest);
    for (_, run) in &runs[..old] {
        // Another process may be at it too.
        let _ = fs::remove_dir_all(run);
    }
}

/// Before a panic is reported, the servers' logs are put aside.
pub(super) fn keep_logs_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        if let Some(kept) = keep_logs() {
            // Held back by the test runner and shown with the failed test.
            eprintln!("logs of the servers: {}", kept.display());
        }
    }));
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn the_newest_runs_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..5u64 {
            let run = folder.path().join(format!("run-{number}"));
            fs::create_dir(&run).unwrap();
            fs::write(run.join("vault.log"), "a line\n").unwrap();
            let time = SystemTime::now() - Duration::from_secs(100 - number);
            File::open(&run).unwrap().set_modified(time).unwrap();
        }
        prune(folder.path(), 2);
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["run-3", "run-4"]);
        prune(&folder.path().join("nowhere"), 2);
    }
}
