//! The composition root: makes the clients of a run from flags, the environment, and the
//! clock. Commands get everything outside the program from here.

use crate::cli::cloud::CloudFlags;
use crate::cli::kube::KubeFlags;
use crate::cli::vault::VaultFlags;
use crate::cloud_api::CloudClients;
use crate::cluster::ClusterError;
use crate::cluster::api_server::ApiServer;
use crate::cluster::kubeconfig::Contexts;
use crate::cluster::kubeconfig::connection::{Connection, Variables};
use crate::error::Error;
use crate::render::console::Console;
use crate::vault::VaultError;
use crate::vault::http::client::Client;
use crate::vault::settings::host::{HostEnvironment, RealHost};
use crate::vault::settings::{Settings, SettingsError, VaultOverrides};
use jiff::Timestamp;
use std::sync::Arc;

/// What a run takes from outside the program.
#[derive(Clone)]
pub struct Session {
    pub console: Console,
    variables: Variables,
    host: Arc<dyn HostEnvironment + Send + Sync>,
    now: fn() -> Timestamp,
    nonce: fn() -> String,
}

impl Session {
    /// With the environment and the clock of this process.
    pub fn open(console: Console) -> Self {
        Self {
            console,
            variables: Arc::new(|name| std::env::var(name).ok()),
            host: Arc::new(RealHost),
            now: Timestamp::now,
            nonce: || format!("vaultjwt-proof-{:032x}", rand::random::<u128>()),
        }
    }

    /// With an environment and a clock that are handed in: for tests.
    pub fn headless(
        host: Arc<dyn HostEnvironment + Send + Sync>,
        now: fn() -> Timestamp,
        nonce: fn() -> String,
    ) -> Self {
        let variables = Arc::clone(&host);
        Self { console: Console::new(0), variables: Arc::new(move |name| variables.var(name)), host, now, nonce }
    }

    /// The local clock; Vault's takes precedence where Vault sends it.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// A random audience, new for each run: it makes a token provably fresh.
    pub fn nonce(&self) -> String {
        (self.nonce)()
    }

    pub fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name)
    }

    /// Environment, files, and token helper for Vault.
    pub fn host(&self) -> Arc<dyn HostEnvironment + Send + Sync> {
        Arc::clone(&self.host)
    }

    /// Connects to the API server that the flags choose.
    pub async fn cluster(&self, flags: &KubeFlags) -> Result<ApiServer, Error> {
        Ok(ApiServer::connect(self.connection(flags)?).await?)
    }

    pub fn connection(&self, flags: &KubeFlags) -> Result<Connection, ClusterError> {
        self.contexts(flags)?.resolve(None)
    }

    pub fn contexts(&self, flags: &KubeFlags) -> Result<Contexts, ClusterError> {
        Contexts::load(&flags.overrides(), Arc::clone(&self.variables))
    }

    /// Reads the kubeconfig each time.
    pub fn reload_contexts(&self, flags: &KubeFlags) -> impl Fn() -> Result<Contexts, ClusterError> + use<> {
        let (overrides, variables) = (flags.overrides(), Arc::clone(&self.variables));
        move || Contexts::load(&overrides, Arc::clone(&variables))
    }

    pub fn clouds(&self, flags: &CloudFlags) -> CloudClients {
        CloudClients { aws_profile: flags.aws_profile.clone() }
    }

    pub async fn vault(&self, flags: &VaultFlags) -> Result<Client, Error> {
        let settings = self.vault_settings(flags.overrides()).await.map_err(VaultError::from)?;
        let console = self.console.clone();
        Ok(Client::new(settings, Arc::new(move |line: &str| console.request(line)))?)
    }

    /// A token helper may ask a person, and must not keep Ctrl-C waiting: a thread of its
    /// own can be left behind, a task of the runtime cannot.
    pub async fn vault_settings(&self, overrides: VaultOverrides) -> Result<Settings, SettingsError> {
        let (resolved, settings) = tokio::sync::oneshot::channel();
        let host = self.host();
        std::thread::spawn(move || resolved.send(Settings::resolve(&overrides, &*host)));
        match settings.await {
            Ok(settings) => settings,
            // The thread is gone without an answer, and so is the program.
            Err(_) => std::future::pending().await,
        }
    }
}
