//! Where keys go: the port to Vault or OpenBao, and the documents that cross it.
//! `http::client` is the port's one implementation.

pub mod error;
pub mod http;
pub mod mount;
pub mod refusal;
pub mod session;
pub mod settings;

pub use error::VaultError;

use async_trait::async_trait;
use serde_json::{Map, Value};
use shared::Secret;
use shared::mount::MountPath;
use std::collections::BTreeMap;

/// The data of a Vault answer, exactly as sent: fields we do not know stay.
pub type Document = Map<String, Value>;

/// A mount's configuration, and when it was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `None` where nothing is configured yet.
    pub document: Option<Document>,
    /// Vault's clock, from the answer's `Date` header.
    pub date: Option<jiff::Timestamp>,
}

#[derive(Clone, Debug)]
pub struct LoginResult {
    pub token: Secret,
    /// No secret.
    pub accessor: String,
    pub policies: Vec<String>,
    pub lease_seconds: u64,
}

/// The port to one Vault, in one namespace, with one token. Where standbys
/// answer by themselves, every request but the first is answered by the active
/// node: no change may be planned on the first.
#[async_trait]
pub trait Vault: Send + Sync {
    /// The address requests go to, as the user gave it.
    fn address(&self) -> &str;

    /// The namespace they go to; `None` for the root namespace.
    fn namespace(&self) -> Option<&str>;

    /// `GET sys/auth`: mount path (without the trailing slash) to auth type.
    async fn auth_mounts(&self) -> Result<BTreeMap<String, String>, VaultError>;

    /// `POST sys/auth/<mount>` with type `jwt`.
    async fn enable_jwt(&self, mount: &MountPath) -> Result<(), VaultError>;

    /// `GET auth/<mount>/config`
    async fn read_config(&self, mount: &MountPath) -> Result<Config, VaultError>;

    /// `POST auth/<mount>/config`. Replaces every field.
    async fn write_config(&self, mount: &MountPath, config: &Document) -> Result<(), VaultError>;

    /// Waits until no write of a configuration is on its way, and lets none
    /// begin meanwhile.
    async fn between_writes(&self) {}

    /// `GET auth/<mount>/role/<name>`; `None` where there is none (404).
    async fn read_role(&self, mount: &MountPath, name: &str) -> Result<Option<Document>, VaultError>;

    /// `LIST auth/<mount>/role`: names of all roles; empty where there is none.
    async fn list_roles(&self, mount: &MountPath) -> Result<Vec<String>, VaultError>;

    /// `LIST auth/<mount>/cel/role`: names of `OpenBao`'s CEL roles; empty on
    /// Vault, which has none.
    async fn list_cel_roles(&self, mount: &MountPath) -> Result<Vec<String>, VaultError>;

    /// `DELETE auth/<mount>/role/<name>`.
    async fn delete_role(&self, mount: &MountPath, name: &str) -> Result<(), VaultError>;

    /// `POST auth/<mount>/role/<name>`. Merges into an existing role.
    async fn write_role(&self, mount: &MountPath, name: &str, role: &Document) -> Result<(), VaultError>;

    /// `GET sys/policies/acl/<name>`: whether there is such a policy.
    async fn policy_exists(&self, name: &str) -> Result<bool, VaultError>;

    /// `POST sys/capabilities-self`: what the token may do on each path.
    async fn capabilities(&self, paths: &[String]) -> Result<BTreeMap<String, Vec<String>>, VaultError>;

    /// `POST auth/<mount>/login`, without the operator's own token.
    async fn login(&self, mount: &MountPath, role: &str, jwt: &Secret) -> Result<LoginResult, VaultError>;

    /// `POST auth/token/revoke-self` with `token` in place of the operator's.
    async fn revoke(&self, token: &Secret) -> Result<(), VaultError>;
}
