//! Servers that tests reuse: another test may have used a [`PooledVault`] before, but it is
//! like new.
//!
//! A start takes seconds; to remove what a test made takes a few requests.
//! A server goes back only if, after that, it shows what it showed when it was
//! new, and if its test passed and neither stopped nor sealed it. Tests about
//! storage, leaders or what a server knows when it is new start one of their own.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::vault_config::{Storage, VaultOptions};
use super::{Product, ServerError, VaultServer, success};
use crate::process::{Turn, locked};

/// Longest wait until `OpenBao` has removed a namespace.
const SOON: Duration = Duration::from_secs(20);

/// An unused server, and what it shows when it is like new.
#[derive(Debug)]
struct Idle {
    server: VaultServer,
    new: Value,
}

static IDLE: Mutex<Vec<Idle>> = Mutex::new(Vec::new());

/// A server to use alone. Dropped, it is there for the next test.
#[derive(Debug)]
pub struct PooledVault {
    /// Taken only by drop.
    server: Option<VaultServer>,
    /// What it shows when it is as new; none where it is not to be used again.
    new: Option<Value>,
    /// Others work when it is as new again.
    _turn: Turn,
}

impl PooledVault {
    /// Takes one that is idle, or starts one where there is none, when it is this
    /// thread's [`Turn`].
    ///
    /// # Errors
    /// The peer is missing, or the server does not become ready.
    pub fn take(options: VaultOptions) -> Result<Self, ServerError> {
        Self::take_with(options, Turn::take())
    }

    /// As [`PooledVault::take`], for a test that mostly waits.
    ///
    /// # Errors
    /// The peer is missing, or the server does not become ready.
    pub fn take_to_wait(options: VaultOptions) -> Result<Self, ServerError> {
        Self::take_with(options, Turn::beside())
    }

    fn take_with(options: VaultOptions, turn: Turn) -> Result<Self, ServerError> {
        let shared = options.storage == Storage::Raft && options.trusts.is_none();
        if !shared {
            return Ok(Self { server: Some(VaultServer::start(options)?), new: None, _turn: turn });
        }
        let plain = VaultOptions { namespaces: Vec::new(), ..options.clone() };
        let found = {
            let mut idle = locked(&IDLE);
            let found = idle.iter().position(|idle| *idle.server.options() == plain);
            found.map(|at| idle.swap_remove(at))
        };
        let Idle { server, new } = match found {
            Some(idle) => idle,
            None => {
                let server = VaultServer::start(plain)?;
                let new = shown(&server)?;
                Idle { server, new }
            }
        };
        server.forget_requests();
        for namespace in &options.namespaces {
            server.create_namespace(namespace)?;
        }
        Ok(Self { server: Some(server), new: Some(new), _turn: turn })
    }
}

impl Deref for PooledVault {
    type Target = VaultServer;

    #[allow(clippy::expect_used, reason = "only drop takes it")]
    fn deref(&self) -> &VaultServer {
        self.server.as_ref().expect("a server in use")
    }
}

impl Drop for PooledVault {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            // Before the requests that clean it; a server that goes away records none again.
            server.record_requests();
        }
        let (Some(server), Some(new)) = (self.server.take(), self.new.take()) else { return };
        // A failed test can have left anything, and its log is of use.
        if thread::panicking() || server.was_disturbed() {
            return;
        }
        if clean(&server, &new).is_ok_and(|shows| shows == new) {
            locked(&IDLE).push(Idle { server, new });
        }
    }
}

/// The answer to a read, or null where there is nothing.
fn data(server: &VaultServer, namespace: &str, path: &str) -> Result<Value, ServerError> {
    let answer = server.http_as(server.root_token(), namespace, "GET", path, None)?;
    if answer.status == 404 {
        return Ok(Value::Null);
    }
    Ok(success(path, answer)?.json()["data"].clone())
}

/// The names in a list.
fn keys(data: &Value) -> BTreeSet<String> {
    let keys = data["keys"].as_array().into_iter().flatten();
    keys.filter_map(|key| key.as_str().map(str::to_owned)).collect()
}

/// The lists of what a test can make, each with the path at which one is removed.
const LISTS: [(&str, &str); 2] =
    [("sys/policies/acl?list=true", "sys/policies/acl/"), ("auth/token/accessors?list=true", "")];

/// Everything that is compared. Entities are left out: one belongs to a mount,
/// and no two mounts are the same.
fn shown(server: &VaultServer) -> Result<Value, ServerError> {
    let mut shown = json!({"default": data(server, "", "sys/policies/acl/default")?});
    for path in ["sys/auth", "sys/mounts", "sys/audit", LISTS[0].0, LISTS[1].0] {
        shown[path] = data(server, "", path)?;
    }
    if server.product() == Product::OpenBao {
        shown["namespaces"] = json!(keys(&data(server, "", "sys/namespaces?list=true")?));
    }
    Ok(shown)
}

/// Removes what was not there when it was new, and gives what it shows then.
fn clean(server: &VaultServer, new: &Value) -> Result<Value, ServerError> {
    if server.product() == Product::OpenBao {
        remove_namespaces(server, "")?;
    }
    for (list, of) in [("sys/auth", "sys/auth/"), ("sys/mounts", "sys/mounts/")] {
        let there = data(server, "", list)?;
        for mount in there.as_object().into_iter().flat_map(|mounts| mounts.keys()) {
            if new[list].get(mount).is_none() {
                server.ok("DELETE", &format!("{of}{mount}"), None)?;
            }
        }
    }
    for (list, of) in LISTS {
        for name in keys(&data(server, "", list)?).difference(&keys(&new[list])) {
            if of.is_empty() {
                // It may have ended with its mount or its parent.
                let accessor = json!({"accessor": name});
                server.http("POST", "auth/token/revoke-accessor", Some(&accessor))?;
            } else {
                server.ok("DELETE", &format!("{of}{name}"), None)?;
            }
        }
    }
    shown(server)
}

/// Removes all namespaces below `parent`, from the leaves up.
fn remove_namespaces(server: &VaultServer, parent: &str) -> Result<(), ServerError> {
    let list = |parent: &str| data(server, parent, "sys/namespaces?list=true").map(|data| keys(&data));
    for name in list(parent)? {
        remove_namespaces(server, format!("{parent}/{name}").trim_matches('/'))?;
        let path = format!("sys/namespaces/{}", name.trim_end_matches('/'));
        let removed = server.http_as(server.root_token(), parent, "DELETE", &path, None)?;
        success(&path, removed)?;
    }
    // It answers before all of it is gone.
    let start = Instant::now();
    while !list(parent)?.is_empty() && start.elapsed() < SOON {
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
