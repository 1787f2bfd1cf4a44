//! Starts etcd. One etcd for each process stores the objects of all its clusters, each below
//! its own prefix.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{ServerError, ready, text, with_free_ports};
use crate::http::Http;
use crate::peers::{self, Peer};
use crate::process::{self, Scratch, Supervised, clean_environment, locked};

/// For etcd and API servers, of which many run at once: Go collects garbage less
/// often, which takes memory for CPU time. What tests measure does not get it.
pub(super) const GOGC: (&str, &str) = ("GOGC", "400");

/// A running etcd, which ends with the process.
#[derive(Debug)]
struct Etcd {
    // Stops before its folder goes: fields drop in this order.
    server: Supervised,
    _scratch: Scratch,
    address: String,
}

/// Where a cluster keeps its objects. They stay when the cluster is gone.
#[derive(Debug, Clone)]
pub(super) struct Store {
    /// etcd's address for clients.
    pub(super) address: String,
    /// What all its keys begin with (`--etcd-prefix`).
    pub(super) prefix: String,
}

impl Store {
    /// An empty one. etcd is started where it does not run.
    ///
    /// # Errors
    /// etcd is missing, or does not become ready.
    pub(super) fn new() -> Result<Self, ServerError> {
        static ETCD: Mutex<Option<Etcd>> = Mutex::new(None);
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let program = peers::locate(Peer::Etcd)?;
        let mut etcd = locked(&ETCD);
        let address = match etcd.as_ref().filter(|etcd| etcd.server.ended().is_none()) {
            Some(running) => running.address.clone(),
            None => etcd.insert(with_free_ports(|| Etcd::start(&program))?).address.clone(),
        };
        Ok(Self { address, prefix: format!("/cluster-{}", COUNT.fetch_add(1, Ordering::Relaxed)) })
    }
}

impl Etcd {
    fn start(program: &Path) -> Result<Self, ServerError> {
        let scratch = Scratch::new("etcd").map_err(ServerError::io("making a folder"))?;
        let port = process::port_pair().map_err(ServerError::io("choosing ports"))?;
        let client = format!("http://127.0.0.1:{port}");
        let peer = format!("http://127.0.0.1:{}", port + 1);
        let arguments = [
            "--name=default".to_owned(),
            format!("--data-dir={}", text(&scratch.path().join("etcd"))),
            // Nothing here has to survive a power cut.
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
        ];
        let server = Supervised::start(&scratch, "etcd", program, arguments, |command| {
            clean_environment(command, scratch.path(), &[]);
            command.env(GOGC.0, GOGC.1).current_dir(scratch.path());
        });
        let server = server.map_err(ServerError::io("starting etcd"))?;
        let http = Http::new(client.clone(), None, None)?;
        ready::wait(&server, || match http.send("GET", "/health", &[], None) {
            Ok(answer) if answer.json()["health"] == "true" => Ok(()),
            Ok(answer) => Err(format!("/health: HTTP {}: {}", answer.status, answer.text)),
            Err(error) => Err(error.to_string()),
        })?;
        Ok(Self { server, _scratch: scratch, address: client })
    }
}
