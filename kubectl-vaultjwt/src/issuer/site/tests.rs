//! Tests of `site` against a TLS server on loopback that answers from a script.

use super::*;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

#[test]
fn one_slash_before_the_well_known_path() {
    for (issuer, url) in [
        ("https://a/id/1", Some("https://a/id/1/.well-known/openid-configuration")),
        ("https://a/t/u/", Some("https://a/t/u/.well-known/openid-configuration")),
        ("https://a", Some("https://a/.well-known/openid-configuration")),
        ("http://a", None),
        ("https://a?x=1", None),
        ("kubernetes/serviceaccount", None),
    ] {
        assert_eq!(discovery_url(issuer).as_ref().map(Url::as_str), url, "{issuer}");
    }
}

/// A site that gives each answer of its script once, each on a connection of
/// its own, and keeps what it was asked.
struct Scripted {
    url: Url,
    ca: tempfile::NamedTempFile,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn start(answers: &[(&str, &str, &str)]) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        let mut ca = tempfile::NamedTempFile::new().unwrap();
        ca.write_all(certificate.pem().as_bytes()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}/keys", listener.local_addr().unwrap().port());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        let answers: Vec<String> =
            answers.iter().map(|(status, headers, body)| answer(status, headers, body)).collect();
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((stream, _)) = listener.accept() else { return };
                let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, stream);
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    request.extend(byte);
                }
                kept.lock().push(String::from_utf8(request).unwrap().to_lowercase());
                stream.write_all(answer.as_bytes()).unwrap();
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        Self { url: Url::parse(&url).unwrap(), ca, seen }
    }

    fn site(&self) -> HttpsSite {
        HttpsSite::new(Some(self.ca.path())).unwrap()
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().clone()
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len())
}

#[tokio::test]
async fn what_did_not_change_is_not_sent_again() {
    let scripted = Scripted::start(&[
        ("200 OK", "ETag: \"v1\"\r\nLast-Modified: Wed, 25 Nov 2026 08:00:00 GMT\r\n", "one"),
        ("304 Not Modified", "", ""),
        ("200 OK", "Last-Modified: Wed, 25 Nov 2026 09:00:00 GMT\r\n", "two"),
        ("304 Not Modified", "", ""),
        ("200 OK", "", "three"),
        ("200 OK", "", "four"),
    ]);
    let site = scripted.site();
    for body in ["one", "one", "two", "two", "three", "four"] {
        assert_eq!(String::from_utf8(site.get(&scripted.url).await.unwrap()).unwrap(), body);
    }
    let conditions: Vec<Vec<String>> = scripted
        .seen()
        .iter()
        .map(|request| request.lines().filter(|line| line.starts_with("if-")).map(str::to_owned).collect())
        .collect();
    let by_tag = vec!["if-none-match: \"v1\"".to_owned()];
    let by_time = vec!["if-modified-since: wed, 25 nov 2026 09:00:00 gmt".to_owned()];
    assert_eq!(conditions, [vec![], by_tag.clone(), by_tag, by_time.clone(), by_time, vec![]]);
    assert_eq!(site.requests().load(Ordering::Relaxed), 6);
}

#[tokio::test]
async fn what_is_large_is_not_remembered_and_a_304_without_a_question_is_an_error() {
    let large = "x".repeat(REMEMBERED + 1);
    let scripted = Scripted::start(&[("200 OK", "ETag: \"v1\"\r\n", &large), ("304 Not Modified", "", "")]);
    let site = scripted.site();
    assert_eq!(site.get(&scripted.url).await.unwrap().len(), large.len());
    assert!(matches!(site.get(&scripted.url).await, Err(SiteError::Status(304))));
    assert!(!scripted.seen()[1].contains("if-none-match"));
}

#[tokio::test]
async fn a_site_that_asks_for_it_is_left_alone() {
    let scripted = Scripted::start(&[
        ("429 Too Many Requests", "Retry-After: 1\r\n", ""),
        ("503 Service Unavailable", "", ""),
        ("200 OK", "", "there"),
    ]);
    let site = scripted.site();
    let error = site.get(&scripted.url).await.unwrap_err();
    assert_eq!(error.to_string(), "it answered 429 and asks to be left alone for 1s");
    assert!(matches!(site.get(&scripted.url).await, Err(SiteError::Busy { status: 429, .. })));
    assert_eq!(scripted.seen().len(), 1);
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    assert!(matches!(site.get(&scripted.url).await, Err(SiteError::Status(503))));
    assert_eq!(site.get(&scripted.url).await.unwrap(), b"there");
}
