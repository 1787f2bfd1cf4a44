//! Tests of `transport` against small peers on loopback that answer from a
//! script and keep what they were sent.

mod tls;

use super::*;
use crate::vault::settings::address;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;

/// A peer that gives each answer of its script once, then closes.
pub(in crate::vault) struct Peer {
    pub(in crate::vault) url: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    pub(in crate::vault) fn start<S: Into<String>>(answers: impl IntoIterator<Item = S>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut answers, kept) =
            (answers.into_iter().map(Into::into).collect::<VecDeque<String>>(), Arc::clone(&seen));
        std::thread::spawn(move || {
            while let Some(answer) = answers.pop_front() {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let request = read_request(&mut stream);
                kept.lock().unwrap().push(request);
                // The client may have heard enough.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Self { url, seen }
    }

    /// Requests so far: head with lower-case header names, then the body.
    pub(in crate::vault) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn read_request(stream: &mut impl Read) -> String {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    head + &String::from_utf8(body).unwrap()
}

pub(in crate::vault) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len())
}

pub(in crate::vault) fn settings(url: &str) -> Settings {
    Settings {
        address: address::parse(url).unwrap(),
        namespace: Some("admin/team".into()),
        trust: Trust::System,
        skip_verify: false,
        server_name: None,
        timeout: Some(Duration::from_secs(20)),
        identity: None,
        token: Some(Secret::new("hvs.operator")),
    }
}

type Lines = Arc<Mutex<Vec<String>>>;

fn transport(settings: Settings) -> (Transport, Lines) {
    let lines = Lines::default();
    let kept = Arc::clone(&lines);
    let log: RequestLog = Arc::new(move |line: &str| kept.lock().unwrap().push(line.to_owned()));
    let mut transport = Transport::new(settings, log).unwrap();
    transport.backoff = Duration::from_millis(5);
    (transport, lines)
}

fn get(token: &Secret) -> Call<'_> {
    Call { method: Method::GET, path: vec!["sys", "auth"], body: None, token: Some(token.clone()) }
}

fn post(token: &Secret) -> Call<'_> {
    Call {
        method: Method::POST,
        path: vec!["sys", "auth", "jwt"],
        body: Some(b"{\"a\":1}".to_vec()),
        token: Some(token.clone()),
    }
}

#[tokio::test]
async fn a_request_carries_what_vault_expects() {
    let peer = Peer::start([answer("204 No Content", "", "")]);
    let (transport, lines) = transport(settings(&format!("{}/prefix/", peer.url)));
    transport.send(&post(&Secret::new("hvs.operator"))).await.unwrap();
    let seen = peer.seen().remove(0);
    assert!(seen.starts_with("POST /prefix/v1/sys/auth/jwt HTTP/1.1\r\n"), "{seen}");
    for header in [
        "x-vault-request: true\r\n",
        "x-vault-namespace: admin/team\r\n",
        "x-vault-token: hvs.operator\r\n",
        concat!("user-agent: kubectl-vaultjwt/", env!("CARGO_PKG_VERSION"), "\r\n"),
    ] {
        assert!(seen.contains(header), "{header} in {seen}");
    }
    assert!(seen.ends_with("{\"a\":1}"));
    let line = lines.lock().unwrap().join("\n");
    assert!(line.starts_with("POST sys/auth/jwt: 204 (") && line.ends_with(" ms)"), "{line}");
}

#[tokio::test]
async fn a_redirect_keeps_method_body_and_token() {
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let active = Peer::start([answer("204 No Content", "", "")]);
        let location = format!("Location: {}/v1/sys/auth/jwt\r\n", active.url);
        let standby = Peer::start([answer(status, &location, "")]);
        let (transport, _) = transport(settings(&standby.url));
        let got = transport.send(&post(&Secret::new("hvs.operator"))).await.unwrap();
        assert_eq!(got.status, 204);
        let seen = active.seen().remove(0);
        assert!(seen.starts_with("POST /v1/sys/auth/jwt "), "{seen}");
        assert!(seen.contains("x-vault-token: hvs.operator\r\n") && seen.ends_with("{\"a\":1}"), "{seen}");
    }
}

#[tokio::test]
async fn a_second_redirect_and_a_login_page_are_refused() {
    let third = Peer::start([answer("204 No Content", "", "")]);
    let to_third = format!("Location: {}/v1/sys/auth/jwt\r\n", third.url);
    let second = Peer::start([answer("307 Temporary", &to_third, "")]);
    let first = Peer::start([answer("307 Temporary", &format!("Location: {}/v1/sys/auth/jwt\r\n", second.url), "")]);
    let token = Secret::new("hvs.operator");
    let error = transport(settings(&first.url)).0.send(&post(&token)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the redirect of \"{}\" for POST sys/auth/jwt to \"{}/v1/sys/auth/jwt\" is not followed: it is the second one for this request",
            second.url, third.url
        )
    );
    assert_eq!(third.seen(), [""; 0]);

    let page = Peer::start([answer("204 No Content", "", "")]);
    let front = Peer::start([answer("302 Found", &format!("Location: {}/login\r\n", page.url), "")]);
    let error = transport(settings(&front.url)).0.send(&post(&token)).await.unwrap_err();
    assert!(error.to_string().ends_with(
        "/login\" is not followed: it leads to another path, as a login page or proxy in front of Vault would"
    ));
    assert_eq!(page.seen(), [""; 0]);
}

#[tokio::test]
async fn a_read_is_sent_again_and_a_write_is_not() {
    let token = Secret::new("t");
    let peer = Peer::start([answer("503 Unavailable", "", "{}"), answer("200 OK", "", "{}")]);
    let (reads, lines) = transport(settings(&peer.url));
    assert_eq!(reads.send(&get(&token)).await.unwrap().status, 200);
    assert_eq!((peer.seen().len(), lines.lock().unwrap().len()), (2, 2));

    let peer = Peer::start([answer("503 Unavailable", "", "{}"), answer("200 OK", "", "{}")]);
    assert_eq!(transport(settings(&peer.url)).0.send(&post(&token)).await.unwrap().status, 503);
    assert_eq!(peer.seen().len(), 1);

    // A connection that breaks before the answer.
    let peer = Peer::start([String::new(), answer("200 OK", "", "{}")]);
    assert_eq!(transport(settings(&peer.url)).0.send(&get(&token)).await.unwrap().status, 200);
    let peer = Peer::start([String::new(), answer("200 OK", "", "{}")]);
    let error = transport(settings(&peer.url)).0.send(&post(&token)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "no answer from Vault at \"{}\" to POST sys/auth/jwt: connection closed before message completed",
            peer.url
        )
    );
    assert_eq!(peer.seen().len(), 1);
}

#[tokio::test]
async fn a_read_is_sent_three_times_at_most_and_only_where_it_can_help() {
    let token = Secret::new("t");
    for (status, times) in
        [("412 Precondition", 3), ("429 Too Many", 3), ("500 Error", 3), ("501 No", 1), ("400 Bad", 1), ("403 No", 1)]
    {
        let peer = Peer::start(vec![answer(status, "", "{}"); 4]);
        transport(settings(&peer.url)).0.send(&get(&token)).await.unwrap();
        assert_eq!(peer.seen().len(), times, "{status}");
    }
    let sealed = answer("503 Unavailable", "", "{\"errors\":[\"Vault is sealed\"]}");
    let peer = Peer::start(vec![sealed; 4]);
    transport(settings(&peer.url)).0.send(&get(&token)).await.unwrap();
    assert_eq!(peer.seen().len(), 1);
}

#[tokio::test]
async fn retry_after_is_obeyed_or_the_answer_given_up() {
    let token = Secret::new("t");
    let peer = Peer::start([answer("429 Too Many", "Retry-After: 1\r\n", "{}"), answer("200 OK", "", "{}")]);
    let started = Instant::now();
    assert_eq!(transport(settings(&peer.url)).0.send(&get(&token)).await.unwrap().status, 200);
    assert!(started.elapsed() >= Duration::from_secs(1));

    // Longer than the time that is left: the refusal says more than a timeout.
    let peer = Peer::start([answer("429 Too Many", "Retry-After: 30\r\n", "{}"), answer("200 OK", "", "{}")]);
    assert_eq!(transport(settings(&peer.url)).0.send(&get(&token)).await.unwrap().status, 429);

    // A date that has passed means now.
    let past = "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let peer = Peer::start([answer("503 Unavailable", past, "{}"), answer("200 OK", "", "{}")]);
    assert_eq!(transport(settings(&peer.url)).0.send(&get(&token)).await.unwrap().status, 200);
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let body = "x".repeat(BODY_AT_MOST + 1);
    let peer = Peer::start([format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}")]);
    let error = transport(settings(&peer.url)).0.send(&get(&Secret::new("t"))).await.unwrap_err();
    assert_eq!(error.to_string(), format!("the answer of \"{}\" to GET sys/auth is larger than 8 MiB", peer.url));
}

#[tokio::test]
async fn time_runs_out_over_all_attempts() {
    // Accepted by the kernel, never answered.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let settings = Settings { timeout: Some(Duration::from_millis(200)), ..settings(&url) };
    let (transport, lines) = transport(settings);
    let error = transport.send(&get(&Secret::new("t"))).await.unwrap_err();
    assert_eq!(error.to_string(), format!("no answer from Vault at \"{url}\" to GET sys/auth within 200ms"));
    assert_eq!(*lines.lock().unwrap(), ["GET sys/auth: no answer within 200ms"]);
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (transport, lines) = transport(settings(&url));
    let error = transport.send(&get(&Secret::new("t"))).await.unwrap_err();
    assert_eq!(error.to_string(), format!("could not reach Vault at \"{url}\": connection refused"));
    assert_eq!(lines.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn https_spoken_to_plain_http() {
    let peer = Peer::start(["HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"]);
    let url = peer.url.replace("http://", "https://");
    // A server that reads lines takes the TLS greeting for one that never ends.
    let settings = Settings { skip_verify: true, timeout: Some(Duration::from_secs(5)), ..settings(&url) };
    let error = transport(settings).0.send(&post(&Secret::new("t"))).await.unwrap_err();
    assert_eq!(error.to_string(), format!("Vault at \"{url}\" speaks plain http, not https"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_is_spoken_to() {
    let path = std::env::temp_dir().join(format!("vaultjwt-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let request = read_request(&mut stream);
        stream.write_all(answer("200 OK", "", "{}").as_bytes()).unwrap();
        request
    });
    let (transport, _) = transport(settings(&format!("unix://{}", path.display())));
    let got = transport.send(&get(&Secret::new("t"))).await;
    let seen = peer.join().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(got.unwrap().status, 200);
    assert!(seen.starts_with("GET /v1/sys/auth ") && seen.contains("host: localhost\r\n"), "{seen}");
}
