//! [`FakeApiServers`]: one server that stands for many API servers.
//!
//! It is a fake because 32 or 500 real API servers do not fit on a machine. All of them listen
//! at one address, each under its own name and with its own certificate. It answers the five
//! requests that the programs send to a cluster as a real API server does; tests compare it with
//! one, using the plugin and a real Vault. Where one or two clusters are enough, use
//! [`super::Cluster`].

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use shared::Secret;

use super::kubeconfig::way;
use super::listener::Listener;
use super::member::{Endpoint, Member, failure, not_found};
use super::raw_http::Request;
use super::scripted::{self, Reply};
use super::{ServerError, text};
use crate::certificates::Authority;
use crate::http::Http;
use crate::keys::{Alg, SigningKey};
use crate::process::Scratch;

/// The issuers of the clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FakeIssuers {
    /// An address for each, with the cluster's number for `{}`.
    Each(String),
    /// The same text in every cluster, as kubeadm, kind and k3s have it.
    Shared(String),
}

/// How to start many clusters.
#[derive(Debug, Clone)]
pub struct FakeApiServersOptions {
    /// How long every answer waits.
    pub latency: Duration,
    /// The issuers. By default they are inside the cluster, so that no
    /// program asks a site for them.
    pub issuers: FakeIssuers,
    /// The kind of the signing keys. An RSA key takes its time to make.
    pub alg: Alg,
    /// How many keys the clusters share at the start; with 0 each cluster has
    /// a key of its own, as clusters should.
    pub shared_keys: usize,
    /// Does each cluster have a certificate authority of its own, as clusters
    /// should? Else one has signed the certificates of all.
    pub own_authorities: bool,
}

impl Default for FakeApiServersOptions {
    fn default() -> Self {
        let issuers = FakeIssuers::Each("https://issuer-{}.svc".to_owned());
        Self { latency: Duration::ZERO, issuers, alg: Alg::Es256, shared_keys: 0, own_authorities: false }
    }
}

/// Many clusters, numbered from 0; their contexts are `c0`, `c1`, ….
#[derive(Debug)]
pub struct FakeApiServers {
    // Stops before its folder goes: fields drop in this order.
    _listener: Listener,
    scratch: Scratch,
    kubeconfig: PathBuf,
    fleet: Arc<Fleet>,
    alg: Alg,
}

/// What the server's threads see.
#[derive(Debug)]
struct Fleet {
    members: OnceLock<Vec<Member>>,
    token: Secret,
    latency: Duration,
    running: AtomicUsize,
    most: AtomicUsize,
}

impl Fleet {
    fn members(&self) -> &[Member] {
        self.members.get().map(Vec::as_slice).unwrap_or_default()
    }

    fn answer(&self, name: &str, request: &Request) -> Reply {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        thread::sleep(self.latency);
        let reply = self.reply(name, request);
        self.running.fetch_sub(1, Ordering::SeqCst);
        reply
    }

    fn reply(&self, name: &str, request: &Request) -> Reply {
        let authorized = request.header("authorization") == Some(&format!("Bearer {}", self.token.expose()));
        if !authorized {
            return failure(401, "Unauthorized", "Unauthorized");
        }
        match self.members().iter().find(|member| member.place.server_name == name) {
            Some(member) => member.answer(request),
            None => not_found(),
        }
    }
}

impl FakeApiServers {
    /// Starts `count` clusters.
    ///
    /// # Errors
    /// A key, a certificate, a file or the listener cannot be made.
    pub fn start(count: usize, options: FakeApiServersOptions) -> Result<Self, ServerError> {
        let scratch = Scratch::new("many").map_err(ServerError::io("making a folder"))?;
        let authorities = if options.own_authorities { count } else { 1 };
        let authorities = (0..authorities).map(|number| Authority::new(&format!("many clusters {number}")));
        let authorities = authorities.collect::<Result<Vec<_>, _>>()?;
        let files = authorities.iter().enumerate().map(|(number, authority)| {
            scratch
                .write(&format!("ca-{number}.crt"), authority.pem())
                .map_err(ServerError::io("writing a certificate"))
        });
        let files = files.collect::<Result<Vec<_>, _>>()?;
        // Other test binaries have a cluster 0 too.
        let these: u32 = rand::random();
        let certificates = authorities.iter().cycle().take(count).enumerate().map(|(number, authority)| {
            let name = format!("c{number}.{these:08x}.many.example");
            authority.server_for(&[&name]).map(|certificate| (name, certificate))
        });
        let certificates = certificates.collect::<Result<Vec<_>, _>>()?;
        let fleet = Arc::new(Fleet {
            members: OnceLock::new(),
            token: Secret::new(format!("many-{:032x}", rand::random::<u128>())),
            latency: options.latency,
            running: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&fleet);
        let listener = scripted::start_named(&certificates, move |name, request| serving.answer(name, request));
        let listener = listener.map_err(ServerError::io("starting many clusters"))?;

        let keys = if options.shared_keys == 0 { count } else { options.shared_keys };
        let keys = (0..keys).map(|_| SigningKey::generate(options.alg)).collect::<Result<Vec<_>, _>>()?;
        let url = format!("https://127.0.0.1:{}", listener.port());
        let members = certificates.into_iter().enumerate().map(|(number, (server_name, _))| {
            let issuer = match &options.issuers {
                FakeIssuers::Each(pattern) => pattern.replace("{}", &number.to_string()),
                FakeIssuers::Shared(issuer) => issuer.clone(),
            };
            let by = number % authorities.len();
            let place =
                Endpoint { url: url.clone(), server_name, ca: authorities[by].pem(), ca_file: files[by].clone() };
            Member::new(place, issuer, keys[number % keys.len()].clone())
        });
        let members = fleet.members.get_or_init(|| members.collect());
        let config = kubeconfig(members, &fleet.token);
        let kubeconfig = scratch.write("kubeconfig", config).map_err(ServerError::io("writing a kubeconfig"))?;
        Ok(Self { _listener: listener, scratch, kubeconfig, fleet, alg: options.alg })
    }

    fn member(&self, number: usize) -> &Member {
        &self.fleet.members()[number]
    }

    /// One kubeconfig with a context for every cluster; `c0` is the current one.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The names of the contexts, in order.
    pub fn contexts(&self) -> Vec<String> {
        (0..self.fleet.members().len()).map(context).collect()
    }

    /// The certificate of a cluster's authority, PEM.
    pub fn ca_pem(&self, number: usize) -> &str {
        &self.member(number).place.ca
    }

    /// The same in a file.
    pub fn ca_file(&self, number: usize) -> &Path {
        &self.member(number).place.ca_file
    }

    /// A folder that lives as long as the clusters.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The address of a cluster's API server; it is that of all of them.
    pub fn url(&self, number: usize) -> &str {
        &self.member(number).place.url
    }

    /// The name by which a cluster's API server is known at that address.
    pub fn server_name(&self, number: usize) -> &str {
        &self.member(number).place.server_name
    }

    /// A client of one cluster that shows no token.
    ///
    /// # Errors
    /// The authority's certificate cannot be read.
    pub fn http(&self, number: usize) -> Result<Http, ServerError> {
        let Endpoint { url, server_name, ca, .. } = &self.member(number).place;
        Ok(Http::new(url.replace("127.0.0.1", server_name), Some(ca), None)?)
    }

    /// The issuer of a cluster's tokens.
    pub fn issuer(&self, number: usize) -> &str {
        &self.member(number).issuer
    }

    /// The UID of a cluster's `kube-system` namespace.
    pub fn uid(&self, number: usize) -> &str {
        &self.member(number).uid
    }

    /// The keys a cluster publishes, oldest first; the last one signs.
    pub fn keys(&self, number: usize) -> Vec<SigningKey> {
        self.member(number).keys()
    }

    /// A token of any service account, for one hour.
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn token(&self, number: usize, namespace: &str, name: &str, audiences: &[&str]) -> Result<Secret, ServerError> {
        Ok(self.member(number).token(namespace, name, audiences, 3_600)?.0)
    }

    /// Adds a key, which signs from now on; the older ones stay published.
    ///
    /// # Errors
    /// The key cannot be made.
    pub fn rotate(&self, number: usize) -> Result<SigningKey, ServerError> {
        let key = SigningKey::generate(self.alg)?;
        self.member(number).rotate(key.clone());
        Ok(key)
    }

    /// Publishes the newest key alone.
    pub fn retire(&self, number: usize) {
        self.member(number).retire();
    }

    /// Answers the key set with this, whatever the keys are.
    pub fn publish_raw(&self, number: usize, status: u16, content_type: &str, body: impl Into<Vec<u8>>) {
        self.member(number).publish(Reply::new(status, content_type, body));
    }

    /// Answers the key set with a redirect.
    pub fn redirect(&self, number: usize, location: &str) {
        self.member(number).publish(Reply::new(302, "text/plain", "").with("Location", location));
    }

    /// Answers the key set slowly: every byte waits that long.
    pub fn drip(&self, number: usize, per_byte: Duration) {
        self.member(number).drip(per_byte);
    }

    /// Answers everything with a 500.
    pub fn break_down(&self, number: usize) {
        self.member(number).break_down();
    }

    /// Ends what [`Self::publish_raw`], [`Self::redirect`], [`Self::drip`] and
    /// [`Self::break_down`] began.
    pub fn recover(&self, number: usize) {
        self.member(number).recover();
    }

    /// How many requests all clusters have had.
    pub fn requests(&self) -> u64 {
        self.fleet.members().iter().map(|member| member.requests.load(Ordering::Relaxed)).sum()
    }

    /// The most requests that were being answered at the same time.
    pub fn most_at_once(&self) -> usize {
        self.fleet.most.load(Ordering::SeqCst)
    }

    /// How many requests one cluster has had.
    pub fn requests_to(&self, number: usize) -> u64 {
        self.member(number).requests.load(Ordering::Relaxed)
    }
}

fn context(number: usize) -> String {
    format!("c{number}")
}

fn kubeconfig(members: &[Member], token: &Secret) -> String {
    let mut clusters = String::new();
    let mut contexts = String::new();
    for (number, member) in members.iter().enumerate() {
        let Endpoint { url, server_name, ca_file, .. } = &member.place;
        let (name, way, ca) = (context(number), way(url, server_name), text(ca_file));
        clusters.push_str(&format!("- name: {name}\n  cluster:\n    server: {way}\n    certificate-authority: {ca}\n"));
        contexts.push_str(&format!("- name: {name}\n  context:\n    cluster: {name}\n    user: admin\n"));
    }
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n{clusters}users:\n- name: admin\n  user:\n    token: {}\n\
         contexts:\n{contexts}current-context: c0\n",
        token.expose()
    )
}
