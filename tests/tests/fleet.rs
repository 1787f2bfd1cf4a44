//! Tests the fake API servers, and the proxies between a program and Vault, with the real servers.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use harness::http::{Answer, Http};
use harness::keys::{Alg, SigningKey};
use harness::peers::{self, Peer};
use harness::process::clean_environment;
use harness::server::{
    DelayingProxy, FakeApiServers, FakeApiServersOptions, FakeIssuers, HaPair, InterceptingProxy, Point, Product,
    Storage, VaultOptions, VaultServer, shared_cluster,
};
use harness::{artifacts, each_product};
use serde_json::{Value, json};

/// Longest time for something that happens at once.
const SOON: Duration = Duration::from_secs(30);

/// The plugin's `setup` for one context, against this Vault.
fn setup_command(clusters: &FakeApiServers, context: &str, vault: &VaultServer, flags: &[&str]) -> Command {
    let mut command = Command::new(artifacts::plugin().unwrap());
    clean_environment(&mut command, clusters.scratch().path(), &[]);
    command.envs(vault.client_environment()).env("VAULT_TOKEN", vault.root_token().expose());
    command.env("KUBECONFIG", clusters.kubeconfig()).args(["setup", "--context", context]).args(flags);
    command
}

/// A Vault without TLS, as the intercepting proxy needs it, with a JWT mount.
fn plain_vault() -> VaultServer {
    let options = VaultOptions { storage: Storage::Dev, ..VaultOptions::new(Product::OpenBao) };
    let vault = VaultServer::start(options).unwrap();
    vault.ok("POST", "sys/auth/jwt", Some(&json!({"type": "jwt"}))).unwrap();
    vault
}

fn port(address: &str) -> u16 {
    address.rsplit(':').next().unwrap().parse().unwrap()
}

each_product!(the_plugin_takes_one_of_many_for_a_cluster, |product| {
    let vault = VaultServer::start(VaultOptions::new(product)).unwrap();
    for (alg, mount) in [(Alg::Es256, "jwt"), (Alg::Rs256, "rsa")] {
        let options = FakeApiServersOptions {
            latency: Duration::from_millis(5),
            alg,
            shared_keys: 1,
            ..FakeApiServersOptions::default()
        };
        let clusters = FakeApiServers::start(3, options).unwrap();
        let flags = ["--mount", mount, "--role", "app", "--service-account", "shop:app", "--policy", "default"];
        let done = setup_command(&clusters, "c1", &vault, &flags).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        assert!(clusters.requests_to(1) > 0 && clusters.requests_to(0) == 0);
        let token = clusters.token(1, "shop", "app", &["vault"]).unwrap();
        let body = json!({"role": "app", "jwt": token.expose()});
        let login = vault.ok("POST", &format!("auth/{mount}/login"), Some(&body)).unwrap();
        assert_eq!(login["auth"]["metadata"]["role"], "app");
        // The key is the same, the issuer is not.
        let other = clusters.token(2, "shop", "app", &["vault"]).unwrap();
        let body = json!({"role": "app", "jwt": other.expose()});
        assert_eq!(vault.http("POST", &format!("auth/{mount}/login"), Some(&body)).unwrap().status, 400);
    }
});

/// What one cluster answers to its administrator.
fn ask(clusters: &FakeApiServers, number: usize, path: &str) -> Answer {
    send(clusters, number, "GET", path, None)
}

fn send(clusters: &FakeApiServers, number: usize, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let config = std::fs::read_to_string(clusters.kubeconfig()).unwrap();
    let token = config.lines().find_map(|line| line.trim().strip_prefix("token: ")).unwrap();
    clusters.http(number).unwrap().send(method, path, &[("authorization", &format!("Bearer {token}"))], body).unwrap()
}

fn kids(key_set: &Value) -> Vec<String> {
    key_set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// The names of the fields, also of those inside, with the kind of what they
/// hold.
fn shape(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, field)| shape(field, &format!("{at}.{name}"), found)),
        Value::Array(all) => all.iter().for_each(|one| shape(one, &format!("{at}[]"), found)),
        Value::String(_) => drop(found.insert(format!("{at} text"))),
        Value::Number(_) => drop(found.insert(format!("{at} number"))),
        Value::Bool(_) | Value::Null => drop(found.insert(format!("{at} {value}"))),
    }
}

/// The header and the claims of a token.
fn parts(token: &Value) -> Value {
    let part = |part| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    token.as_str().unwrap().split('.').take(2).map(part).collect()
}

#[test]
fn one_of_many_answers_as_a_real_api_server_does() {
    let real = shared_cluster().unwrap();
    let many = FakeApiServers::start(1, FakeApiServersOptions { alg: Alg::Rs256, ..FakeApiServersOptions::default() })
        .unwrap();
    let wanted = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"audiences": ["vault"], "expirationSeconds": 600}});
    for (method, path, body) in [
        ("GET", "/.well-known/openid-configuration", None),
        ("GET", "/openid/v1/jwks", None),
        ("GET", "/api/v1/namespaces/kube-system", None),
        ("GET", "/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt", None),
        ("POST", "/api/v1/namespaces/default/serviceaccounts/default/token", Some(&wanted)),
        ("POST", "/api/v1/namespaces/kube-system/serviceaccounts/default/token", Some(&wanted)),
        ("GET", "/nothing/here", None),
    ] {
        let (theirs, ours) = (real.http(method, path, body).unwrap(), send(&many, 0, method, path, body));
        assert_eq!(ours.status, theirs.status, "{path}");
        if theirs.json().is_null() {
            assert_eq!(ours.text, theirs.text, "{path}");
        }
        let [theirs, ours] = [theirs, ours].map(|answer| {
            let (mut shapes, mut json) = (BTreeSet::new(), answer.json());
            if method == "POST" {
                json["parts"] = parts(&json["status"]["token"]);
            }
            shape(&json, "", &mut shapes);
            // Who wrote which field is nothing a client of these tests reads.
            shapes.retain(|name| !name.contains(".managedFields"));
            shapes
        });
        assert_eq!(ours, theirs, "{path}");
    }
    // The same key is published in the same words.
    let key = &real.http("GET", "/openid/v1/jwks", None).unwrap().json()["keys"][0];
    assert_eq!(*key, real.signing_key().jwk());
}

#[test]
fn five_hundred_clusters_rotate_fail_and_heal() {
    let start = Instant::now();
    let issuers = FakeIssuers::Shared("https://kubernetes.default.svc".to_owned());
    let clusters =
        FakeApiServers::start(500, FakeApiServersOptions { issuers, ..FakeApiServersOptions::default() }).unwrap();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(clusters.contexts().len(), 500);
    assert_eq!((clusters.issuer(0), clusters.uid(0) == clusters.uid(1)), (clusters.issuer(499), false));
    let own = |number| clusters.keys(number).iter().map(SigningKey::kid).collect::<Vec<_>>();
    let jwks = |number| ask(&clusters, number, "/openid/v1/jwks");

    let new = clusters.rotate(499).unwrap();
    assert_eq!((own(499).len(), &own(499)[1], own(0).len()), (2, &new.kid(), 1));
    assert_eq!(kids(&jwks(499).json()), own(499));
    clusters.retire(499);
    assert_eq!(kids(&jwks(499).json()), [new.kid()]);

    clusters.publish_raw(7, 203, "text/html", "<html>");
    clusters.drip(7, Duration::from_millis(30));
    let asked = Instant::now();
    let html = jwks(7);
    assert_eq!((html.status, html.text.as_str()), (203, "<html>"));
    assert!(asked.elapsed() >= Duration::from_millis(180), "{:?}", asked.elapsed());
    clusters.redirect(7, "https://elsewhere.example/");
    assert_eq!(jwks(7).status, 302);
    clusters.break_down(7);
    assert_eq!(ask(&clusters, 7, "/api/v1/namespaces/kube-system").json()["code"], 500);
    clusters.recover(7);
    assert_eq!(kids(&jwks(7).json()), own(7));
    assert_eq!(ask(&clusters, 7, "/api/v1/namespaces/kube-system").json()["metadata"]["uid"], clusters.uid(7));
    assert_eq!((clusters.requests(), clusters.requests_to(7), clusters.most_at_once()), (7, 5, 1));
    // Not everything is there, and not for everybody.
    assert_eq!(ask(&clusters, 7, "/api/v1/pods").status, 404);
    let stranger = clusters.http(7).unwrap();
    assert_eq!(stranger.send("GET", "/openid/v1/jwks", &[], None).unwrap().status, 401);
}

#[test]
fn each_of_many_has_a_name_and_a_certificate_of_its_own() {
    for own_authorities in [false, true] {
        let clusters =
            FakeApiServers::start(2, FakeApiServersOptions { own_authorities, ..FakeApiServersOptions::default() })
                .unwrap();
        let [one, other] = [0, 1].map(|number| clusters.server_name(number));
        assert!(one.starts_with("c0.") && other.starts_with("c1.") && one.ends_with(".many.example"), "{one} {other}");
        assert_eq!(clusters.url(0), clusters.url(1));
        assert_eq!(clusters.ca_pem(0) != clusters.ca_pem(1), own_authorities);
        for number in [0, 1] {
            assert_eq!(std::fs::read_to_string(clusters.ca_file(number)).unwrap(), clusters.ca_pem(number));
            let bundle = ask(&clusters, number, "/api/v1/namespaces/kube-system/configmaps/kube-root-ca.crt");
            assert_eq!(bundle.json()["data"]["ca.crt"], clusters.ca_pem(number));
        }
        // The whole way of kubectl, and of programs that read its file.
        let raw = |context: &str, flags: &[&str]| {
            let mut command = Command::new(peers::locate(Peer::Kubectl).unwrap());
            clean_environment(&mut command, clusters.scratch().path(), &[]);
            command.env("KUBECONFIG", clusters.kubeconfig()).args(["--context", context]).args(flags);
            let ran = command.args(["get", "--raw", "/api/v1/namespaces/kube-system"]).output().unwrap();
            String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap()
        };
        assert!(raw("c1", &[]).contains(clusters.uid(1)));
        // Also valid for the name that every cluster has, but not told by it.
        assert!(raw("c1", &["--tls-server-name", "kubernetes.default.svc"]).contains("tls: "));
        // One's name with the other's authority is good for something only where they share it.
        let crossed = raw("c0", &["--tls-server-name", other]);
        if own_authorities {
            assert!(crossed.contains("certificate signed by unknown authority"), "{crossed}");
        } else {
            assert!(crossed.contains(clusters.uid(1)), "{crossed}");
        }
    }
}

#[test]
fn a_delaying_proxy_holds_back_answers_unseen() {
    let vault = VaultServer::start(VaultOptions::new(Product::OpenBao)).unwrap();
    let ca = std::fs::read_to_string(vault.ca_file().unwrap()).unwrap();
    let slow = DelayingProxy::start(port(vault.address()), 60..=90).unwrap();
    let http = Http::new(format!("https://127.0.0.1:{}", slow.port()), Some(&ca), None).unwrap();
    let health = || http.send("GET", "/v1/sys/health", &[], None);
    assert_eq!(health().unwrap().status, 200);
    // On the same connection now: one chunk at least.
    let start = Instant::now();
    assert_eq!(health().unwrap().json()["sealed"], false);
    assert!(start.elapsed() >= Duration::from_millis(60), "{:?}", start.elapsed());
    drop(slow);
    assert!(health().is_err());
}

#[test]
fn a_gated_proxy_holds_the_request_it_is_told_to() {
    let vault = plain_vault();
    let proxy = InterceptingProxy::start(port(vault.address())).unwrap();
    let http = Http::new(proxy.address(), None, None).unwrap();
    let token = vault.root_token().expose().to_owned();
    let write = |description: &str| {
        let (http, token) = (http.clone(), token.clone());
        let body = json!({ "description": description });
        move || http.send("POST", "/v1/sys/auth/jwt/tune", &[("X-Vault-Token", &token)], Some(&body))
    };
    let description = || vault.ok("GET", "sys/auth/jwt/tune", None).unwrap()["description"].clone();

    let second = proxy.hold(Point::BeforeForwarding, "POST", "jwt/tune", 2);
    assert_eq!(write("one")().unwrap().status, 204);
    let writing = thread::spawn(write("two"));
    assert!(second.wait(SOON));
    assert_eq!(description(), "one");
    second.release();
    assert_eq!(writing.join().unwrap().unwrap().status, 204);
    assert_eq!(description(), "two");

    let lost = proxy.hold(Point::BeforeForwarding, "POST", "jwt/tune", 1);
    let writing = thread::spawn(write("three"));
    assert!(lost.wait(SOON));
    lost.discard();
    assert!(writing.join().unwrap().is_err());
    assert_eq!(description(), "two");

    let answer = proxy.hold(Point::BeforeAnswer, "POST", "jwt/tune", 1);
    assert!(!answer.wait(Duration::from_millis(1)));
    let writing = thread::spawn(write("four"));
    assert!(answer.wait(SOON));
    assert_eq!((description(), writing.is_finished()), (json!("four"), false));
    drop(answer);
    assert_eq!(writing.join().unwrap().unwrap().status, 204);
    assert_eq!(proxy.requests(), ["POST /v1/sys/auth/jwt/tune"; 4]);
}

#[test]
fn a_plugin_killed_at_a_named_moment_has_written() {
    let vault = plain_vault();
    let proxy = InterceptingProxy::start(port(vault.address())).unwrap();
    let clusters = FakeApiServers::start(1, FakeApiServersOptions::default()).unwrap();
    let flags = ["--role", "app", "--service-account", "shop:app", "--policy", "default"];
    let written = proxy.hold(Point::BeforeAnswer, "POST", "auth/jwt/config", 1);
    let mut command = setup_command(&clusters, "c0", &vault, &flags);
    let mut plugin =
        command.env("VAULT_ADDR", proxy.address()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(written.wait(SOON));
    plugin.kill().unwrap();
    plugin.wait().unwrap();
    written.release();
    let keys = vault.ok("GET", "auth/jwt/config", None).unwrap()["data"]["jwt_validation_pubkeys"].clone();
    assert!(keys[0].as_str().unwrap().contains(clusters.keys(0)[0].public_pem().trim()), "{keys}");
    assert_eq!(vault.http("GET", "auth/jwt/role/app", None).unwrap().status, 404);
    let again = setup_command(&clusters, "c0", &vault, &flags).env("VAULT_ADDR", proxy.address()).output().unwrap();
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
}

#[test]
fn a_client_that_is_gone_disturbs_nothing() {
    let vault = plain_vault();
    let proxy = InterceptingProxy::start(port(vault.address())).unwrap();
    let http = Http::new(proxy.address(), None, None).unwrap();
    let description = || vault.ok("GET", "sys/auth/jwt/tune", None).unwrap()["description"].clone();
    for (point, before) in
        [(Point::BeforeForwarding, Value::from("")), (Point::BeforeAnswer, Value::from("BeforeAnswer"))]
    {
        let gate = proxy.hold(point, "POST", "/tune", 1);
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        let body = json!({"description": format!("{point:?}")}).to_string();
        let head = format!(
            "POST /v1/sys/auth/jwt/tune HTTP/1.1\r\nHost: x\r\nX-Vault-Token: {}\r\nContent-Length: {}",
            vault.root_token().expose(),
            body.len()
        );
        client.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).unwrap();
        assert!(gate.wait(SOON));
        client.shutdown(Shutdown::Both).unwrap();
        drop(client);
        if point == Point::BeforeAnswer {
            assert_eq!(description(), before);
        }
        // Meanwhile others are served.
        assert_eq!(http.send("GET", "/v1/sys/health", &[], None).unwrap().status, 200);
        gate.release();
        let start = Instant::now();
        while description() != json!(format!("{point:?}")) {
            assert!(start.elapsed() < SOON, "{}", description());
        }
    }
    // A held request does not outlive the proxy.
    let gate = proxy.hold(Point::BeforeForwarding, "GET", "/health", 1);
    let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    client.write_all(b"GET /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert!(gate.wait(SOON));
    drop(proxy);
    assert_eq!(client.read_to_end(&mut Vec::new()).unwrap_or(0), 0);
}

each_product!(a_write_through_the_standby_is_readable_at_both, |product| {
    let pair = HaPair::start(product).unwrap();
    let policy = "path \"kv/app\" { capabilities = [\"read\"] }";
    pair.standby().write_policy("app", policy).unwrap();
    let reads = |node: &VaultServer| {
        node.audit_requests()
            .iter()
            .filter(|one| (&*one.operation, &*one.path) == ("read", "sys/policies/acl/app"))
            .count()
    };
    // OpenBao's standby answers reads itself, and for a moment with the past.
    let start = Instant::now();
    while pair.standby().http("GET", "sys/policies/acl/app", None).unwrap().json()["data"]["policy"] != policy {
        assert!(start.elapsed() < SOON);
    }
    let at_standby = product == Product::OpenBao;
    assert_eq!((reads(pair.active()) > 0, reads(pair.standby()) > 0), (!at_standby, at_standby));
    assert_eq!(pair.active().ok("GET", "sys/policies/acl/app", None).unwrap()["data"]["policy"], policy);
    let leader = pair.standby().http("GET", "sys/leader", None).unwrap().json();
    assert_eq!((&leader["is_self"], &leader["leader_address"]), (&json!(false), &json!(pair.active().address())));
});
