//! Logs in with new tokens, one after the other, while a test changes the cluster or the mount.

use harness::http::Http;
use harness::server::{AddressSwitch, Cluster, VaultServer};
use serde_json::json;
use shared::Secret;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Time from one login to the next.
pub const EVERY: Duration = Duration::from_millis(50);

#[derive(Debug, Clone)]
struct Login {
    at: Instant,
    refused: Option<String>,
}

/// What became of the logins.
#[derive(Debug, Default)]
pub struct Load {
    stop: AtomicBool,
    logins: Mutex<Vec<Login>>,
}

/// Whether Vault takes a token; its words where it does not. An answer that
/// never comes is asked for again: Vault 1.21.2 can drop a login that meets a
/// write of the configuration.
pub fn log_in(vault: &VaultServer, jwt: &str) -> Result<(), String> {
    let body = json!({"role": "app", "jwt": jwt});
    for _ in 0..3 {
        match vault.http_as(&Secret::new(""), "", "POST", "auth/jwt/login", Some(&body)) {
            Ok(answer) if answer.is_success() => return Ok(()),
            Ok(answer) if answer.status == 400 => return Err(answer.text),
            _ => {}
        }
    }
    Err("no answer, three times".to_owned())
}

impl Load {
    /// Asks the proxy for a token of shop:app and logs in with it, every 50 ms,
    /// until it is stopped. An API server that is being switched may miss
    /// its turn.
    pub fn run(&self, cluster: &Cluster, proxy: &AddressSwitch, vault: &VaultServer) {
        let http: Http = cluster.http_at(&proxy.url()).expect("a client");
        while !self.stop.load(Ordering::SeqCst) {
            let start = Instant::now();
            if let Ok(token) = cluster.token_by(&http, "shop", "app", &["vault"]) {
                let at = Instant::now();
                let refused = log_in(vault, token.expose()).err();
                self.logins.lock().unwrap_or_else(PoisonError::into_inner).push(Login { at, refused });
            }
            thread::sleep(EVERY.saturating_sub(start.elapsed()));
        }
    }

    pub fn end(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    fn since(&self, start: Instant) -> Vec<Login> {
        let logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.iter().filter(|login| login.at >= start).cloned().collect()
    }

    /// How many logins there were since then.
    pub fn count(&self, start: Instant) -> usize {
        self.since(start).len()
    }

    /// The refusals since then.
    pub fn refused(&self, start: Instant) -> Vec<String> {
        self.since(start).into_iter().filter_map(|login| login.refused).collect()
    }

    /// From the first refusal since then to the first login that was granted
    /// after the last one.
    pub fn span(&self, start: Instant) -> Duration {
        let logins = self.since(start);
        let Some(first) = logins.iter().find(|login| login.refused.is_some()) else { return Duration::ZERO };
        let last = logins.iter().rposition(|login| login.refused.is_some()).unwrap_or_default();
        let end = logins.get(last + 1).map_or_else(Instant::now, |login| login.at);
        end.duration_since(first.at)
    }

    /// Waits until the last so many logins were granted.
    pub fn wait_granted(&self, many: usize, within: Duration) {
        let start = Instant::now();
        loop {
            let last = self.since(start);
            if last.len() >= many && last[last.len() - many..].iter().all(|login| login.refused.is_none()) {
                return;
            }
            assert!(start.elapsed() < within, "{:?}", last.last());
            thread::sleep(EVERY);
        }
    }
}
