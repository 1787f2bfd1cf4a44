//! The flags as typed.

use std::ffi::OsString;

#[derive(Default)]
pub(crate) struct Flags {
    pub jwt_file: Option<OsString>,
    pub role: Option<String>,
    pub mount: Option<String>,
    pub token_file: Option<OsString>,
    pub info_file: Option<OsString>,
    pub mode: Option<String>,
    pub owner: Option<String>,
    pub group: Option<String>,
    pub timeout: Option<String>,
    pub splay: Option<String>,
    pub no_env: bool,
    pub command: Option<Vec<OsString>>,
    pub vault_addr: Option<String>,
    pub vault_namespace: Option<String>,
    pub vault_ca_cert: Option<String>,
    pub vault_tls_server_name: Option<String>,
    pub vault_skip_verify: Option<bool>,
    pub quiet: bool,
    pub log_format: Option<String>,
    pub watch: bool,
    pub renew: bool,
    pub revoke_on_exit: bool,
}
