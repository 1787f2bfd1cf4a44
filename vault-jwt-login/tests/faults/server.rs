//! A server with every kind of failure, with and without TLS.

use crate::TIMEOUT;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

/// What the server does with a connection.
#[derive(Clone)]
pub enum Fault {
    /// Nobody listens.
    Nobody,
    /// Hangs up before it has read anything.
    HangUp,
    /// Sends this before it has read anything, and closes.
    Greet(&'static str),
    /// Reads the request, sends this with its own port for PORT, and closes.
    Send(String),
    /// Reads the request, sends this byte by byte, slower than anybody waits.
    Drip(String),
    /// Reads the request, and says nothing.
    Silence,
    /// Reads the request, and sends a body that has no end.
    Endless,
}

/// A certificate, by what can be wrong with it.
#[derive(Clone)]
pub struct Certificate {
    /// Whom it is for.
    pub name: &'static str,
    /// From when on, in seconds from now.
    pub from: i64,
    /// Until when.
    pub until: i64,
    /// Whether its authority is the one that is trusted.
    pub trusted: bool,
}

/// As it should be.
pub const GOOD: Certificate = Certificate { name: "127.0.0.1", from: -3_600, until: 3_600, trusted: true };

/// A server that fails.
#[derive(Clone)]
pub struct Server {
    fault: Fault,
    certificate: Option<Certificate>,
    /// Whether it is asked as if it had TLS.
    https: bool,
}

/// One that runs.
pub struct Running {
    pub port: u16,
    pub address: String,
    /// The PEM of the authority to trust.
    pub ca: Option<String>,
    asked: Arc<AtomicU32>,
}

impl Running {
    /// How many connections there were.
    pub fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Server {
    pub fn plain(fault: Fault) -> Self {
        Self { fault, certificate: None, https: false }
    }

    /// Behind TLS, with this certificate.
    pub fn tls(certificate: Certificate, fault: Fault) -> Self {
        Self { fault, certificate: Some(certificate), https: true }
    }

    /// Without TLS, where the client thinks there is.
    pub fn no_tls(fault: Fault) -> Self {
        Self { fault, certificate: None, https: true }
    }

    /// With TLS, where the client thinks there is none.
    pub fn hidden_tls(fault: Fault) -> Self {
        Self { fault, certificate: Some(GOOD), https: false }
    }

    pub fn start(&self) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicU32::new(0));
        let (config, ca) = self.certificate.as_ref().map(identity).unzip();
        let (count, fault) = (Arc::clone(&asked), self.fault.clone());
        if !matches!(fault, Fault::Nobody) {
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    count.fetch_add(1, Ordering::SeqCst);
                    let (fault, stream, config) = (fault.clone(), stream.unwrap(), config.clone());
                    std::thread::spawn(move || match config {
                        None => serve(&fault, stream, port),
                        // This one never gets as far as a handshake.
                        Some(_) if matches!(fault, Fault::HangUp) => None,
                        Some(config) => {
                            let connection = ServerConnection::new(config).unwrap();
                            serve(&fault, StreamOwned::new(connection, stream), port)
                        }
                    });
                }
            });
        }
        let scheme = if self.https { "https" } else { "http" };
        Running { port, address: format!("{scheme}://127.0.0.1:{port}"), ca: ca.filter(|_| self.https), asked }
    }
}

/// The server's side of a certificate, and the authority the client trusts.
fn identity(certificate: &Certificate) -> (Arc<ServerConfig>, String) {
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let signer = authority("signer");
    let trusted = if certificate.trusted { signer.pem() } else { authority("another").pem() };
    let mut params = CertificateParams::new([certificate.name.to_owned()]).unwrap();
    let now = SystemTime::now();
    let at = |seconds: i64| match u64::try_from(seconds) {
        Ok(ahead) => (now + Duration::from_secs(ahead)).into(),
        Err(_) => (now - Duration::from_secs(seconds.unsigned_abs())).into(),
    };
    params.not_before = at(certificate.from);
    params.not_after = at(certificate.until);
    let key = KeyPair::generate().unwrap();
    let leaf = params.signed_by(&key, &signer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .unwrap();
    (Arc::new(config), trusted)
}

fn read_request(stream: &mut impl Read) -> Option<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        let mut some = [0; 4_096];
        match stream.read(&mut some) {
            Ok(0) | Err(_) => return None,
            Ok(n) => request.extend_from_slice(&some[..n]),
        }
    }
    Some(())
}

/// What the server does with one connection; `None` where the other side has gone.
pub fn serve(fault: &Fault, mut stream: impl Read + Write, port: u16) -> Option<()> {
    if matches!(fault, Fault::HangUp) {
        return None;
    }
    if let Fault::Greet(text) = fault {
        stream.write_all(text.as_bytes()).ok()?;
        // Not before the other side has written: closing would take the text back.
        let _ = stream.read(&mut [0; 4_096]).ok()?;
        return None;
    }
    read_request(&mut stream)?;
    match fault {
        Fault::Nobody | Fault::HangUp | Fault::Greet(_) => {}
        Fault::Send(text) => {
            stream.write_all(text.replace("PORT", &port.to_string()).as_bytes()).ok()?;
            stream.flush().ok()?;
        }
        Fault::Drip(text) => {
            for byte in text.as_bytes() {
                stream.write_all(&[*byte]).ok()?;
                std::thread::sleep(Duration::from_millis(300));
            }
        }
        Fault::Silence => std::thread::sleep(TIMEOUT * 2),
        Fault::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n{\"auth\":").ok()?;
            let much = [b' '; 65_536];
            loop {
                stream.write_all(&much).ok()?;
            }
        }
    }
    Some(())
}

/// An answer of this status.
pub fn status(status: u16, headers: &str, body: &str) -> Fault {
    let length = body.len();
    Fault::Send(format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"))
}

/// A refusal as Vault words them.
pub fn json(status_code: u16, words: &str) -> Fault {
    status(status_code, "content-type: application/json\r\n", &format!("{{\"errors\":[\"{words}\"]}}"))
}

/// A login.
pub fn granted() -> Fault {
    status(200, "", &format!("{{\"auth\":{{\"client_token\":\"{}\",\"lease_duration\":60}}}}", crate::NEW))
}
