//! Starts, initializes, unseals and queries real Vault and `OpenBao` servers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};
use shared::Secret;

use super::vault_config::{Storage, VaultOptions, configuration};
use super::{Product, ServerError, ready, success, text, with_free_ports};
use crate::certificates::Authority;
use crate::http::{Answer, Http};
use crate::peers;
use crate::process::{self, Scratch, Supervised, clean_environment, locked};
use crate::recording;

/// One request as the audit log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRequest {
    /// read, create, update, delete, list, …
    pub operation: String,
    /// The path without `/v1/`.
    pub path: String,
    /// The namespace, empty for the root.
    pub namespace: String,
}

/// A running server. Dropped, it is gone.
#[derive(Debug)]
pub struct VaultServer {
    // The server stops before its folder goes: fields drop in this order.
    pub(super) server: Mutex<Option<Supervised>>,
    scratch: Scratch,
    options: VaultOptions,
    program: PathBuf,
    port: u16,
    address: String,
    ca: Option<PathBuf>,
    pub(super) http: Http,
    pub(super) root_token: Secret,
    pub(super) unseal_key: Option<Secret>,
    /// Has it been stopped or sealed?
    disturbed: AtomicBool,
    /// Bytes of the audit log that earlier users of the server wrote.
    forgotten: AtomicUsize,
}

impl Drop for VaultServer {
    fn drop(&mut self) {
        self.record_requests();
    }
}

impl VaultServer {
    /// Starts one and waits until it is initialised, unsealed and active.
    ///
    /// # Errors
    /// The peer is missing, or the server does not become ready.
    pub fn start(options: VaultOptions) -> Result<Self, ServerError> {
        Self::start_signed(options, &Authority::new("test Vault")?)
    }

    /// As [`VaultServer::start`], with a certificate of this authority.
    pub(super) fn start_signed(options: VaultOptions, authority: &Authority) -> Result<Self, ServerError> {
        let program = peers::locate(options.product.peer())?;
        let mut server = with_free_ports(|| Self::start_once(&options, &program, authority, "node"))?;
        if options.storage != Storage::Dev {
            server.initialise()?;
        }
        server.wait_active()?;
        if options.audit && options.product == Product::Vault {
            let device = json!({"type": "file", "options": {"file_path": text(&server.audit_file())}});
            success("enabling the audit device", server.http("PUT", "sys/audit/file", Some(&device))?)?;
        }
        if recording::is_on() {
            // Vault has it in the log by itself; OpenBao where it is asked to.
            let header = json!({"hmac": false});
            server.http("PUT", "sys/config/auditing/request-headers/User-Agent", Some(&header))?;
        }
        for namespace in &options.namespaces {
            server.create_namespace(namespace)?;
        }
        Ok(server)
    }

    /// Starts the program, uninitialised, as the node `node`.
    pub(super) fn start_once(
        options: &VaultOptions,
        program: &Path,
        authority: &Authority,
        node: &str,
    ) -> Result<Self, ServerError> {
        let name = options.product.peer().pin().name;
        let scratch = Scratch::new(name).map_err(ServerError::io("making a folder"))?;
        let port = process::port_pair().map_err(ServerError::io("choosing ports"))?;
        let tls = options.tls && options.storage != Storage::Dev;
        let address = format!("{}://127.0.0.1:{port}", if tls { "https" } else { "http" });
        let mut ca = None;
        let mut ca_pem = None;
        if tls {
            let server = authority.server()?;
            let write = |name: &str, content: &str| {
                scratch.write(name, content).map_err(ServerError::io(format!("writing {name}")))
            };
            write("server.crt", &server.certificate)?;
            write("server.key", &server.key)?;
            ca = Some(write("ca.crt", &authority.pem())?);
            ca_pem = Some(authority.pem());
        }
        scratch.folder("data").map_err(ServerError::io("making a folder"))?;
        let config = configuration(options, scratch.path(), port, &address, node);
        scratch.write("config.json", config.to_string()).map_err(ServerError::io("writing config.json"))?;
        let server = Self {
            http: Http::new(address.clone(), ca_pem.as_deref(), None)?,
            // Only dev mode lets one choose it.
            root_token: Secret::new(format!("root-{:016x}", rand::random::<u64>())),
            server: Mutex::new(None),
            options: options.clone(),
            program: program.to_path_buf(),
            scratch,
            port,
            address,
            ca,
            unseal_key: None,
            disturbed: AtomicBool::new(false),
            forgotten: AtomicUsize::new(0),
        };
        server.launch()?;
        Ok(server)
    }

    /// Starts the program and waits until it answers.
    fn launch(&self) -> Result<(), ServerError> {
        let name = self.options.product.peer().pin().name;
        let prefix = self.options.product.prefix();
        let mut arguments = vec!["server".to_owned()];
        if self.options.storage == Storage::Dev {
            arguments.extend(["-dev".to_owned(), "-dev-no-store-token".to_owned()]);
            arguments.push(format!("-dev-listen-address=127.0.0.1:{}", self.port));
        }
        if self.options.storage != Storage::Dev || self.options.product == Product::OpenBao {
            arguments.push(format!("-config={}", text(&self.scratch.path().join("config.json"))));
        }
        let folder = self.scratch.path();
        let server = Supervised::start(&self.scratch, name, &self.program, arguments, |command| {
            clean_environment(command, folder, &[]);
            command.current_dir(folder);
            if let Some(authorities) = &self.options.trusts {
                command.env("SSL_CERT_FILE", authorities);
            }
            if self.options.storage == Storage::Dev {
                command.env(format!("{prefix}_DEV_ROOT_TOKEN_ID"), self.root_token.expose());
            }
        });
        let server = server.map_err(ServerError::io(format!("starting {name}")))?;
        ready::wait(&server, || {
            let answer = self.http.send("GET", "/v1/sys/seal-status", &[], None).map_err(|error| error.to_string())?;
            if answer.is_success() { Ok(()) } else { Err(format!("seal-status: HTTP {}", answer.status)) }
        })?;
        *locked(&self.server) = Some(server);
        Ok(())
    }

    fn initialise(&mut self) -> Result<(), ServerError> {
        let shares = json!({"secret_shares": 1, "secret_threshold": 1});
        let answer = success("initialising", self.http.send("PUT", "/v1/sys/init", &[], Some(&shares))?)?.json();
        let secret = |value: &Value| Secret::new(value.as_str().unwrap_or_default());
        self.root_token = secret(&answer["root_token"]);
        self.unseal_key = Some(secret(&answer["keys_base64"][0]));
        self.unseal()
    }

    /// Waits for HTTP 200 from health: initialized, unsealed, and active.
    ///
    /// # Errors
    /// It is stopped, or does not become active.
    pub fn wait_active(&self) -> Result<(), ServerError> {
        let server = locked(&self.server);
        let Some(server) = server.as_ref() else { return Err(self.is_stopped()) };
        ready::wait(server, || match self.http.send("GET", "/v1/sys/health", &[], None) {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(format!("health: HTTP {}: {}", answer.status, answer.text.trim())),
            Err(error) => Err(error.to_string()),
        })
    }

    pub(super) fn is_stopped(&self) -> ServerError {
        ServerError::Io {
            what: self.options.product.to_string(),
            source: std::io::Error::new(std::io::ErrorKind::NotConnected, "it is stopped"),
        }
    }

    /// Which product it is.
    pub fn product(&self) -> Product {
        self.options.product
    }

    /// Its address, for `VAULT_ADDR`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The CA file, for `VAULT_CACERT`; none without TLS.
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    pub fn root_token(&self) -> &Secret {
        &self.root_token
    }

    /// A folder that lives as long as the server.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// What a client needs in its environment, without a token.
    pub fn client_environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = vec![("VAULT_ADDR", self.address.clone())];
        environment.extend(self.ca.as_deref().map(|ca| ("VAULT_CACERT", text(ca))));
        environment
    }

    /// A client that sends no token: for logins.
    pub fn client(&self) -> Http {
        self.http.clone()
    }

    /// One request with the root token; `path` is without `/v1/`.
    ///
    /// # Errors
    /// There is no answer.
    pub fn http(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, ServerError> {
        self.http_as(&self.root_token, "", method, path, body)
    }

    /// One request with any token, inside `namespace` (empty for the root).
    ///
    /// # Errors
    /// There is no answer.
    pub fn http_as(
        &self,
        token: &Secret,
        namespace: &str,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, ServerError> {
        let mut headers = vec![("X-Vault-Request", "true")];
        if !token.expose().is_empty() {
            headers.push(("X-Vault-Token", token.expose()));
        }
        if !namespace.is_empty() {
            headers.push(("X-Vault-Namespace", namespace));
        }
        Ok(self.http.send(method, &format!("/v1/{path}"), &headers, body)?)
    }

    /// A request that must succeed; returns the JSON of the answer.
    ///
    /// # Errors
    /// There is no answer, or it is not a success.
    pub fn ok(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, ServerError> {
        Ok(success(format!("{method} {path}"), self.http(method, path, body)?)?.json())
    }

    /// A token with these policies.
    ///
    /// # Errors
    /// The server refuses.
    pub fn token_with(&self, policies: &[&str]) -> Result<Secret, ServerError> {
        let body = json!({"policies": policies, "no_default_policy": false, "ttl": "1h"});
        let answer = self.ok("POST", "auth/token/create", Some(&body))?;
        Ok(Secret::new(answer["auth"]["client_token"].as_str().unwrap_or_default()))
    }

    /// Writes a policy.
    ///
    /// # Errors
    /// The server refuses.
    pub fn write_policy(&self, name: &str, hcl: &str) -> Result<(), ServerError> {
        self.ok("PUT", &format!("sys/policies/acl/{name}"), Some(&json!({"policy": hcl}))).map(drop)
    }

    /// The product's own CLI as a client of this server with the root token
    /// and a home of its own.
    ///
    /// # Errors
    /// The home folder cannot be made.
    pub fn cli_command(&self) -> Result<Command, ServerError> {
        let home = self.scratch.folder("home").map_err(ServerError::io("making a home folder"))?;
        let mut command = Command::new(&self.program);
        clean_environment(&mut command, &home, &self.program.parent().into_iter().collect::<Vec<_>>());
        let prefix = self.options.product.prefix();
        command.env(format!("{prefix}_ADDR"), &self.address).env(format!("{prefix}_TOKEN"), self.root_token.expose());
        if let Some(ca) = &self.ca {
            command.env(format!("{prefix}_CACERT"), ca);
        }
        command.current_dir(&home);
        Ok(command)
    }

    /// Runs the product's own CLI.
    ///
    /// # Errors
    /// It cannot be run; that it fails is in the output.
    pub fn cli(&self, arguments: &[&str]) -> Result<Output, ServerError> {
        self.cli_command()?.args(arguments).output().map_err(ServerError::io("running the CLI"))
    }

    fn audit_file(&self) -> PathBuf {
        self.scratch.path().join("audit.log")
    }

    /// The whole audit log, one JSON object per line. A request is in it
    /// before its answer is sent.
    pub fn audit_log(&self) -> Vec<Value> {
        // There is none where none was asked for.
        let bytes = fs::read(self.audit_file()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes[self.forgotten.load(Ordering::SeqCst)..]).into_owned();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Puts the requests of its test into the test's recording, where one is made.
    pub(super) fn record_requests(&self) {
        if !recording::is_on() {
            return;
        }
        let bytes = fs::read(self.audit_file()).unwrap_or_default();
        recording::audit(&bytes[self.forgotten.load(Ordering::SeqCst).min(bytes.len())..]);
        self.forget_requests();
    }

    /// The audit log begins anew.
    pub(super) fn forget_requests(&self) {
        let so_far = fs::metadata(self.audit_file()).map_or(0, |file| file.len());
        self.forgotten.store(usize::try_from(so_far).unwrap_or_default(), Ordering::SeqCst);
    }

    /// What it was started with.
    pub(super) fn options(&self) -> &VaultOptions {
        &self.options
    }

    /// Has it been stopped or sealed since its start?
    pub(super) fn was_disturbed(&self) -> bool {
        self.disturbed.load(Ordering::SeqCst)
    }

    /// The requests in the audit log, in order.
    pub fn audit_requests(&self) -> Vec<AuditRequest> {
        let entries = self.audit_log();
        let requests = entries.iter().filter(|entry| entry["type"] == "request").map(|entry| {
            let field = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let request = &entry["request"];
            AuditRequest {
                operation: field(&request["operation"]),
                path: field(&request["path"]),
                namespace: field(&request["namespace"]["path"]).trim_matches('/').to_owned(),
            }
        });
        requests.collect()
    }

    /// Makes a namespace and its parents.
    ///
    /// # Errors
    /// The server refuses, as Vault without a licence does.
    pub fn create_namespace(&self, namespace: &str) -> Result<(), ServerError> {
        let mut parent = String::new();
        for part in namespace.split('/').filter(|part| !part.is_empty()) {
            let path = format!("sys/namespaces/{part}");
            let there = self.http_as(&self.root_token, &parent, "GET", &path, None)?;
            if !there.is_success() {
                let made = self.http_as(&self.root_token, &parent, "PUT", &path, Some(&json!({})))?;
                success(format!("namespace {parent}/{part}"), made)?;
            }
            if !parent.is_empty() {
                parent.push('/');
            }
            parent.push_str(part);
        }
        Ok(())
    }

    /// Seals it: requests are answered with 503 from now on.
    ///
    /// # Errors
    /// The server refuses.
    pub fn seal(&self) -> Result<(), ServerError> {
        self.disturbed.store(true, Ordering::SeqCst);
        self.ok("PUT", "sys/seal", None).map(drop)
    }

    /// Unseals it and waits until it serves. Dev mode has no key to do it with.
    ///
    /// # Errors
    /// The server refuses.
    pub fn unseal(&self) -> Result<(), ServerError> {
        let key = self.unseal_key.as_ref().map(Secret::expose).unwrap_or_default();
        let answer = self.http.send("PUT", "/v1/sys/unseal", &[], Some(&json!({ "key": key })))?;
        success("unsealing", answer)?;
        self.wait_active()
    }

    /// Stops it; only dev mode forgets the data.
    pub fn stop(&self) {
        self.disturbed.store(true, Ordering::SeqCst);
        if let Some(server) = locked(&self.server).take() {
            server.stop();
        }
    }

    /// Kills it with SIGKILL, so that it cannot finish or hand over anything. The
    /// data survives, except in dev mode.
    pub fn kill(&self) {
        self.disturbed.store(true, Ordering::SeqCst);
        if let Some(server) = locked(&self.server).take() {
            server.kill();
        }
    }

    /// Starts it again at the same address and unseals it.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn restart(&self) -> Result<(), ServerError> {
        self.stop();
        self.launch()?;
        if self.unseal_key.is_some() { self.unseal() } else { self.wait_active() }
    }
}
