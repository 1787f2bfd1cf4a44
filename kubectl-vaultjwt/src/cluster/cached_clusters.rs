//! The port to the clusters of a kubeconfig for a watcher. Each cluster is connected to
//! once, so that an exec plugin runs when its token expires and not at every poll. After
//! any error the kubeconfig is read again and the next poll reconnects: files,
//! certificates, and addresses change.

use crate::cloud::Entry;
use crate::cluster::api_server::ApiServer;
use crate::cluster::kubeconfig::Contexts;
use crate::cluster::service_account::ServiceAccount;
use crate::cluster::{Cluster, ClusterError, ClusterTarget, Clusters};
use crate::keychain::authority::{Authority, AuthorityId};
use crate::keychain::evidence::Reached;
use async_trait::async_trait;
use parking_lot::Mutex;
use shared::Secret;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Longest wait for a connection, which is longest where an exec plugin runs.
const PATIENCE: Duration = Duration::from_secs(60);

type Load = Box<dyn Fn() -> Result<Contexts, ClusterError> + Send + Sync>;

/// Connects anew each time; the files are read once, however many contexts are used.
#[async_trait]
impl Clusters for Contexts {
    async fn connect(&self, context: Option<&str>) -> Result<Box<dyn Cluster>, ClusterError> {
        Ok(Box::new(ApiServer::connect(self.resolve(context)?).await?))
    }
}

/// The clusters, as far as they were connected to.
pub struct CachedClusters {
    load: Load,
    requests: Arc<AtomicU64>,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    /// `None` until it is read, and again after an error.
    contexts: Option<Arc<Contexts>>,
    connected: HashMap<Option<String>, Arc<ApiServer>>,
    /// Connections that take longer than a poll waits, by context: one each,
    /// however often it is polled.
    connecting: HashMap<Option<String>, JoinHandle<Result<ApiServer, ClusterError>>>,
}

impl CachedClusters {
    /// Nothing is read or sent yet.
    pub fn new(load: Load) -> Self {
        Self { load, requests: Arc::default(), known: Arc::default() }
    }

    pub fn requests(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.requests)
    }

    fn contexts(&self) -> Result<Arc<Contexts>, ClusterError> {
        if let Some(contexts) = &self.known.lock().contexts {
            return Ok(Arc::clone(contexts));
        }
        let contexts = Arc::new((self.load)()?);
        self.known.lock().contexts = Some(Arc::clone(&contexts));
        Ok(contexts)
    }

    /// Connects to a context, which may mean that an exec plugin runs. A person
    /// that it could ask is not there; it gets its time, and is not run again
    /// while it still runs.
    async fn connected(&self, context: Option<&str>) -> Result<ApiServer, ClusterError> {
        let key = context.map(str::to_owned);
        let going_on = self.known.lock().connecting.remove(&key);
        let mut connecting = match going_on {
            Some(going_on) => going_on,
            None => tokio::spawn(ApiServer::connect(self.contexts()?.resolve(context)?)),
        };
        let slow = ClusterError::SlowPlugin { context: key.clone(), after: PATIENCE };
        match timeout(PATIENCE, &mut connecting).await {
            Ok(Ok(connected)) => Ok(connected?.polled(Arc::clone(&self.requests))),
            // It ended in a panic: the next poll starts over.
            Ok(Err(_)) => Err(slow),
            Err(_) => {
                self.known.lock().connecting.insert(key, connecting);
                Err(slow)
            }
        }
    }
}

#[async_trait]
impl Clusters for CachedClusters {
    async fn connect(&self, context: Option<&str>) -> Result<Box<dyn Cluster>, ClusterError> {
        let context = context.map(str::to_owned);
        let server = self.known.lock().connected.get(&context).cloned();
        let server = match server {
            Some(server) => server,
            None => {
                // A kubeconfig that cannot be used may be another one next time.
                let forget = |_: &ClusterError| self.known.lock().contexts = None;
                let server = Arc::new(self.connected(context.as_deref()).await.inspect_err(forget)?);
                self.known.lock().connected.insert(context.clone(), Arc::clone(&server));
                server
            }
        };
        server.begin_poll();
        Ok(Box::new(CachedCluster { server, context, known: Arc::clone(&self.known) }))
    }
}

/// A server that is forgotten when it answers with an error.
struct CachedCluster {
    server: Arc<ApiServer>,
    context: Option<String>,
    known: Arc<Mutex<Known>>,
}

impl CachedCluster {
    fn hand_on<T>(&self, answer: Result<T, ClusterError>) -> Result<T, ClusterError> {
        answer.inspect_err(|error| {
            // Who may not do something is known, and connected.
            if !error.is_of_rights() {
                let mut known = self.known.lock();
                known.contexts = None;
                known.connected.remove(&self.context);
            }
        })
    }
}

#[async_trait]
impl Cluster for CachedCluster {
    fn target(&self) -> &ClusterTarget {
        self.server.target()
    }

    fn entry(&self) -> Option<&Entry> {
        self.server.entry()
    }

    async fn discovery_document(&self) -> Result<Vec<u8>, ClusterError> {
        self.hand_on(self.server.discovery_document().await)
    }

    async fn key_set(&self) -> Result<Vec<u8>, ClusterError> {
        self.hand_on(self.server.key_set().await)
    }

    async fn uid(&self) -> Result<String, ClusterError> {
        self.hand_on(self.server.uid().await)
    }

    async fn root_authorities(&self) -> Result<Vec<AuthorityId>, ClusterError> {
        self.hand_on(self.server.root_authorities().await)
    }

    fn reached(&self, recorded: &[Authority]) -> Reached {
        self.server.reached(recorded)
    }

    fn way(&self) -> Option<Authority> {
        self.server.way()
    }

    fn trusted(&self) -> Vec<AuthorityId> {
        self.server.trusted()
    }

    async fn token(
        &self,
        account: &ServiceAccount,
        audiences: &[String],
        seconds: i64,
    ) -> Result<Secret, ClusterError> {
        self.hand_on(self.server.token(account, audiences, seconds).await)
    }
}
