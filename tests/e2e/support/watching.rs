//! A running `sync --watch`: starts it, reads its output, and stops it.

use crate::support::fixture::Ran;
use crate::support::process_cost::costs;
use harness::http::Http;
use harness::process::{Scratch, port};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longest wait for something that should come soon (a key is retired after 30
/// polls); the machine may be busy.
const SOON: Duration = Duration::from_secs(150);

/// One run. Dropped, it is killed.
pub struct Watching {
    child: Child,
    log: PathBuf,
    http: Http,
    _folder: Scratch,
}

impl Watching {
    /// Starts the plugin with `sync --watch`, metrics on a port of its own.
    pub fn start(mut command: Command, words: &[&str]) -> Self {
        let folder = Scratch::new("watching").expect("a folder is made");
        let log = folder.path().join("log");
        let address = format!("127.0.0.1:{}", port().expect("a port"));
        command.args(["sync", "--watch", "--metrics-addr", &address]).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).expect("a log is made"));
        let child = command.spawn().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let http = Http::new(format!("http://{address}"), None, None).expect("a client");
        Self { child, log, http, _folder: folder }
    }

    /// What it has logged, each line without its time.
    pub fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map(|line| line.split_once(' ').map_or(line, |(_, rest)| rest).to_owned()).collect()
    }

    /// Waits for a line of the log with this text, and gives it.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_for_within(text, SOON)
    }

    /// The same, with its own patience.
    #[track_caller]
    pub fn wait_for_within(&self, text: &str, within: Duration) -> String {
        let start = Instant::now();
        loop {
            if let Some(line) = self.log().into_iter().find(|line| line.contains(text)) {
                return line;
            }
            assert!(start.elapsed() < within, "no \"{text}\" in {:#?}", self.log());
            sleep(Duration::from_millis(20));
        }
    }

    /// Body and status of a path of its server; none while it does not listen.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        self.http.send("GET", path, &[], None).ok().map(|answer| (answer.status, answer.text))
    }

    /// Waits until it says that it is ready.
    #[track_caller]
    pub fn wait_ready(&self) {
        let start = Instant::now();
        while self.get("/readyz").is_none_or(|(status, _)| status != 200) {
            assert!(start.elapsed() < SOON, "{:?} {:#?}", self.get("/readyz"), self.log());
            sleep(Duration::from_millis(20));
        }
    }

    /// The value of the one series with this name and these labels.
    #[track_caller]
    pub fn figure(&self, series: &str) -> f64 {
        let (_, text) = self.get("/metrics").expect("it serves");
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {series} in\n{text}"))
    }

    /// What it costs; see [`costs`].
    pub fn costs(&self) -> (u64, u64, f64) {
        costs(self.child.id())
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Tells it to stop, and says how long it took and how it ended.
    pub fn stop(mut self) -> (Duration, Ran) {
        let start = Instant::now();
        self.signal("TERM");
        let status = self.child.wait().expect("it ends");
        let log = fs::read_to_string(&self.log).expect("it has a log");
        (start.elapsed(), Ran { code: status.code().unwrap_or(-1), stdout: String::new(), stderr: log })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
