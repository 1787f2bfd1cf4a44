//! Clusters whose keys change, or that stop, on API servers that tests share.
//!
//! A rotation is another set of keys, and an API server reads its keys when it
//! starts, which takes seconds. So tests that rotate stand behind proxies of their
//! own in front of one shared cluster: a rotation points the proxy at the API server
//! that has the new keys, and the next test that rotates the same way finds that
//! server running. What is in etcd is shared; the keys are a test's own business.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, OnceLock};

use super::cluster::{ApiServerPool, Keys, Serving};
use super::kubeconfig::{Credentials, kubeconfig, way};
use super::{AddressSwitch, ApiServerKeys, Cluster, ClusterOptions, Issuer, SecondApiServer, ServerError, ready};
use crate::http::Http;
use crate::keys::{Alg, SigningKey};
use crate::process::{Scratch, locked};

/// A further API server, or why it did not start.
type Started = OnceLock<Result<SecondApiServer, ServerError>>;

/// The shared cluster of some options, and what stands beside it.
#[derive(Debug)]
struct RotationPool {
    base: &'static Cluster,
    /// The key that comes after each sequence of kinds.
    keys: Mutex<Vec<(Vec<Alg>, SigningKey)>>,
    /// The API servers by the key ids of what they publish; the last one signs.
    servers: Mutex<Vec<(Vec<String>, &'static Started)>>,
}

static POOLS: Mutex<Vec<(ClusterOptions, &'static RotationPool)>> = Mutex::new(Vec::new());

impl RotationPool {
    fn of(options: &ClusterOptions) -> Result<&'static Self, &'static ServerError> {
        let base = Cluster::shared(options.clone())?;
        let mut pools = locked(&POOLS);
        if let Some((_, pool)) = pools.iter().find(|(like, _)| like == options) {
            return Ok(pool);
        }
        let (keys, servers) = (Mutex::default(), Mutex::default());
        // As long as the process lives, like the shared cluster.
        let pool: &'static Self = Box::leak(Box::new(Self { base, keys, servers }));
        pools.push((options.clone(), pool));
        Ok(pool)
    }
}

impl ApiServerPool for RotationPool {
    fn base(&self) -> &Cluster {
        self.base
    }

    fn key(&self, kinds: &[Alg]) -> Result<SigningKey, ServerError> {
        let mut keys = locked(&self.keys);
        if let Some((_, key)) = keys.iter().find(|(of, _)| of == kinds) {
            return Ok(key.clone());
        }
        let key = SigningKey::generate(kinds.last().copied().unwrap_or_default())?;
        keys.push((kinds.to_vec(), key.clone()));
        Ok(key)
    }

    fn server(&self, published: &[SigningKey]) -> Result<u16, ServerError> {
        let kids: Vec<String> = published.iter().map(SigningKey::kid).collect();
        if kids == [self.base.signing_key().kid()] {
            return Ok(self.base.port());
        }
        let started = {
            let mut servers = locked(&self.servers);
            if let Some((_, started)) = servers.iter().find(|(of, _)| *of == kids) {
                *started
            } else {
                let started: &'static Started = Box::leak(Box::default());
                servers.push((kids, started));
                started
            }
        };
        let started = started.get_or_init(|| {
            let signs = published.last().cloned().unwrap_or_else(|| self.base.signing_key());
            self.base.another_api_server(&ApiServerKeys { published: published.to_vec(), signs })
        });
        match started {
            Ok(server) => Ok(server.port()),
            Err(error) => {
                Err(ServerError::Command { command: "a further API server".to_owned(), stderr: error.to_string() })
            }
        }
    }
}

impl Cluster {
    /// The shared cluster with these options under an address of its own, whose
    /// keys and whose being there are this test's alone. At first it has one key.
    ///
    /// # Errors
    /// It could not be started, or its issuer is its own address, which would be
    /// another one for every test.
    pub fn rotating(options: ClusterOptions) -> Result<Self, ServerError> {
        let failed = |stderr: String| ServerError::Command { command: "a rotating cluster".to_owned(), stderr };
        if options.issuer == Issuer::Own {
            return Err(failed("its issuer would be its own address".to_owned()));
        }
        let pool = RotationPool::of(&options).map_err(|error| failed(error.to_string()))?;
        let base = pool.base;
        let proxy = AddressSwitch::start(&[base.port()])?;
        let scratch = Scratch::new("rotating").map_err(ServerError::io("making a folder"))?;
        let (port, url, authority) = (proxy.port(), proxy.url(), Arc::clone(&base.authority));
        let (context, server_name) = (Self::next_context(), base.server_name.clone());
        let credentials = Credentials::Certificate(base.admin().clone());
        let config = kubeconfig(&context, &way(&url, &server_name), &authority.pem(), "admin", &credentials);
        let config = scratch.write("admin.kubeconfig", config).map_err(ServerError::io("writing a kubeconfig"))?;
        scratch.write("ca.crt", authority.pem()).map_err(ServerError::io("writing ca.crt"))?;
        Ok(Self {
            http: Http::new(url, Some(&authority.pem()), Some(base.admin()))?,
            serving: Serving::Shared { pool, proxy, kinds: Mutex::new(vec![options.alg]) },
            token_review: None,
            scratch,
            options,
            port,
            store: base.store.clone(),
            authority,
            admin: base.admin().clone(),
            keys: Mutex::new(Keys { older: Vec::new(), newest: base.signing_key() }),
            context,
            server_name,
            kubeconfig: config,
            files: AtomicU32::new(1),
        })
    }

    /// Gives the cluster another issuer; tokens of the one before are still accepted, as
    /// after a new `--service-account-issuer` in front of the old one. Only for a cluster
    /// with an API server of its own.
    ///
    /// # Errors
    /// The API server does not come back.
    pub fn change_issuer(&mut self, issuer: &str) -> Result<(), ServerError> {
        let old = self.issuer();
        self.options.issuer = Issuer::Url(issuer.to_owned());
        self.options.extra_issuers.insert(0, old);
        self.restart_api_server()
    }

    /// Leads to the API server with the keys of now.
    pub(super) fn switch(&self, pool: &dyn ApiServerPool, proxy: &AddressSwitch) -> Result<(), ServerError> {
        proxy.point_at(&[pool.server(&self.signing_keys())?]);
        // The client's own connections have ended with it.
        pool.base().with_server(|server| {
            ready::wait(server, || match self.http.send("GET", "/readyz", &[], None) {
                Ok(answer) if answer.status == 200 => Ok(()),
                Ok(answer) => Err(format!("/readyz: HTTP {}", answer.status)),
                Err(error) => Err(error.to_string()),
            })
        })
    }
}
