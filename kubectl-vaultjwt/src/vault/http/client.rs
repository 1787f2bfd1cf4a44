//! Implements the port to Vault: which request each operation is, and what its answer
//! means.

use crate::vault::http::transport::{Answer, Call, RequestLog, Transport};
use crate::vault::refusal::Refused;
use crate::vault::settings::Settings;
use crate::vault::{Config, Document, LoginResult, Vault, VaultError};
use async_trait::async_trait;
use parking_lot::RwLock;
use reqwest::Method;
use serde_json::{Value, json};
use shared::Secret;
use shared::mount::MountPath;
use std::collections::BTreeMap;

pub struct Client {
    transport: Transport,
    /// What it acts with: at first, what the settings have.
    token: RwLock<Option<Secret>>,
    /// Held for reading while a configuration is written.
    writes: tokio::sync::RwLock<()>,
}

impl Client {
    /// Prepares a client; nothing is sent. `log` takes one line for each
    /// request.
    pub fn new(settings: Settings, log: RequestLog) -> Result<Self, VaultError> {
        let token = RwLock::new(settings.token.clone());
        Ok(Self { transport: Transport::new(settings, log)?, token, writes: tokio::sync::RwLock::default() })
    }

    pub(in crate::vault) fn token(&self) -> Option<Secret> {
        self.token.read().clone()
    }

    /// Requests carry `token` from now on.
    pub(in crate::vault) fn act_with(&self, token: Option<Secret>) {
        *self.token.write() = token;
    }

    fn settings(&self) -> &Settings {
        &self.transport.settings
    }

    /// Without a body, with the token that requests carry: the answer's `data`.
    pub(in crate::vault) async fn ask(&self, method: Method, path: Vec<&str>) -> Result<Document, VaultError> {
        let call = self.reading(method, path);
        let answer = self.send(&call).await?;
        self.member(&call.shown(), answer, "data")
    }

    fn reading<'a>(&self, method: Method, path: Vec<&'a str>) -> Call<'a> {
        Call { method, path, body: None, token: self.token() }
    }

    async fn list(&self, path: Vec<&str>) -> Result<Vec<String>, VaultError> {
        // Vault's own verb (and `?list=true` for those who have none).
        let list = Method::from_bytes(b"LIST").unwrap_or(Method::GET);
        let found = Self::if_there(self.ask(list, path).await)?.unwrap_or_default();
        let names = found.get("keys").and_then(Value::as_array).into_iter().flatten();
        Ok(names.filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// `None` where Vault has nothing there. It says 404 without a word then, and with words
    /// where the path itself is wrong (`no handler for route`, `unsupported path`,
    /// `namespace not found`).
    fn if_there(answer: Result<Document, VaultError>) -> Result<Option<Document>, VaultError> {
        match answer {
            Ok(data) => Ok(Some(data)),
            Err(VaultError::Refused(refused)) if refused.status == 404 && refused.errors.is_empty() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `LIST sys/policies/acl`: names of all policies that the token may see.
    pub async fn list_policies(&self) -> Result<Vec<String>, VaultError> {
        self.list(vec!["sys", "policies", "acl"]).await
    }

    /// `POST` with `token`: the whole answer, empty for 204.
    pub(in crate::vault) async fn write(
        &self,
        path: Vec<&str>,
        body: &Value,
        token: Option<Secret>,
    ) -> Result<Document, VaultError> {
        let body = Some(body.to_string().into_bytes());
        self.send(&Call { method: Method::POST, path, body, token }).await
    }

    async fn send(&self, call: &Call<'_>) -> Result<Document, VaultError> {
        let answer = self.transport.send(call).await?;
        self.accept(call, &answer)
    }

    /// Distinguishes Vault's success, Vault's refusal, and answers that are not Vault's.
    fn accept(&self, call: &Call<'_>, answer: &Answer) -> Result<Document, VaultError> {
        let address = || self.settings().address.shown.clone();
        if answer.sealed() {
            return Err(VaultError::Sealed { address: address() });
        }
        let good = (200..300).contains(&answer.status);
        if good && answer.body.is_empty() {
            return Ok(Document::new());
        }
        // Go's net/http to a client that speaks http to its TLS port.
        if answer.status == 400 && answer.body.starts_with(b"Client sent an HTTP request to an HTTPS server") {
            return Err(VaultError::SpeaksHttps { address: address() });
        }
        let document: Document = match serde_json::from_slice(&answer.body) {
            // Every answer of Vault's has one of the two.
            Ok(Value::Object(found)) if found.contains_key("errors") || found.contains_key("request_id") => found,
            _ => return Err(self.not_vault(&call.shown(), beginning(answer))),
        };
        if good {
            return Ok(document);
        }
        let errors = document.get("errors").and_then(Value::as_array).into_iter().flatten();
        Err(VaultError::Refused(Box::new(Refused {
            method: call.method.to_string(),
            path: call.shown_path(),
            status: answer.status,
            errors: errors.map(|e| e.as_str().map_or_else(|| e.to_string(), str::to_owned)).collect(),
            address: address(),
            namespace: self.settings().namespace.clone(),
            retry_after: answer.retry_after(),
        })))
    }

    /// `POST auth/<mount>/login`: the new token, and all of the answer's `auth`. No token is
    /// sent, the operator's as little as one that may be gone: the login must stand alone.
    pub(in crate::vault) async fn log_in_at(
        &self,
        mount: &MountPath,
        body: &Value,
    ) -> Result<(Secret, Document), VaultError> {
        let answer = self.write(under(mount, &["login"]), body, None).await?;
        let request = format!("POST auth/{mount}/login");
        let auth = self.member(&request, answer, "auth")?;
        match auth.get("client_token").and_then(Value::as_str).filter(|token| !token.is_empty()) {
            Some(token) => Ok((Secret::new(token), auth)),
            None => Err(self.lacks(&request, "client_token")),
        }
    }

    /// The object of this name in the answer to `request`, a method and a path.
    pub(in crate::vault) fn member(
        &self,
        request: &str,
        mut answer: Document,
        name: &str,
    ) -> Result<Document, VaultError> {
        match answer.remove(name) {
            Some(Value::Object(found)) => Ok(found),
            _ => Err(self.lacks(request, name)),
        }
    }

    fn lacks(&self, request: &str, name: &str) -> VaultError {
        self.not_vault(request, format!("it has no \"{name}\""))
    }

    fn not_vault(&self, request: &str, why: String) -> VaultError {
        let address = self.settings().address.shown.clone();
        VaultError::NotVault { address, request: request.to_owned(), why }
    }
}

/// Status and first line of an answer that is not Vault's. Only of those: an
/// answer of Vault's may hold a token.
fn beginning(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let line = text.trim().lines().next().unwrap_or_default();
    let cut: String = line.chars().take(80).collect();
    let more = if cut.len() < line.len() { "…" } else { "" };
    format!("status {}, \"{cut}{more}\"", answer.status)
}

/// Segments of a path under a mount.
fn under<'a>(mount: &'a MountPath, rest: &[&'a str]) -> Vec<&'a str> {
    ["auth"].into_iter().chain(mount.as_str().split('/')).chain(rest.iter().copied()).collect()
}

/// Segments of a role's path; a name that a URL drops would address the list
/// of roles instead.
fn role_path<'a>(mount: &'a MountPath, name: &'a str) -> Result<Vec<&'a str>, VaultError> {
    if matches!(name, "" | "." | "..") || name.contains('/') {
        return Err(VaultError::RoleName(name.to_owned()));
    }
    Ok(under(mount, &["role", name]))
}

#[async_trait]
impl Vault for Client {
    fn address(&self) -> &str {
        &self.settings().address.shown
    }

    fn namespace(&self) -> Option<&str> {
        self.settings().namespace.as_deref()
    }

    async fn auth_mounts(&self) -> Result<BTreeMap<String, String>, VaultError> {
        let mounts = self.ask(Method::GET, vec!["sys", "auth"]).await?;
        let of_type = |(path, mount): (String, Value)| {
            let kind = mount.get("type")?.as_str()?.to_owned();
            Some((path.trim_end_matches('/').to_owned(), kind))
        };
        let mounts: BTreeMap<_, _> = mounts.into_iter().filter_map(of_type).collect();
        // Vault's community edition passes over the header (1.21.2, measured),
        // and the root namespace would be changed instead. In a namespace the
        // token mount is of type `ns_token`, in Vault and OpenBao.
        match self.namespace() {
            Some(namespace) if namespace != "root" && mounts.get("token").is_some_and(|kind| kind == "token") => {
                Err(VaultError::NoNamespaces { address: self.address().to_owned(), namespace: namespace.to_owned() })
            }
            _ => Ok(mounts),
        }
    }

    async fn enable_jwt(&self, mount: &MountPath) -> Result<(), VaultError> {
        let path = ["sys", "auth"].into_iter().chain(mount.as_str().split('/')).collect();
        self.write(path, &json!({"type": "jwt"}), self.token()).await.map(drop)
    }

    async fn read_config(&self, mount: &MountPath) -> Result<Config, VaultError> {
        let call = self.reading(Method::GET, under(mount, &["config"]));
        let answer = self.transport.send(&call).await?;
        let date = answer.date();
        let found = self.accept(&call, &answer).and_then(|document| self.member(&call.shown(), document, "data"));
        Ok(Config { document: Self::if_there(found)?, date })
    }

    async fn write_config(&self, mount: &MountPath, config: &Document) -> Result<(), VaultError> {
        let body = Value::Object(config.clone());
        let _on_its_way = self.writes.read().await;
        self.write(under(mount, &["config"]), &body, self.token()).await.map(drop)
    }

    async fn between_writes(&self) {
        drop(self.writes.write().await);
    }

    async fn read_role(&self, mount: &MountPath, name: &str) -> Result<Option<Document>, VaultError> {
        Self::if_there(self.ask(Method::GET, role_path(mount, name)?).await)
    }

    async fn list_roles(&self, mount: &MountPath) -> Result<Vec<String>, VaultError> {
        self.list(under(mount, &["role"])).await
    }

    async fn list_cel_roles(&self, mount: &MountPath) -> Result<Vec<String>, VaultError> {
        match self.list(under(mount, &["cel", "role"])).await {
            // Vault: there is no such path ("unsupported path").
            Err(VaultError::Refused(refused)) if matches!(refused.status, 404 | 405) => Ok(Vec::new()),
            answer => answer,
        }
    }

    async fn delete_role(&self, mount: &MountPath, name: &str) -> Result<(), VaultError> {
        let call = self.reading(Method::DELETE, role_path(mount, name)?);
        self.send(&call).await.map(drop)
    }

    async fn write_role(&self, mount: &MountPath, name: &str, role: &Document) -> Result<(), VaultError> {
        let body = Value::Object(role.clone());
        self.write(role_path(mount, name)?, &body, self.token()).await.map(drop)
    }

    async fn policy_exists(&self, name: &str) -> Result<bool, VaultError> {
        let policy = self.ask(Method::GET, vec!["sys", "policies", "acl", name]).await;
        Ok(Self::if_there(policy)?.is_some())
    }

    async fn capabilities(&self, paths: &[String]) -> Result<BTreeMap<String, Vec<String>>, VaultError> {
        let body = json!({ "paths": paths });
        let mut answer = self.write(vec!["sys", "capabilities-self"], &body, self.token()).await?;
        let Some(Value::Object(mut data)) = answer.remove("data") else { return Ok(BTreeMap::new()) };
        let of = |value: Value| match value {
            Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Ok(paths.iter().filter_map(|path| Some((path.clone(), of(data.remove(path)?)))).collect())
    }

    async fn login(&self, mount: &MountPath, role: &str, jwt: &Secret) -> Result<LoginResult, VaultError> {
        let (token, auth) = self.log_in_at(mount, &json!({"role": role, "jwt": jwt.expose()})).await?;
        let list = |name: &str| auth.get(name).and_then(Value::as_array);
        let policies = list("policies").or_else(|| list("token_policies")).into_iter().flatten();
        Ok(LoginResult {
            token,
            accessor: auth.get("accessor").and_then(Value::as_str).unwrap_or_default().to_owned(),
            policies: policies.filter_map(Value::as_str).map(str::to_owned).collect(),
            lease_seconds: auth.get("lease_duration").and_then(Value::as_u64).unwrap_or_default(),
        })
    }

    async fn revoke(&self, token: &Secret) -> Result<(), VaultError> {
        self.write(vec!["auth", "token", "revoke-self"], &json!({}), Some(token.clone())).await.map(drop)
    }
}

#[cfg(test)]
mod tests;
