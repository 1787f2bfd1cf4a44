//! The port to the token that a watcher uses: its TTL, its renewal, and the logins that
//! give the next one. (Field names: Vault's API documentation, `auth/token` and
//! `auth/approle`.)

use crate::vault::http::client::Client;
use crate::vault::{Document, VaultError};
use async_trait::async_trait;
use reqwest::Method;
use serde_json::{Value, json};
use shared::Secret;
use shared::lease::{self, Lease};
use shared::mount::MountPath;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginCredentials {
    /// A service account token, for a mount of type `jwt` or `kubernetes`:
    /// both take the same fields.
    Jwt { mount: MountPath, role: String, jwt: Secret },
    AppRole {
        mount: MountPath,
        role_id: Secret,
        /// Its secret id, where the role binds one.
        secret_id: Option<Secret>,
    },
}

#[async_trait]
pub trait SessionToken: Send + Sync {
    /// The token that requests carry, where there is one.
    fn held(&self) -> Option<Secret>;

    /// Requests carry `token` from now on.
    fn hold(&self, token: Option<Secret>);

    /// `GET auth/token/lookup-self`
    async fn look_up(&self) -> Result<Lease, VaultError>;

    /// `POST auth/token/renew-self`
    async fn renew(&self) -> Result<Lease, VaultError>;

    /// `POST auth/<mount>/login`; acts with the token from now on.
    async fn log_in(&self, credentials: &LoginCredentials) -> Result<Lease, VaultError>;
}

fn lease(fields: &Document, seconds: &str) -> Lease {
    let ttl = fields.get(seconds).and_then(Value::as_u64).filter(|seconds| *seconds > 0).map(lease::from_seconds);
    Lease { ttl, renewable: fields.get("renewable").and_then(Value::as_bool).unwrap_or(false) }
}

#[async_trait]
impl SessionToken for Client {
    fn held(&self) -> Option<Secret> {
        self.token()
    }

    fn hold(&self, token: Option<Secret>) {
        self.act_with(token);
    }

    async fn look_up(&self) -> Result<Lease, VaultError> {
        Ok(lease(&self.ask(Method::GET, vec!["auth", "token", "lookup-self"]).await?, "ttl"))
    }

    async fn renew(&self) -> Result<Lease, VaultError> {
        let answer = self.write(vec!["auth", "token", "renew-self"], &json!({}), self.token()).await?;
        Ok(lease(&self.member("POST auth/token/renew-self", answer, "auth")?, "lease_duration"))
    }

    async fn log_in(&self, credentials: &LoginCredentials) -> Result<Lease, VaultError> {
        let (mount, body) = match credentials {
            LoginCredentials::Jwt { mount, role, jwt } => (mount, json!({"role": role, "jwt": jwt.expose()})),
            LoginCredentials::AppRole { mount, role_id, secret_id } => {
                let mut body = json!({"role_id": role_id.expose()});
                if let (Some(secret_id), Some(body)) = (secret_id, body.as_object_mut()) {
                    body.insert("secret_id".to_owned(), json!(secret_id.expose()));
                }
                (mount, body)
            }
        };
        let (token, auth) = self.log_in_at(mount, &body).await?;
        self.act_with(Some(token));
        Ok(lease(&auth, "lease_duration"))
    }
}
