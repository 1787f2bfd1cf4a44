//! Requests and answers over a real socket, with a server that answers what
//! the test says.

use super::*;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;

mod pinned;

/// Answers one connection after the other with `answers`, the last one again
/// and again, and keeps the requests.
struct Stub {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    fn new(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/prefix/", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = requests.clone();
        std::thread::spawn(move || {
            for (count, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                kept.lock().unwrap().push(read_request(&mut stream));
                // The client may hang up in the middle of a large answer.
                let _ = stream.write_all(answers[count.min(answers.len() - 1)].as_bytes());
            }
        });
        Self { url, requests }
    }

    async fn connect(&self, timeout: Duration) -> ApiServer {
        connect(&self.url, timeout).await
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn read_request(stream: &mut impl Read) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).unwrap();
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if count == 0 || body.len() >= length.unwrap_or(0) {
            return text;
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

async fn connect(url: &str, timeout: Duration) -> ApiServer {
    connect_as(url, timeout, AuthInfo::default()).await
}

async fn connect_as(url: &str, timeout: Duration, user: AuthInfo) -> ApiServer {
    let mut config = kube::Config::new(url.parse().unwrap());
    config.default_retry = false;
    config.auth_info = user;
    let target = ClusterTarget {
        context: Some("dev".into()),
        cluster: "dev".into(),
        server: "http://stub".into(),
        namespace: "default".into(),
    };
    let connection = Connection {
        config,
        target,
        entry: Default::default(),
        user: Some("jane".into()),
        timeout: Some(timeout),
        kubectl_flags: String::new(),
    };
    ApiServer::connect(connection).await.unwrap()
}

const LONG: Duration = Duration::from_secs(20);

fn account() -> ServiceAccount {
    ServiceAccount { namespace: "team".into(), name: "app".into() }
}

#[tokio::test]
async fn raw_documents_come_as_sent() {
    let stub = Stub::new(vec![answer("200 OK", "", "{ \"issuer\": \"x\" }"), answer("200 OK", "", "{\"keys\":[]}")]);
    let api = stub.connect(LONG).await;
    assert_eq!(api.discovery_document().await, Ok(b"{ \"issuer\": \"x\" }".to_vec()));
    assert_eq!(api.key_set().await, Ok(b"{\"keys\":[]}".to_vec()));
    let requests = stub.requests();
    assert!(requests[0].starts_with("GET /prefix/.well-known/openid-configuration HTTP/1.1\r\n"), "{}", requests[0]);
    assert!(requests[0].contains("accept: application/json, */*\r\n"), "{}", requests[0]);
    assert!(requests[1].starts_with("GET /prefix/openid/v1/jwks HTTP/1.1\r\n"), "{}", requests[1]);
}

#[tokio::test]
async fn size_is_bounded_while_reading() {
    let fits = "x".repeat(BODY_LIMIT);
    let stub = Stub::new(vec![
        answer("200 OK", "", &fits),
        answer("200 OK", "", &format!("{fits}x")),
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{fits}x"),
    ]);
    let api = stub.connect(LONG).await;
    assert_eq!(api.key_set().await.map(|body| body.len()), Ok(BODY_LIMIT));
    for _ in 0..2 {
        assert_eq!(
            api.key_set().await,
            Err(ClusterError::TooLarge {
                at: api.place.clone(),
                request: "GET /openid/v1/jwks".into(),
                limit: BODY_LIMIT
            })
        );
    }
}

#[tokio::test]
async fn time_is_bounded() {
    // Promises more than it sends and keeps the connection open.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{").unwrap();
        // Until the client hangs up.
        let _ = stream.read(&mut [0; 1]);
    });
    let after = Duration::from_millis(200);
    let api = connect(&url, after).await;
    assert_eq!(
        api.key_set().await,
        Err(ClusterError::Timeout { at: api.place.clone(), request: "GET /openid/v1/jwks".into(), after })
    );
}

#[tokio::test]
async fn a_busy_server_is_asked_again_a_few_times() {
    let busy = |status: &str| answer(status, "retry-after: 0\r\n", "starting");
    let stub = Stub::new(vec![busy("503 X"), busy("429 X"), answer("200 OK", "", "{}")]);
    assert_eq!(stub.connect(LONG).await.key_set().await, Ok(b"{}".to_vec()));
    let stub = Stub::new(vec![busy("503 X")]);
    let error = stub.connect(LONG).await.key_set().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "API server \"http://stub\" of context \"dev\" answered \"GET /openid/v1/jwks\" with 503: starting"
    );
    assert_eq!(stub.requests().len(), 3);
    // Other failures are final.
    let stub = Stub::new(vec![answer("500 X", "retry-after: 0\r\n", "broken")]);
    assert!(stub.connect(LONG).await.key_set().await.is_err());
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn a_token_is_asked_for_as_wanted() {
    let stub =
        Stub::new(vec![answer("201 Created", "", r#"{"status":{"token":"eyJ.a.b","expirationTimestamp":null}}"#)]);
    let api = stub.connect(LONG).await;
    let token = api.token(&account(), &["vault".into()], 600).await;
    assert_eq!(token, Ok(Secret::new("eyJ.a.b")));
    let request = &stub.requests()[0];
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /prefix/api/v1/namespaces/team/serviceaccounts/app/token HTTP/1.1\r\n"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["kind"], "TokenRequest");
    assert_eq!(body["apiVersion"], "authentication.k8s.io/v1");
    assert_eq!(body["spec"], serde_json::json!({"audiences": ["vault"], "expirationSeconds": 600}));
}

#[tokio::test]
async fn an_answer_without_a_token_shows_nothing_of_itself() {
    for (body, cause) in [
        (r#"{"status":"eyJsecret"}"#, "it is not a TokenRequest"),
        (r#"{"status":{"token":""}}"#, "status.token is missing"),
        ("eyJsecret", "it is not a TokenRequest"),
    ] {
        let stub = Stub::new(vec![answer("201 Created", "", body)]);
        let error = stub.connect(LONG).await.token(&account(), &[], 600).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "API server \"http://stub\" of context \"dev\" answered \
                 \"POST /api/v1/namespaces/team/serviceaccounts/app/token\" with something else than expected: {cause}"
            )
        );
    }
}

#[tokio::test]
async fn refused_tokens_are_told_apart() {
    let status = |kind: &str| {
        format!(
            r#"{{"kind":"Status","message":"{kind} \"x\" not found","details":{{"name":"x","kind":"{kind}"}},"code":404}}"#
        )
    };
    let stub = Stub::new(vec![
        answer("404 Not Found", "", &status("serviceaccounts")),
        answer("404 Not Found", "", &status("namespaces")),
        answer("404 Not Found", "", "404 page not found"),
        answer("403 Forbidden", "", r#"{"kind":"Status","message":"no","code":403}"#),
        answer("401 Unauthorized", "", r#"{"kind":"Status","message":"Unauthorized","code":401}"#),
    ]);
    let api = stub.connect(LONG).await;
    let at = || api.place.clone();
    let mut errors = Vec::new();
    for _ in 0..5 {
        errors.push(api.token(&account(), &[], 600).await.unwrap_err());
    }
    assert_eq!(errors[0], ClusterError::ServiceAccountMissing { at: at(), account: account() });
    assert_eq!(errors[1], ClusterError::NamespaceMissing { at: at(), namespace: "team".into() });
    assert!(matches!(&errors[2], ClusterError::Refused { status: 404, .. }), "{:?}", errors[2]);
    assert_eq!(errors[3], ClusterError::TokenForbidden { at: at(), account: account(), words: "no".into() });
    assert_eq!(errors[4], ClusterError::Unauthorized { at: at(), words: "Unauthorized".into() });
}

#[tokio::test]
async fn the_uid_is_that_of_kube_system() {
    let stub = Stub::new(vec![
        answer("200 OK", "", r#"{"metadata":{"uid":"cf38"}}"#),
        answer("200 OK", "", r#"{"metadata":{"uid":""}}"#),
        answer("200 OK", "", "<html>"),
        answer("403 Forbidden", "", r#"{"kind":"Status","message":"no","code":403}"#),
    ]);
    let api = stub.connect(LONG).await;
    assert_eq!(api.uid().await.as_deref(), Ok("cf38"));
    assert!(stub.requests()[0].starts_with("GET /prefix/api/v1/namespaces/kube-system HTTP/1.1"));
    assert!(
        matches!(api.uid().await, Err(ClusterError::BadAnswer { cause, .. }) if cause == "metadata.uid is missing")
    );
    assert!(matches!(api.uid().await, Err(ClusterError::BadAnswer { cause, .. }) if cause == "it is not JSON"));
    assert_eq!(api.uid().await, Err(ClusterError::UidForbidden { at: api.place.clone(), words: "no".into() }));
}

#[tokio::test]
async fn discovery_refusals_are_told_apart() {
    let stub = Stub::new(vec![
        answer("403 Forbidden", "", r#"{"kind":"Status","message":"no","code":403}"#),
        answer("404 Not Found", "", "404 page not found"),
        answer("302 Found", "location: https://elsewhere/\r\n", ""),
    ]);
    let api = stub.connect(LONG).await;
    let at = || api.place.clone();
    let path = "/.well-known/openid-configuration";
    assert_eq!(
        api.discovery_document().await,
        Err(ClusterError::DiscoveryForbidden { at: at(), path, words: "no".into() })
    );
    assert_eq!(
        api.discovery_document().await,
        Err(ClusterError::DiscoveryMissing { at: at(), path, words: "404 page not found".into() })
    );
    // Redirects are not followed.
    assert!(matches!(api.discovery_document().await, Err(ClusterError::Refused { status: 302, .. })));
    assert_eq!(stub.requests().len(), 3);
}

#[tokio::test]
async fn a_plugin_that_gives_a_token_runs_once() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("runs");
    let credential = r#"{"kind":"ExecCredential","status":{"token":"from-plugin"}}"#;
    let script = format!("echo run >> {}; echo '{credential}'", runs.display());
    let exec = kube::config::ExecConfig {
        command: Some("sh".into()),
        args: Some(vec!["-c".into(), script]),
        interactive_mode: Some(kube::config::ExecInteractiveMode::Never),
        ..Default::default()
    };
    let stub = Stub::new(vec![answer("200 OK", "", "{}")]);
    let user = AuthInfo { exec: Some(exec), ..AuthInfo::default() };
    let api = connect_as(&stub.url, LONG, user).await;
    assert!(api.key_set().await.is_ok() && api.key_set().await.is_ok());
    assert!(stub.requests().iter().all(|request| request.contains("authorization: Bearer from-plugin\r\n")));
    assert_eq!(std::fs::read_to_string(runs).unwrap(), "run\n");
}

#[tokio::test]
async fn nobody_there() {
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let api = connect(&url, LONG).await;
    assert_eq!(
        api.key_set().await,
        Err(ClusterError::Unreachable { at: api.place.clone(), cause: "connection refused".into() })
    );
}

#[tokio::test]
async fn names_cannot_leave_their_place_in_the_path() {
    let api = connect("http://127.0.0.1:1", LONG).await;
    for (namespace, name, kind, refused) in [
        ("..", "app", "namespace", ".."),
        ("team", "app/../../x", "service account", "app/../../x"),
        ("team", "app?x", "service account", "app?x"),
        ("team", "", "service account", ""),
        ("-team", "app", "namespace", "-team"),
        ("Team", "app", "namespace", "Team"),
    ] {
        let account = ServiceAccount { namespace: namespace.into(), name: name.into() };
        let refused = ClusterError::NotAName { kind, name: refused.into() };
        assert_eq!(api.token(&account, &[], 600).await, Err(refused));
    }
    assert!(is_name("a") && is_name("build-robot.v2") && is_name(&"a".repeat(253)) && !is_name(&"a".repeat(254)));
}
