//! Errors of a cluster, as the user reads them. `api_server` decides which of them
//! occurred.

use crate::cluster::kubeconfig::KubeconfigError;
use crate::cluster::service_account::ServiceAccount;
use crate::shell::word;
use shared::text::{lines, one_line};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The ClusterRole that allows to read a cluster's issuer and keys
/// (kubernetes `plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go`).
pub const DISCOVERY_ROLE: &str = "system:service-account-issuer-discovery";

/// Where a request went, for messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerContext {
    pub server: String,
    /// The context; `None` in a pod or where flags alone say where to.
    pub context: Option<String>,
    pub user: Option<String>,
    /// The proxy on the way, without user and password.
    pub proxy: Option<String>,
    /// kubectl's flags for the same place, each preceded by a space.
    pub kubectl_flags: String,
}

impl ServerContext {
    fn kubectl(&self, verb: &str) -> String {
        format!("kubectl {verb}{}", self.kubectl_flags)
    }

    fn through_proxy(&self) -> String {
        self.proxy.as_ref().map(|url| format!(" through proxy \"{}\"", one_line(url))).unwrap_or_default()
    }

    fn of_user(&self) -> String {
        self.user.as_ref().map(|user| format!(" of user \"{}\"", one_line(user))).unwrap_or_default()
    }

    fn credentials(&self) -> String {
        if self.user.is_none() && self.context.is_some() {
            return "a request without credentials".to_owned();
        }
        format!("the credentials{}", self.of_user())
    }
}

impl fmt::Display for ServerContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "API server \"{}\"", one_line(&self.server))?;
        match &self.context {
            Some(context) => write!(f, " of context \"{}\"", one_line(context)),
            None => Ok(()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    #[error(transparent)]
    Kubeconfig(Box<KubeconfigError>),
    #[error("credential plugin \"{}\"{} failed: {}", one_line(.command), .at.of_user(), one_line(.cause))]
    CredentialPlugin {
        at: Arc<ServerContext>,
        command: String,
        /// Why it gave none; nothing of what it printed to stdout.
        cause: String,
        install_hint: Option<String>,
        /// How to log in to the cluster's cloud.
        login: Option<String>,
    },
    /// Credentials, certificates or settings that make no client.
    #[error("could not set up the connection to {at}: {}", one_line(.cause))]
    Setup { at: Arc<ServerContext>, cause: String },
    #[error("could not reach {at}{}: {}", .at.through_proxy(), one_line(.cause))]
    Unreachable { at: Arc<ServerContext>, cause: String },
    #[error("{at} did not answer \"{}\"{} within {}", one_line(.request), .at.through_proxy(), shown(*.after))]
    Timeout {
        at: Arc<ServerContext>,
        /// Method and path, here and below.
        request: String,
        after: Duration,
    },
    #[error("the credential plugin of {} is not done within {}", plugin_of(.context), shown(*.after))]
    SlowPlugin {
        /// The context; `None` for the current one.
        context: Option<String>,
        after: Duration,
    },
    #[error("the certificate of {at} is not trusted: {}", one_line(.cause))]
    Untrusted {
        at: Arc<ServerContext>,
        cause: String,
        /// Whether the name is what does not fit.
        name: bool,
    },
    #[error("{at} refused {}: the client certificate expired{}", .at.credentials(), since(.expired))]
    ClientCertificateExpired { at: Arc<ServerContext>, expired: Option<String> },
    #[error("{at} refused {}: {}", .at.credentials(), one_line(.words))]
    Unauthorized { at: Arc<ServerContext>, words: String },
    #[error("no right to read \"{}\" from {at}: {}", one_line(.path), one_line(.words))]
    DiscoveryForbidden { at: Arc<ServerContext>, path: &'static str, words: String },
    #[error(
        "no right to create serviceaccounts/token for \"{}\" at {at}: {}",
        one_line(&.account.to_string()),
        one_line(.words)
    )]
    TokenForbidden { at: Arc<ServerContext>, account: ServiceAccount, words: String },
    #[error("no right to get namespace \"kube-system\" from {at}: {}", one_line(.words))]
    UidForbidden { at: Arc<ServerContext>, words: String },
    #[error("service account \"{}\" does not exist at {at}", one_line(&.account.to_string()))]
    ServiceAccountMissing { at: Arc<ServerContext>, account: ServiceAccount },
    #[error("namespace \"{}\" does not exist at {at}", one_line(.namespace))]
    NamespaceMissing { at: Arc<ServerContext>, namespace: String },
    #[error("{at} does not serve \"{}\": {}", one_line(.path), one_line(.words))]
    DiscoveryMissing { at: Arc<ServerContext>, path: &'static str, words: String },
    #[error("{at} answered \"{}\" with {status}: {}", one_line(.request), one_line(.words))]
    Refused { at: Arc<ServerContext>, request: String, status: u16, words: String, retry_after: Option<Duration> },
    #[error("{at} answered \"{}\" with more than {} KiB", one_line(.request), .limit / 1024)]
    TooLarge {
        at: Arc<ServerContext>,
        request: String,
        /// In bytes.
        limit: usize,
    },
    #[error("{at} answered \"{}\" with something else than expected: {}", one_line(.request), one_line(.cause))]
    BadAnswer {
        at: Arc<ServerContext>,
        request: String,
        /// What is wrong; nothing of the answer itself.
        cause: String,
    },
    /// A name that cannot be part of a request path.
    #[error("\"{}\" is not the name of a {kind}", one_line(.name))]
    NotAName {
        /// `namespace` or `service account`.
        kind: &'static str,
        name: String,
    },
}

impl From<KubeconfigError> for ClusterError {
    fn from(error: KubeconfigError) -> Self {
        Self::Kubeconfig(Box::new(error))
    }
}

fn shown(bound: Duration) -> String {
    if bound.subsec_nanos() == 0 { shared::duration::short(bound) } else { format!("{bound:?}") }
}

fn since(expired: &Option<String>) -> String {
    expired.as_ref().map(|time| format!(" on {time}")).unwrap_or_default()
}

impl ClusterError {
    /// Whether the server accepts the credentials, and answers that access is denied or that
    /// the object does not exist.
    pub fn is_of_rights(&self) -> bool {
        matches!(
            self,
            Self::DiscoveryForbidden { .. }
                | Self::DiscoveryMissing { .. }
                | Self::UidForbidden { .. }
                | Self::TokenForbidden { .. }
                | Self::NamespaceMissing { .. }
                | Self::ServiceAccountMissing { .. }
        )
    }

    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What to run or to change next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Kubeconfig(error) => return error.hint(),
            Self::CredentialPlugin { install_hint: Some(text), .. } => lines(text.trim()),
            Self::CredentialPlugin { login: Some(login), .. } => format!("log in: {login}"),
            Self::CredentialPlugin { at, .. } | Self::Unauthorized { at, .. } => at.kubectl("auth whoami"),
            Self::Setup { at, .. } => at.kubectl("config view --minify"),
            Self::Timeout { at, .. } => {
                format!("give it longer with --request-timeout, or look with: {}", at.kubectl("cluster-info"))
            }
            Self::SlowPlugin { context, .. } => {
                let context = context.iter().map(|name| format!(" --context {}", word(name))).collect::<String>();
                format!("see what it waits for: kubectl auth whoami{context}")
            }
            Self::Untrusted { at, name, .. } => {
                let what = if *name { "name with --tls-server-name" } else { "authority with --certificate-authority" };
                let look = at.kubectl("config view --minify");
                format!("if the server is the right one, give its {what}; look with: {look}")
            }
            Self::ClientCertificateExpired { at, .. } => {
                format!("renew the certificate; see where it is kept with: {}", at.kubectl("config view --minify"))
            }
            Self::DiscoveryForbidden { at, words, path } => discovery_hint(at, words, path),
            Self::TokenForbidden { at, account, .. } => at.kubectl(&format!(
                "auth can-i create serviceaccounts --subresource=token -n {}",
                word(&account.namespace)
            )),
            Self::UidForbidden { .. } => "let who may run this, and give its answer with --cluster-uid: \
                 kubectl get namespace kube-system -o jsonpath={.metadata.uid}"
                .to_owned(),
            Self::ServiceAccountMissing { at, account } => {
                at.kubectl(&format!("create serviceaccount {} -n {}", word(&account.name), word(&account.namespace)))
            }
            Self::NamespaceMissing { at, .. } => at.kubectl("get namespaces"),
            Self::DiscoveryMissing { .. } => {
                "the cluster needs an https --service-account-issuer; name the issuer with --issuer".to_owned()
            }
            Self::Refused { at, status: 429 | 500..=599, .. } => at.kubectl("get --raw '/readyz?verbose'"),
            Self::Unreachable { at, .. }
            | Self::Refused { at, .. }
            | Self::TooLarge { at, .. }
            | Self::BadAnswer { at, .. } => at.kubectl("cluster-info"),
            Self::NotAName { .. } => return None,
        })
    }
}

fn plugin_of(context: &Option<String>) -> String {
    context.as_ref().map_or_else(|| "the current context".to_owned(), |name| format!("context \"{}\"", one_line(name)))
}

/// The command that grants the right, with the subject as the server named
/// it; a placeholder where it named none that can be pasted into a shell.
fn discovery_hint(at: &ServerContext, words: &str, path: &str) -> String {
    let user = words.split_once("User \"").and_then(|(_, rest)| rest.split_once('"')).map(|(user, _)| user);
    if user == Some("system:anonymous") {
        return format!("the request carried no credentials; look with: {}", at.kubectl("config view --minify"));
    }
    let service_account = user.and_then(|name| name.strip_prefix("system:serviceaccount:"));
    let subject = match (service_account, user) {
        (Some(account), _) if word(account) == account => format!("--serviceaccount={account}"),
        (None, Some(user)) if word(user) == user => format!("--user={user}"),
        _ => "--user=<you>".to_owned(),
    };
    // The keys have no other way: --issuer alone does not bring them.
    let or = if path.ends_with("openid-configuration") { "name the issuer with --issuer, or " } else { "" };
    format!(
        "{or}let a cluster administrator run: \
         kubectl create clusterrolebinding vaultjwt-issuer-discovery --clusterrole={DISCOVERY_ROLE} {subject}"
    )
}

#[cfg(test)]
mod tests;
