//! Errors before any request is sent: files, entries, and flags that do not say which
//! cluster to connect to, or how.

use crate::shell::word;
use shared::text::one_line;
use std::fmt;
use std::path::{Path, PathBuf};

/// The kubeconfig files that were read, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubeconfigFiles {
    /// Whether `--kubeconfig` named the one file.
    pub by_flag: bool,
    pub paths: Vec<PathBuf>,
}

impl KubeconfigFiles {
    /// `kubectl <verb>` as it must be called to look at the same files.
    pub fn kubectl(&self, verb: &str) -> String {
        match self.paths.first() {
            Some(path) if self.by_flag => format!("kubectl {verb} --kubeconfig {}", word(&path.to_string_lossy())),
            _ => format!("kubectl {verb}"),
        }
    }
}

impl fmt::Display for KubeconfigFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.paths.is_empty() {
            return f.write_str("an empty kubeconfig");
        }
        let shown: Vec<String> = self.paths.iter().map(|p| quoted(p)).collect();
        f.write_str(&shown.join(", "))
    }
}

/// A path in quotes, safe to show.
pub fn quoted(path: &Path) -> String {
    format!("\"{}\"", one_line(&path.to_string_lossy()))
}

/// Why a connection shows nothing about the server at its other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotVerified {
    NoTls,
    ByEntry,
    ByFlag,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KubeconfigError {
    /// No file, and not in a pod either.
    #[error("no kubeconfig: {looked_at}, and this is not a pod of a cluster")]
    Missing { looked_at: String },
    /// A file that exists cannot be read, or `--kubeconfig` names none.
    #[error("could not read kubeconfig {}: {cause}", quoted(.path))]
    Unreadable { path: PathBuf, cause: String },
    #[error("kubeconfig {} is malformed: {}", quoted(.path), one_line(.cause))]
    Malformed {
        path: PathBuf,
        /// Where, and what was expected; no value from the file.
        cause: String,
    },
    #[error("no context is chosen: {files} has no current-context")]
    NoCurrentContext { files: KubeconfigFiles },
    #[error("{}context \"{}\" does not exist in {files}", if *.current { "current-" } else { "" }, one_line(.context))]
    UnknownContext { context: String, current: bool, files: KubeconfigFiles },
    #[error("context \"{}\" in {files} names no cluster", one_line(.context))]
    NoCluster { context: String, files: KubeconfigFiles },
    #[error("{kind} \"{}\"{} does not exist in {files}", one_line(.name), of_context(.context))]
    UnknownEntry {
        /// `cluster` or `user`.
        kind: &'static str,
        name: String,
        /// The context that names it; `None` where a flag does.
        context: Option<String>,
        files: KubeconfigFiles,
    },
    #[error("cluster \"{}\" in {files} has no server", one_line(.cluster))]
    NoServer { cluster: String, files: KubeconfigFiles },
    #[error("{what} \"{}\" of cluster \"{}\" cannot be used: {cause}", one_line(.url), one_line(.cluster))]
    BadUrl {
        /// `server` or `proxy-url`.
        what: &'static str,
        /// The address, without user and password.
        url: String,
        cluster: String,
        cause: String,
        files: KubeconfigFiles,
    },
    #[error("{}; another server could answer in its place", unverified(.cluster, .context, .server, .how))]
    Unverified {
        /// The cluster entry; `None` where only a flag names the server.
        cluster: Option<String>,
        context: Option<String>,
        /// The API server's URL, without user and password.
        server: String,
        how: NotVerified,
    },
    /// A certificate, key or token that an entry refers to.
    #[error("could not read {what} of {kind} \"{}\": {}", one_line(.name), one_line(.cause))]
    BadMaterial {
        /// Name of the field, with the file's path where there is one.
        what: String,
        /// `cluster` or `user`.
        kind: &'static str,
        name: String,
        cause: String,
        files: KubeconfigFiles,
    },
    #[error("user \"{}\" has a client certificate but no client key", one_line(.user))]
    NoClientKey { user: String, files: KubeconfigFiles },
    /// `gcp`, `azure` and the like, which client-go dropped in 1.26.
    #[error("user \"{}\" has the auth-provider \"{}\", which kubectl has no more", one_line(.user), one_line(.provider))]
    AuthProvider { user: String, provider: String },
    #[error("impersonating a group, UID or extra needs a user to impersonate")]
    NoImpersonatedUser,
    #[error("could not use the service account of this pod: {}", one_line(.cause))]
    InCluster { cause: String },
}

fn unverified(cluster: &Option<String>, context: &Option<String>, server: &str, how: &NotVerified) -> String {
    let what = match cluster {
        Some(name) => {
            format!("cluster \"{}\"{} is reached at \"{}\"", one_line(name), of_context(context), one_line(server))
        }
        None => format!("API server \"{}\" is reached", one_line(server)),
    };
    match how {
        NotVerified::NoTls => format!("{what} without TLS"),
        NotVerified::ByEntry => format!("{what} without verifying its TLS certificate (insecure-skip-tls-verify)"),
        NotVerified::ByFlag => format!("{what} without verifying its TLS certificate (--insecure-skip-tls-verify)"),
    }
}

/// The certificates that verify an API server, as every cluster publishes them
/// (kube-controller-manager, `root-ca-cert-publisher`).
const AUTHORITY: &str = "kubectl get configmap kube-root-ca.crt -n kube-system -o jsonpath='{.data.ca\\.crt}'";

fn of_context(context: &Option<String>) -> String {
    context.as_ref().map(|name| format!(" of context \"{}\"", one_line(name))).unwrap_or_default()
}

impl KubeconfigError {
    /// What to run or to change next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { .. } => {
                "name a file with --kubeconfig; see what kubectl finds with: kubectl config view".to_owned()
            }
            Self::Unreadable { path, .. } => format!("ls -l {}", word(&path.to_string_lossy())),
            Self::Malformed { path, .. } => {
                format!("kubectl config view --kubeconfig {}", word(&path.to_string_lossy()))
            }
            Self::NoCurrentContext { files } => {
                format!("choose one of these with --context: {}", files.kubectl("config get-contexts"))
            }
            Self::UnknownContext { files, .. } | Self::NoCluster { files, .. } => files.kubectl("config get-contexts"),
            Self::UnknownEntry { kind: "cluster", files, .. } => files.kubectl("config get-clusters"),
            Self::UnknownEntry { files, .. } => files.kubectl("config get-users"),
            // Over this connection the same command would show any server's certificate.
            Self::Unverified { how, .. } => {
                let change = match how {
                    NotVerified::NoTls => "use the https URL of the API server, with",
                    NotVerified::ByEntry => "add",
                    NotVerified::ByFlag => "replace --insecure-skip-tls-verify with",
                };
                format!(
                    "{change} --certificate-authority FILE; to get FILE, run this where the connection to the cluster is \
                     verified, or ask the cluster's administrator: {AUTHORITY}"
                )
            }
            Self::NoServer { files, .. }
            | Self::BadUrl { files, .. }
            | Self::BadMaterial { files, .. }
            | Self::NoClientKey { files, .. } => files.kubectl("config view"),
            Self::AuthProvider { provider, .. } => match provider.as_str() {
                "gcp" => "put gke-gcloud-auth-plugin in its place with: gcloud container clusters get-credentials",
                "azure" => "put kubelogin in its place with: kubelogin convert-kubeconfig",
                _ => "put an exec credential plugin in its place",
            }
            .to_owned(),
            Self::NoImpersonatedUser => "name the user with --as".to_owned(),
            Self::InCluster { .. } => "name a file with --kubeconfig".to_owned(),
        })
    }
}
