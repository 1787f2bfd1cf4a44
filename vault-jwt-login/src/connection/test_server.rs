//! A loopback server for tests: it records each request whole and answers with prepared
//! bytes, with TLS where asked.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

/// A server that answers one connection after the other.
pub struct TestServer {
    /// Its port on 127.0.0.1.
    pub port: u16,
    thread: JoinHandle<Vec<String>>,
}

impl TestServer {
    /// Answers as many connections as there are `responses`, then stops.
    pub fn start(responses: &[&str]) -> Self {
        Self::serve(responses, |stream| Box::new(stream))
    }

    /// The same over TLS, with a certificate for `name`; and the PEM of its
    /// CA, which is new each time but named `authority`.
    pub fn start_tls(responses: &[&str], name: &str, authority: &str) -> (Self, String) {
        let common_name = authority;
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.distinguished_name.push(DnType::CommonName, common_name);
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let server = Self::serve(responses, move |stream| {
            Box::new(StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream))
        });
        (server, authority.pem())
    }

    fn serve(responses: &[&str], wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let responses: Vec<String> =
            responses.iter().map(|response| response.replace("PORT", &port.to_string())).collect();
        let thread = std::thread::spawn(move || {
            let exchange = |response: &String| {
                let mut stream = wrap(listener.accept().unwrap().0);
                let request = read_request(&mut stream);
                // The client may have hung up (a refused certificate): the record tells.
                let _ = stream.write_all(response.as_bytes()).and_then(|()| stream.flush());
                request
            };
            responses.iter().map(exchange).collect()
        });
        Self { port, thread }
    }

    pub fn requests(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

/// Leads the first connection to the first of `ports`, the next to the next;
/// its own port on 127.0.0.1.
pub fn relay(ports: Vec<u16>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let own = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for port in ports {
            let (mut near, mut far) = (listener.accept().unwrap().0, TcpStream::connect(("127.0.0.1", port)).unwrap());
            let (mut back, mut forth) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut near, &mut far);
                let _ = far.shutdown(std::net::Shutdown::Write);
            });
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut forth, &mut back);
                let _ = back.shutdown(std::net::Shutdown::Write);
            });
        }
    });
    own
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

fn read_request(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(amount) => bytes.extend_from_slice(&chunk[..amount]),
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                break;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// An answer with a JSON body.
pub fn response(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

/// Vault's answer to a login it grants.
pub fn granted(token: &str) -> String {
    let auth = format!("{{\"client_token\":\"{token}\",\"lease_duration\":3600,\"metadata\":{{\"role\":\"app\"}}}}");
    response(200, "", &format!("{{\"auth\":{auth},\"wrap_info\":null,\"warnings\":null}}"))
}
