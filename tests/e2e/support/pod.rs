//! Real pods: a node, images, and pods that are created, watched and deleted.

use crate::support::fixture::{Fixture, ROLE, run};
use harness::artifacts;
use harness::image::{Entry, Image};
use harness::process::say;
use harness::secrets;
use harness::server::{Node, Product, shared_cluster};
use serde_json::{Value, json};
use shared::Secret;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

/// The node all tests share. It has the shipped image, `e2e:1` with a shell and the program
/// beside it, and `app:1`, which runs until it is deleted. None on a machine that cannot have one.
fn node() -> Option<&'static Node> {
    static NODE: OnceLock<Option<Node>> = OnceLock::new();
    let start = || {
        if let Some(why) = Node::impossible() {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "there are no real pods here: {why}");
            say(&format!("SKIPPED, all tests in real pods: {why}"));
            return None;
        }
        let pod = artifacts::pod_binary().expect("the pod binary is built");
        let program = Entry::program("vault-jwt-login", std::fs::read(&pod.path).expect("the program"));
        let images = [
            Image::of_pod_binaries(&[pod]).expect("the image is made"),
            Image::of_busybox("docker.io/library/e2e", &["/bin/sh"], vec![program]).expect("the image is made"),
            Image::of_busybox("docker.io/library/app", &["/bin/sleep", "100000"], Vec::new())
                .expect("the image is made"),
        ];
        let cluster = shared_cluster().expect("the shared cluster starts");
        Some(Node::start(cluster, &images).expect("the node starts"))
    };
    NODE.get_or_init(start).as_ref()
}

/// A node, and a Vault that lets service account shop:app log in.
pub struct Pods {
    pub fixture: Fixture,
    pub node: &'static Node,
}

impl Pods {
    /// None where there can be no pods; that is said.
    pub fn new(product: Product) -> Option<Self> {
        let node = node()?;
        let fixture = Fixture::new(product);
        fixture.setup(&ROLE).ok();
        Some(Self { fixture, node })
    }

    /// The shipped image, as a pod names it.
    pub fn login_image(&self) -> String {
        format!("vault-jwt-login:{}", env!("CARGO_PKG_VERSION"))
    }

    /// What the program needs in its environment, and more.
    pub fn environment(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let own =
            [("VAULT_ADDR", self.fixture.vault.address()), ("VAULT_CACERT", "/vault-ca/ca.pem"), ("VAULT_ROLE", "app")];
        own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// `kubectl apply` of a pod with these fields in its spec, and when that began.
    #[track_caller]
    pub fn apply(&self, name: &str, fields: Value) -> (Pod<'_>, SystemTime) {
        let token = json!({"path": "vault-token", "audience": "vault", "expirationSeconds": 600});
        let mut spec = json!({
            "serviceAccountName": "app",
            "automountServiceAccountToken": false,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
            "volumes": [
                {"name": "jwt", "projected": {"sources": [{"serviceAccountToken": token}]}},
                {"name": "vault", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            ],
        });
        for (field, value) in fields.as_object().expect("fields") {
            spec[field] = value.clone();
        }
        self.apply_spec(name, spec)
    }

    /// The same with this spec, which is completed by the node, its network, and the volume `ca`.
    #[track_caller]
    pub fn apply_spec(&self, name: &str, mut spec: Value) -> (Pod<'_>, SystemTime) {
        let name = format!("{name}-{}", self.fixture.vault.product()).to_lowercase();
        let ca = std::fs::read_to_string(self.fixture.vault.ca_file().expect("a CA")).expect("the CA");
        let ca = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"},
            "data": {"ca.pem": ca}});
        spec["nodeName"] = json!(self.node.name());
        spec["hostNetwork"] = json!(true);
        let volumes = spec["volumes"].as_array_mut().expect("volumes");
        volumes.push(json!({"name": "ca", "configMap": {"name": name}}));
        let pod =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"}, "spec": spec});
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [ca, pod]});
        let file = self.fixture.folder.write(&format!("{name}.json"), list.to_string()).expect("a file");
        let applied = SystemTime::now();
        run(&mut self.fixture.kubectl(&["apply", "-f", file.to_str().expect("a path")])).ok();
        (Pod { fixture: &self.fixture, path: format!("/api/v1/namespaces/shop/pods/{name}"), name }, applied)
    }

    /// What Vault knows about a token, as the token itself may ask.
    #[track_caller]
    pub fn looked_up(&self, token: &Secret) -> Value {
        self.fixture.vault.http_as(token, "", "GET", "auth/token/lookup-self", None).expect("Vault answers").json()
    }

    /// Whether Vault still knows it.
    pub fn lives(&self, token: &Secret) -> bool {
        let body = json!({"token": token.expose()});
        self.fixture.vault.http("POST", "auth/token/lookup", Some(&body)).expect("Vault answers").is_success()
    }

    /// What was asked for about logins and the tokens themselves since then.
    pub fn asked(&self, seen: usize) -> Vec<String> {
        let own = ["auth/jwt/login", "auth/token/lookup-self", "auth/token/renew-self", "auth/token/revoke-self"];
        let short = |request: String| {
            let path = request.split(' ').nth(1)?;
            own.contains(&path).then(|| path.rsplit('/').next().unwrap_or_default().to_owned())
        };
        self.fixture.requests_since(seen).into_iter().filter_map(short).collect()
    }

    /// Changes fields of the role.
    pub fn change_role(&self, fields: &[(&str, u64)]) {
        let mut role = self.fixture.data("auth/jwt/role/app");
        for (name, value) in fields {
            role[name] = json!(value);
        }
        self.fixture.write("auth/jwt/role/app", role);
    }

    /// When Vault answered requests for this path, by the same clock.
    pub fn times_of(&self, path: &str) -> Vec<SystemTime> {
        let log = self.fixture.vault.audit_log();
        let entries = log.iter().filter(|entry| entry["type"] == "response" && entry["request"]["path"] == path);
        let time = |entry: &Value| {
            let time = entry["time"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
            let nanoseconds = u64::try_from(time.as_nanosecond()).expect("a time after 1970");
            SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds)
        };
        entries.map(time).collect()
    }
}

/// A container of a pod, with all the pod's volumes.
pub fn container(name: &str, image: &str, environment: &[(String, String)]) -> Value {
    let environment: Vec<_> = environment.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({"name": name, "image": image, "imagePullPolicy": "Never", "env": environment, "volumeMounts": [
        {"name": "jwt", "mountPath": "/var/run/secrets/tokens", "readOnly": true},
        {"name": "ca", "mountPath": "/vault-ca", "readOnly": true},
        {"name": "vault", "mountPath": "/vault"},
    ]})
}

/// A pod that was applied. Dropped, it is deleted.
pub struct Pod<'a> {
    fixture: &'a Fixture,
    name: String,
    path: String,
}

/// Longest wait for anything of a pod, on a machine that is busy.
const AT_MOST: Duration = Duration::from_secs(90);

impl Pod<'_> {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The object as it is now.
    pub fn get(&self) -> Value {
        self.fixture.cluster.http("GET", &self.path, None).expect("the API server answers").json()
    }

    /// Waits until `ready` gives something.
    #[track_caller]
    pub fn wait<T>(&self, what: &str, mut ready: impl FnMut(&Value) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            let pod = self.get();
            if let Some(done) = ready(&pod) {
                return done;
            }
            assert!(
                start.elapsed() < AT_MOST,
                "pod {}, not: {what}\n{:#}\n{}",
                self.name,
                pod["status"],
                self.events()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Why a container does not start is told in events.
    fn events(&self) -> String {
        let events = self.fixture.cluster.http("GET", "/api/v1/namespaces/shop/events", None).expect("events").json();
        let own = events["items"].as_array().cloned().unwrap_or_default().into_iter();
        let own = own.filter(|event| event["involvedObject"]["name"] == self.name.as_str());
        own.map(|event| format!("{}: {}\n", event["reason"], event["message"])).collect()
    }

    /// What a container has said so far. No secret is in it.
    #[track_caller]
    pub fn log(&self, container: &str) -> String {
        let path = format!("{}/log?container={container}", self.path);
        let answer = self.fixture.cluster.http("GET", &path, None).expect("the API server answers");
        assert_eq!(secrets::find(answer.text.as_bytes()), None, "in the log of {container}");
        if answer.is_success() { answer.text } else { String::new() }
    }

    /// Waits until a container has said this at the end.
    #[track_caller]
    pub fn wait_for_log(&self, container: &str, end: &str) {
        self.wait(&format!("{container} says {end:?}"), |_| self.log(container).ends_with(end).then_some(()));
    }

    /// The token file, as a container's own user reads it.
    #[track_caller]
    pub fn token(&self, container: &str) -> Secret {
        self.read(container, "/vault/token")
    }

    /// A file with a secret, as a container's own user reads it.
    #[track_caller]
    pub fn read(&self, container: &str, file: &str) -> Secret {
        let words = ["exec", "-n", "shop", &self.name, "-c", container, "--", "cat", file];
        let output = self.fixture.kubectl(&words).output().expect("kubectl runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Secret::new(String::from_utf8(output.stdout).expect("UTF-8"))
    }

    /// Deletes it as `kubectl delete` does, and waits until it is gone.
    #[track_caller]
    pub fn delete(&self) -> Duration {
        let start = Instant::now();
        self.fixture.cluster.http("DELETE", &self.path, None).expect("the API server answers");
        self.wait("it is gone", |pod| (pod["kind"] == "Status").then_some(()));
        start.elapsed()
    }
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        let _ = self.fixture.cluster.http("DELETE", &format!("{}?gracePeriodSeconds=1", self.path), None);
    }
}
