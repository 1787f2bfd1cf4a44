//! How to connect to one cluster, and with which credentials.

use crate::cloud::kubeconfig_entry::Entry;
use crate::cluster::ClusterTarget;
use crate::cluster::kubeconfig::overrides::KubeconfigOverrides;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable's value; an empty one counts as unset.
pub fn named(env: Env<'_>, name: &str) -> Option<String> {
    env(name).filter(|value| !value.is_empty())
}

/// The same, for as long as contexts are resolved.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

pub struct Connection {
    pub config: kube::Config,
    pub target: ClusterTarget,
    /// What the kubeconfig says about it, to identify its cloud.
    pub entry: Entry,
    /// The user entry's name; `None` in a pod, or where no user is chosen.
    pub user: Option<String>,
    /// Bound on one request; `None` for no bound.
    pub timeout: Option<Duration>,
    /// The flags with which kubectl connects to the same cluster, each preceded by a space: for
    /// hints.
    pub kubectl_flags: String,
}

// `Config` holds exec environments and auth-provider tokens, which kube's own
// `Debug` shows.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("target", &self.target).field("user", &self.user).finish_non_exhaustive()
    }
}

/// What holds for every connection, whatever it was made from.
pub fn finish(
    mut config: kube::Config,
    target: ClusterTarget,
    entry: Entry,
    user: Option<String>,
    flags: &KubeconfigOverrides,
    kubectl_flags: String,
) -> Connection {
    let timeout = match flags.request_timeout {
        None => Some(DEFAULT_TIMEOUT),
        Some(Duration::ZERO) => None,
        given => given,
    };
    // This program's bound covers connecting, and its error says how long that was.
    config.connect_timeout = config.connect_timeout.filter(|_| timeout.is_none());
    // kube would retry 15 times with growing pauses inside that bound, and its
    // caller would learn "timed out" in place of the server's answer.
    config.default_retry = false;
    Connection { config, target, entry, user, timeout, kubectl_flags }
}

/// Bound on one request where `--request-timeout` is not given. kubectl has
/// none; a plugin that is run in CI must not hang.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
