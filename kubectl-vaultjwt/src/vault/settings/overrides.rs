//! What the user sets over the environment and the files of Vault's CLI.

use std::time::Duration;

/// Each value that is set replaces the environment variable in its comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VaultOverrides {
    /// `VAULT_ADDR`
    pub addr: Option<String>,
    /// `VAULT_NAMESPACE`
    pub namespace: Option<String>,
    /// `VAULT_CACERT`
    pub ca_cert: Option<String>,
    /// `VAULT_CAPATH`
    pub ca_path: Option<String>,
    /// `VAULT_SKIP_VERIFY`
    pub skip_verify: Option<bool>,
    /// `VAULT_TLS_SERVER_NAME`
    pub tls_server_name: Option<String>,
    /// `VAULT_CLIENT_TIMEOUT`; zero for no limit.
    pub timeout: Option<Duration>,
}
