//! What the user sets over the kubeconfig (client-go `ConfigOverrides`).

use std::path::PathBuf;
use std::time::Duration;

/// Each value that is set replaces the kubeconfig's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubeconfigOverrides {
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
    pub cluster: Option<String>,
    pub user: Option<String>,
    pub namespace: Option<String>,
    pub server: Option<String>,
    pub certificate_authority: Option<PathBuf>,
    pub client_certificate: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    pub tls_server_name: Option<String>,
    /// Refused where it is true: an unverified API server could be any server.
    pub insecure_skip_tls_verify: Option<bool>,
    pub impersonate: Option<String>,
    pub impersonate_uid: Option<String>,
    pub impersonate_groups: Vec<String>,
    pub impersonate_user_extra: Vec<(String, String)>,
    /// Zero for no limit.
    pub request_timeout: Option<Duration>,
}
