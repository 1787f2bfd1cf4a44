//! A cluster with what issuers and tokens need: a real API server on a real etcd, signing
//! keys that can be rotated, kubeconfigs, and kubectl.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use shared::Secret;

use super::etcd::Store;
use super::kubeconfig::{Credentials, kubeconfig, way};
use super::token_review::TokenReview;
use super::{AddressSwitch, ServerError, ready, success, with_free_ports};
use crate::certificates::{Authority, Certificate};
use crate::http::{Answer, Http};
use crate::keys::{Alg, SigningKey};
use crate::peers::{self, Peer};
use crate::process::{self, Scratch, Supervised, locked};

/// The issuer of a cluster's tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Issuer {
    /// What kubeadm, kind and k3s configure: the same text in every cluster.
    #[default]
    Default,
    /// The API server's own address, so that discovery works at the issuer.
    Own,
    Url(String),
}

/// What [`Issuer::Default`] stands for.
const DEFAULT_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// How to start a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterOptions {
    pub issuer: Issuer,
    /// Further issuers whose tokens the API server accepts.
    pub extra_issuers: Vec<String>,
    /// May anyone read the discovery documents?
    pub anonymous_oidc: bool,
    /// The kind of the first signing key.
    pub alg: Alg,
    /// The API server's own audiences; the issuer when empty.
    pub api_audiences: Vec<String>,
    /// The JWKS address the API server advertises; its own when absent.
    pub jwks_uri: Option<String>,
    /// Further DNS names in the API server's certificate.
    pub server_names: Vec<String>,
    /// Does it take the tokens of `aws eks get-token`, as EKS does?
    pub aws_tokens: bool,
}

/// A running cluster. Dropped, its API server is gone; its objects stay in etcd, where
/// no other cluster sees them.
#[derive(Debug)]
pub struct Cluster {
    // Servers stop before their folder goes: fields drop in this order.
    pub(super) serving: Serving,
    pub(super) token_review: Option<TokenReview>,
    pub(super) scratch: Scratch,
    pub(super) options: ClusterOptions,
    pub(super) port: u16,
    pub(super) store: Store,
    pub(super) authority: Arc<Authority>,
    pub(super) admin: Certificate,
    pub(super) keys: Mutex<Keys>,
    pub(super) http: Http,
    pub(super) context: String,
    pub(super) server_name: String,
    pub(super) kubeconfig: PathBuf,
    pub(super) files: AtomicU32,
}

#[derive(Debug)]
pub(super) enum Serving {
    /// An API server of its own, if it is not stopped.
    Own(Mutex<Option<Supervised>>),
    /// One of those that tests share, behind a proxy.
    Shared {
        pool: &'static dyn ApiServerPool,
        proxy: AddressSwitch,
        /// The kinds of its keys so far, in order.
        kinds: Mutex<Vec<Alg>>,
    },
}

/// API servers with other keys in front of one shared cluster.
pub(super) trait ApiServerPool: std::fmt::Debug + Send + Sync {
    /// The cluster whose API server always runs.
    fn base(&self) -> &Cluster;

    /// The key after these rotations: the same for every test.
    fn key(&self, kinds: &[Alg]) -> Result<SigningKey, ServerError>;

    /// The port of the API server that publishes these keys and signs with the last one.
    fn server(&self, published: &[SigningKey]) -> Result<u16, ServerError>;
}

/// The keys whose tokens the API server accepts; the newest one signs.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) older: Vec<SigningKey>,
    pub(super) newest: SigningKey,
}

impl Cluster {
    /// Starts one and waits until it serves: `/readyz` says ok, and the service
    /// accounts and the CA bundles a controller manager would make are there.
    ///
    /// # Errors
    /// A peer is missing, or a server does not become ready.
    pub fn start(options: ClusterOptions) -> Result<Self, ServerError> {
        let program = peers::locate(Peer::KubeApiserver)?;
        with_free_ports(|| Self::start_once(&options, &program))
    }

    fn start_once(options: &ClusterOptions, apiserver: &Path) -> Result<Self, ServerError> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let context = Self::next_context();
        // Other test binaries have a first cluster too. The context is no part
        // of it, so that a test may put another context in its place.
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let server_name = format!("api-{number}.{:08x}.clusters.example", rand::random::<u32>());
        let scratch = Scratch::new("cluster").map_err(ServerError::io("making a folder"))?;
        let port = process::port().map_err(ServerError::io("choosing a port"))?;
        let store = Store::new()?;

        let authority = Arc::new(Authority::new("kubernetes")?);
        let admin = authority.client("kubernetes-admin", Some("system:masters"))?;
        let names = options.server_names.iter().chain([&server_name]);
        let server = authority.server_for(&names.collect::<Vec<_>>())?;
        for (name, content) in
            [("ca.crt", &authority.pem()), ("server.crt", &server.certificate), ("server.key", &server.key)]
        {
            scratch.write(name, content).map_err(ServerError::io(format!("writing {name}")))?;
        }
        let kubelet = authority.client("kube-apiserver-kubelet-client", Some("system:masters"))?;
        scratch.write("kubelet.crt", kubelet.certificate).map_err(ServerError::io("writing kubelet.crt"))?;
        scratch.write("kubelet.key", kubelet.key).map_err(ServerError::io("writing kubelet.key"))?;

        let url = format!("https://127.0.0.1:{port}");
        let credentials = Credentials::Certificate(admin.clone());
        let admin_config = kubeconfig(&context, &way(&url, &server_name), &authority.pem(), "admin", &credentials);
        let config =
            scratch.write("admin.kubeconfig", admin_config).map_err(ServerError::io("writing a kubeconfig"))?;
        let cluster = Self {
            serving: Serving::Own(Mutex::new(None)),
            token_review: options.aws_tokens.then(|| TokenReview::start(&scratch)).transpose()?,
            http: Http::new(url, Some(&authority.pem()), Some(&admin))?,
            keys: Mutex::new(Keys { older: Vec::new(), newest: SigningKey::generate(options.alg)? }),
            options: options.clone(),
            kubeconfig: config,
            files: AtomicU32::new(1),
            scratch,
            port,
            store,
            authority,
            admin,
            context,
            server_name,
        };
        cluster.start_api_server_from(apiserver)?;
        for namespace in ["default", "kube-system"] {
            cluster.create_service_account(namespace, "default")?;
            cluster.create_ca_bundle(namespace)?;
        }
        if cluster.options.anonymous_oidc {
            cluster.let_anyone_discover()?;
        }
        Ok(cluster)
    }

    /// A name for the context of a kubeconfig, that no other has in this process.
    pub(super) fn next_context() -> String {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed))
    }

    /// Where the API server listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The API server's address.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The issuer of its tokens.
    pub fn issuer(&self) -> String {
        match &self.options.issuer {
            Issuer::Default => DEFAULT_ISSUER.to_owned(),
            Issuer::Own => self.url(),
            Issuer::Url(url) => url.clone(),
        }
    }

    /// The certificate of its authority, PEM.
    pub fn ca_pem(&self) -> String {
        self.authority.pem()
    }

    /// The same in a file.
    pub fn ca_file(&self) -> PathBuf {
        self.scratch.path().join("ca.crt")
    }

    /// Signs further certificates of this cluster.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Its administrator's client certificate.
    pub fn admin(&self) -> &Certificate {
        &self.admin
    }

    /// The name of the context in its kubeconfigs.
    pub fn context(&self) -> &str {
        &self.context
    }

    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A folder that lives as long as the cluster.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The signing keys, oldest first; the last one signs.
    pub fn signing_keys(&self) -> Vec<SigningKey> {
        let keys = locked(&self.keys);
        keys.older.iter().chain([&keys.newest]).cloned().collect()
    }

    /// The key that signs now.
    pub fn signing_key(&self) -> SigningKey {
        locked(&self.keys).newest.clone()
    }

    pub(super) fn client(&self) -> &Http {
        &self.http
    }

    /// One request as administrator.
    ///
    /// # Errors
    /// There is no answer.
    pub fn http(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, ServerError> {
        Ok(self.http.send(method, path, &[], body)?)
    }

    /// A token the API server issues for one hour (TokenRequest). Without
    /// audiences it is one for the API server.
    ///
    /// # Errors
    /// The API server refuses.
    pub fn token(&self, namespace: &str, name: &str, audiences: &[&str]) -> Result<Secret, ServerError> {
        self.token_by(&self.http, namespace, name, audiences)
    }

    /// A client of this cluster's administrator at another address of it.
    ///
    /// # Errors
    /// A certificate cannot be read.
    pub fn http_at(&self, url: &str) -> Result<Http, ServerError> {
        Ok(Http::new(url, Some(&self.authority.pem()), Some(&self.admin))?)
    }

    /// As [`Cluster::token`], asked for at another address of the cluster.
    ///
    /// # Errors
    /// The API server refuses.
    pub fn token_by(
        &self,
        http: &Http,
        namespace: &str,
        name: &str,
        audiences: &[&str],
    ) -> Result<Secret, ServerError> {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"audiences": audiences, "expirationSeconds": 3_600}});
        let answer = success(format!("token of {namespace}/{name}"), http.send("POST", &path, &[], Some(&body))?)?;
        Ok(Secret::new(answer.json()["status"]["token"].as_str().unwrap_or_default()))
    }

    /// The UID of the `kube-system` namespace.
    ///
    /// # Errors
    /// The API server refuses.
    pub fn uid(&self) -> Result<String, ServerError> {
        let answer = success("kube-system", self.http("GET", "/api/v1/namespaces/kube-system", None)?)?;
        Ok(answer.json()["metadata"]["uid"].as_str().unwrap_or_default().to_owned())
    }

    /// Makes a service account, and its namespace where that is missing.
    ///
    /// # Errors
    /// The API server refuses.
    pub fn create_service_account(&self, namespace: &str, name: &str) -> Result<(), ServerError> {
        let object = |name: &str| json!({"metadata": {"name": name}});
        if namespace != "default" {
            self.create("/api/v1/namespaces", &object(namespace))?;
        }
        self.create(&format!("/api/v1/namespaces/{namespace}/serviceaccounts"), &object(name))
    }

    /// The ConfigMap that pods with a token of the API wait for.
    fn create_ca_bundle(&self, namespace: &str) -> Result<(), ServerError> {
        let bundle = json!({"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": self.authority.pem()}});
        self.create(&format!("/api/v1/namespaces/{namespace}/configmaps"), &bundle)
    }

    fn let_anyone_discover(&self) -> Result<(), ServerError> {
        let binding = json!({"metadata": {"name": "anonymous-discovery"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                "name": "system:service-account-issuer-discovery"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:unauthenticated"}]});
        self.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding)?;
        // The authorizer learns of a binding a moment after it is stored.
        let path = "/openid/v1/jwks";
        let anyone = Http::new(self.url(), Some(&self.authority.pem()), None)?;
        self.with_server(|api| {
            ready::wait(api, || match anyone.send("GET", path, &[("accept", "application/jwk-set+json")], None) {
                Ok(answer) if answer.is_success() => Ok(()),
                Ok(answer) => Err(format!("GET {path}: HTTP {}: {}", answer.status, answer.text)),
                Err(error) => Err(error.to_string()),
            })
        })
    }

    /// Does something as long as the API server runs.
    pub(super) fn with_server<T>(
        &self,
        ask: impl FnOnce(&Supervised) -> Result<T, ServerError>,
    ) -> Result<T, ServerError> {
        match &self.serving {
            Serving::Own(api) => ask(locked(api).as_ref().ok_or_else(|| self.is_stopped())?),
            Serving::Shared { pool, .. } => pool.base().with_server(ask),
        }
    }

    /// Creates an object; that it is there already is fine. A namespace that
    /// the API server makes itself may come a moment after it is ready.
    fn create(&self, path: &str, object: &Value) -> Result<(), ServerError> {
        self.with_server(|api| {
            ready::wait(api, || match self.http.send("POST", path, &[], Some(object)) {
                Ok(answer) if answer.is_success() || answer.status == 409 => Ok(()),
                Ok(answer) => Err(format!("POST {path}: HTTP {}: {}", answer.status, answer.text)),
                Err(error) => Err(error.to_string()),
            })
        })
    }

    fn is_stopped(&self) -> ServerError {
        ServerError::Io {
            what: format!("API server of {}", self.context),
            source: std::io::Error::new(std::io::ErrorKind::NotConnected, "it is stopped"),
        }
    }

    /// Adds a signing key, which signs from now on, and restarts the API
    /// server: what a cloud does when it rotates. Old tokens stay valid.
    ///
    /// # Errors
    /// The API server does not come back.
    pub fn rotate(&self, alg: Alg) -> Result<(), ServerError> {
        let new = match &self.serving {
            Serving::Own(_) => SigningKey::generate(alg)?,
            Serving::Shared { pool, kinds, .. } => {
                let mut kinds = locked(kinds);
                kinds.push(alg);
                pool.key(&kinds)?
            }
        };
        {
            let mut keys = locked(&self.keys);
            let old = std::mem::replace(&mut keys.newest, new);
            keys.older.push(old);
        }
        self.restart_api_server()
    }

    /// Publishes these keys beside its own from its next start on, and signs
    /// with its own. Only their public halves reach the API server.
    pub(super) fn publish_beside(&self, keys: &[SigningKey]) {
        locked(&self.keys).older.extend_from_slice(keys);
    }

    /// Drops all signing keys but the newest and restarts the API server.
    ///
    /// # Errors
    /// The API server does not come back.
    pub fn drop_old_keys(&self) -> Result<(), ServerError> {
        locked(&self.keys).older.clear();
        self.restart_api_server()
    }
}
