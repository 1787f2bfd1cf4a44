use super::*;
use crate::connection::address::Address;
use crate::connection::test_server::{TestServer, granted, response};
use crate::connection::tls::TlsSettings;
use crate::files::jwt_claims::DecodedJwt;
use shared::Secret;
use shared::env::CaSource;
use shared::mount::MountPath;
use shared::refusal::Refusal;
use std::io::{Read, Write};

const JWT: &str = "head.claims.signature";

fn jwt() -> Jwt {
    Jwt { secret: Secret::new(JWT), decoded: DecodedJwt::default() }
}

fn vault_at(address: &str, tls: Option<TlsConfig>) -> VaultClient {
    let target = Target {
        address: Address::parse(address).unwrap(),
        namespace: Some("admin/team".into()),
        mount: MountPath::parse("k8s/prod").unwrap(),
        role: Some("app".into()),
    };
    VaultClient::new(target, tls, Some(Duration::from_secs(5)), None, InFlight::default())
}

/// One login at a peer that gives `responses`; what came of it, and the requests.
fn login(responses: &[&str]) -> (Result<Granted, VaultError>, Vec<String>) {
    let server = TestServer::start(responses);
    let result = vault_at(&format!("http://127.0.0.1:{}/base/", server.port), None).login(
        &jwt(),
        Duration::from_secs(5),
        |_| {},
    );
    (result, server.requests())
}

/// The error's text, with the peer's port as PORT.
fn refusal(responses: &[&str]) -> String {
    let server = TestServer::start(responses);
    let port = server.port.to_string();
    let error =
        vault_at(&format!("http://127.0.0.1:{port}"), None).login(&jwt(), Duration::from_secs(5), |_| {}).unwrap_err();
    server.requests();
    error.to_string().replace(&port, "PORT")
}

#[test]
fn the_request_is_a_vault_login_and_nothing_else() {
    let (result, requests) = login(&[&granted("hvs.token")]);
    let granted = result.unwrap();
    assert_eq!(granted.token.expose(), "hvs.token");
    assert_eq!((granted.lease, granted.role.as_deref()), (Some(Duration::from_secs(3_600)), Some("app")));
    let (head, body) = requests[0].split_once("\r\n\r\n").unwrap();
    assert_eq!(body, format!("{{\"role\":\"app\",\"jwt\":\"{JWT}\"}}"));
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("POST /base/v1/auth/k8s/prod/login HTTP/1.1"));
    let mut headers: Vec<String> = lines.map(|line| line.split(':').next().unwrap().to_ascii_lowercase()).collect();
    headers.sort();
    let expected =
        ["accept", "content-length", "content-type", "host", "user-agent", "x-vault-namespace", "x-vault-request"];
    assert_eq!(headers, expected);
    let head = head.to_ascii_lowercase();
    for header in ["x-vault-namespace: admin/team", "x-vault-request: true", "user-agent: vault-jwt-login/"] {
        assert!(head.contains(header), "{header}");
    }
}

#[test]
fn without_a_role_or_namespace_neither_is_sent() {
    let server = TestServer::start(&[&granted("hvs.token")]);
    let mut vault = vault_at(&format!("http://127.0.0.1:{}", server.port), None);
    (vault.target.role, vault.target.namespace) = (None, None);
    vault.login(&jwt(), Duration::from_secs(5), |_| {}).unwrap();
    let request = server.requests().remove(0);
    assert!(request.ends_with(&format!("\r\n\r\n{{\"jwt\":\"{JWT}\"}}")), "{request}");
    assert!(!request.to_ascii_lowercase().contains("x-vault-namespace"));
}

#[test]
fn one_redirect_of_the_same_server_gets_the_same_login() {
    for status in [301, 302, 307, 308] {
        let redirect = response(status, "Location: http://127.0.0.1:PORT/elsewhere\r\n", "");
        let (result, requests) = login(&[&redirect, &granted("hvs.token")]);
        assert_eq!(result.unwrap().token.expose(), "hvs.token");
        assert!(requests[1].starts_with("POST /elsewhere HTTP/1.1\r\n"), "{status}");
        let (first, second) = (requests[0].split_once("\r\n").unwrap().1, requests[1].split_once("\r\n").unwrap().1);
        assert_eq!(first, second, "headers and body are the same");
    }
}

#[test]
fn other_redirects_are_not_followed() {
    let to = |location: &str| response(307, &format!("Location: {location}\r\n"), "");
    let here = to("http://127.0.0.1:PORT/x");
    let start = "Vault at \"http://127.0.0.1:PORT\" answered with";
    assert_eq!(
        refusal(&[&to("http://127.0.0.2:PORT/x")]),
        format!("{start} a redirect to another server, \"http://127.0.0.2:PORT\"")
    );
    assert_eq!(refusal(&[&here, &here]), format!("{start} a second redirect"));
    assert_eq!(refusal(&[&response(302, "", "")]), format!("{start} a redirect without a usable location"));
    assert_eq!(
        refusal(&[&response(303, "Location: /x\r\n", "")]),
        "\"http://127.0.0.1:PORT\" did not answer the login as Vault does: status 303"
    );
}

#[test]
fn answers_that_are_no_login() {
    let not_vault = "\"http://127.0.0.1:PORT\" did not answer the login as Vault does:";
    let large = response(200, "", &" ".repeat(1_048_577));
    for (body, why) in [
        (response(200, "", "<html>"), "status 200 with something that is no JSON"),
        (response(200, "", ""), "status 200 with something that is no JSON"),
        (response(204, "", ""), "status 204 with something that is no JSON"),
        (response(200, "", "{}"), "status 200 without a token"),
        (response(200, "", "{\"auth\":null,\"wrap_info\":null}"), "status 200 without a token"),
        (response(200, "", "{\"auth\":\"hvs.secret\"}"), "status 200 with JSON that is no login"),
        (response(200, "", "[]"), "status 200 with JSON that is no login"),
        (granted(""), "status 200 with an empty or unprintable token"),
        (granted("hvs.a\\nb"), "status 200 with an empty or unprintable token"),
        (granted("hvs.ä"), "status 200 with an empty or unprintable token"),
        (large, "more than 1048576 bytes"),
    ] {
        assert_eq!(refusal(&[&body]), format!("{not_vault} {why}"));
    }
    assert_eq!(
        refusal(&[&response(200, "", "{\"auth\":null,\"wrap_info\":{\"token\":\"hvs.w\"}}")]),
        "Vault at \"http://127.0.0.1:PORT\" answered with a wrapped token, which was not asked for"
    );
}

#[test]
fn refusals_carry_class_words_and_retry_after() {
    let refused = |answer: String| match login(&[&answer]).0 {
        Err(VaultError::LoginRefused(refused)) => *refused,
        other => panic!("{other:?}"),
    };
    let one = refused(response(400, "", "{\"errors\":[\"role \\\"app\\\" could not be found\"]}"));
    assert_eq!(
        (one.class, one.words.as_str(), one.retry_after),
        (Refusal::NoSuchRole, "role \"app\" could not be found", None)
    );
    let busy = refused(response(429, "Retry-After: 7\r\n", "{\"errors\":[\"rate limit quota exceeded\"]}"));
    assert_eq!((busy.class, busy.retry_after), (Refusal::Unavailable, Some(Duration::from_secs(7))));
    let dated =
        refused(response(503, "Retry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n", "{\"errors\":[\"Vault is sealed\"]}"));
    assert_eq!((dated.class, dated.retry_after), (Refusal::Unavailable, None));
    let lines = refused(response(
        403,
        "",
        "{\"errors\":[\"2 errors occurred:\\n\\t* permission denied\\n\\t* invalid token\\n\\n\"]}",
    ));
    assert_eq!(
        (lines.class, lines.words.as_str()),
        (Refusal::Denied, "2 errors occurred: * permission denied * invalid token")
    );
    let page = refused(response(404, "", &format!("<h1>\u{1b}[31mnot here {JWT}</h1>")));
    assert_eq!((page.class, page.words.as_str()), (Refusal::NoSuchMount, "<h1>\\u{1b}[31mnot here [the token]</h1>"));
}

#[test]
fn a_request_that_was_sent_is_waited_for_and_told_with_its_bound() {
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let vault = vault_at(&format!("http://127.0.0.1:{port}"), None);
    let started = Instant::now();
    let error = vault.login(&jwt(), Duration::from_millis(300), |_| {}).unwrap_err();
    assert!(matches!(error, VaultError::Unanswered { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("Vault at \"http://127.0.0.1:{port}\" did not respond within 300ms"));
    assert!(started.elapsed() < Duration::from_secs(3));
    drop(silent);
    let error = vault.login(&jwt(), Duration::from_secs(5), |_| {}).unwrap_err();
    assert_eq!(error.to_string(), format!("could not reach Vault at \"http://127.0.0.1:{port}\": connection refused"));
}

#[test]
fn a_handshake_that_is_not_answered_is_no_unanswered_request() {
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("https://{}", silent.local_addr().unwrap());
    let vault = vault_at(&address, tls(TlsSettings { skip_verify: true, ..TlsSettings::default() }));
    let error = vault.login(&jwt(), Duration::from_millis(300), |_| {}).unwrap_err();
    assert!(matches!(error, VaultError::Unreachable { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("could not reach Vault at \"{address}\": no connection in 300ms"));
}

#[test]
fn a_connection_that_is_closed_after_the_request_is_told_from_one_that_is_not_made() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read(&mut [0; 4096]).unwrap()
    });
    let stage = |error: VaultError| match error {
        VaultError::Unreachable { stage, .. } => stage,
        other => panic!("{other:?}"),
    };
    let vault = vault_at(&address, None);
    assert_eq!(stage(vault.login(&jwt(), Duration::from_secs(5), |_| {}).unwrap_err()), FailureStage::AfterRequest);
    assert!(thread.join().unwrap() > 0);
    assert_eq!(stage(vault.login(&jwt(), Duration::from_secs(5), |_| {}).unwrap_err()), FailureStage::ConnectRefused);
}

#[test]
fn a_handshake_that_drips_ends_in_time() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // The head of a record that is announced as long, and then a byte now and then.
        let _ = stream.write_all(&[22, 3, 3, 64, 0]);
        while stream.write_all(&[0]).is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let vault = vault_at(&address, tls(TlsSettings { skip_verify: true, ..TlsSettings::default() }));
    let started = Instant::now();
    let error = vault.login(&jwt(), Duration::from_millis(700), |_| {}).unwrap_err();
    assert!(error.to_string().ends_with(": no connection in 700ms"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

fn tls(settings: TlsSettings) -> Option<TlsConfig> {
    Some(TlsConfig::new(&settings).unwrap())
}

fn trusting(pem: &str) -> TlsSettings {
    TlsSettings {
        ca: Some(CaSource::Bytes(pem.to_owned())),
        ca_given_by: "VAULT_CACERT_BYTES".into(),
        ..TlsSettings::default()
    }
}

#[test]
fn the_given_authority_is_trusted_and_no_other() {
    let (server, pem) = TestServer::start_tls(&[&granted("hvs.token")], "127.0.0.1", "ours");
    let vault = vault_at(&format!("https://127.0.0.1:{}", server.port), tls(trusting(&pem)));
    assert_eq!(vault.login(&jwt(), Duration::from_secs(5), |_| {}).unwrap().token.expose(), "hvs.token");
    assert!(server.requests()[0].starts_with("POST "));

    for (authority, why) in [
        ("theirs", "its certificate is signed by an unknown authority (trusted: CA in VAULT_CACERT_BYTES)"),
        ("ours", "its certificate is signed by another key than that of the CA in VAULT_CACERT_BYTES"),
    ] {
        let (server, _) = TestServer::start_tls(&[&granted("hvs.token")], "127.0.0.1", authority);
        let address = format!("https://127.0.0.1:{}", server.port);
        let error = vault_at(&address, tls(trusting(&pem))).login(&jwt(), Duration::from_secs(5), |_| {}).unwrap_err();
        assert_eq!(error.to_string(), format!("could not connect securely to Vault at \"{address}\": {why}"));
        assert_eq!(
            error.hint().as_deref(),
            Some("give the PEM certificate of Vault's CA with --vault-ca-cert or VAULT_CACERT")
        );
        assert_eq!(server.requests(), [""], "nothing was sent");
    }
}

#[test]
fn a_wrong_name_is_refused_unless_it_is_the_given_one() {
    let (server, pem) = TestServer::start_tls(&["", &granted("hvs.token")], "vault.example", "ours");
    let address = format!("https://127.0.0.1:{}", server.port);
    let error = vault_at(&address, tls(trusting(&pem))).login(&jwt(), Duration::from_secs(5), |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "could not connect securely to Vault at \"{address}\": its certificate is not for \"127.0.0.1\" but for \
             \"vault.example\""
        )
    );
    let named = TlsSettings { server_name: Some("vault.example".into()), ..trusting(&pem) };
    vault_at(&address, tls(named)).login(&jwt(), Duration::from_secs(5), |_| {}).unwrap();
    let requests = server.requests();
    assert_eq!(requests[0], "");
    assert!(requests[1].to_ascii_lowercase().contains(&format!("host: {}\r\n", &address["https://".len()..])));
}

#[test]
fn nothing_is_verified_when_so_asked() {
    let (server, _) = TestServer::start_tls(&[&granted("hvs.token")], "vault.example", "ours");
    let anybody = TlsSettings { skip_verify: true, ..TlsSettings::default() };
    vault_at(&format!("https://127.0.0.1:{}", server.port), tls(anybody))
        .login(&jwt(), Duration::from_secs(5), |_| {})
        .unwrap();
    server.requests();
}

#[test]
fn a_server_without_tls_is_told() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let hello = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent a TLS hello").unwrap();
        hello
    });
    let anybody = TlsSettings { skip_verify: true, ..TlsSettings::default() };
    let error = vault_at(&address, tls(anybody)).login(&jwt(), Duration::from_secs(5), |_| {}).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("could not connect securely to Vault at \"{address}\": it does not speak TLS")
    );
    assert!(thread.join().unwrap() > 0);
}

#[test]
fn a_proxy_is_asked_to_connect() {
    let proxy = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = proxy.accept().unwrap();
        let read_until = |stream: &mut std::net::TcpStream, end: &[u8]| {
            let mut bytes = Vec::new();
            while !bytes.ends_with(end) {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                bytes.push(byte[0]);
            }
            String::from_utf8(bytes).unwrap()
        };
        let connect = read_until(&mut stream, b"\r\n\r\n");
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let request = read_until(&mut stream, b"}");
        stream.write_all(granted("hvs.token").as_bytes()).unwrap();
        (connect, request)
    });
    let vault = VaultClient::new(
        vault_at("http://vault.example:8200", None).target,
        None,
        None,
        Some(ureq::Proxy::new(&address).unwrap()),
        InFlight::default(),
    );
    assert_eq!(vault.login(&jwt(), Duration::from_secs(5), |_| {}).unwrap().token.expose(), "hvs.token");
    let (connect, request) = thread.join().unwrap();
    assert!(connect.starts_with("CONNECT vault.example:8200 HTTP/1.1\r\n"), "{connect}");
    assert!(request.starts_with("POST /v1/auth/k8s/prod/login HTTP/1.1\r\n"), "{request}");
}
