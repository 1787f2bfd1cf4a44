//! A web server inside the test process with given responses: HTTP/1.1, with or without TLS,
//! with persistent connections.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ResolvesServerCert, ResolvesServerCertUsingSni};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use super::listener::{Listener, Open};
use super::raw_http::Request;
use crate::certificates::Certificate;

/// What is answered, and how fast.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// How long each byte of the body waits.
    pub(super) per_byte: Duration,
}

impl Reply {
    /// An answer without a wait.
    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            content_type: content_type.to_owned(),
            headers: Vec::new(),
            body: body.into(),
            per_byte: Duration::ZERO,
        }
    }

    /// An answer of JSON.
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// The same with one more header.
    pub(super) fn with(mut self, header: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((header, value.into()));
        self
    }

    pub(super) fn send(&self, stream: &mut impl Write, open: &Open) -> io::Result<()> {
        let mut head = format!(
            "HTTP/1.1 {} \r\nContent-Type: {}\r\nContent-Length: {}\r\n",
            self.status,
            self.content_type,
            self.body.len()
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if self.per_byte.is_zero() {
            // In one piece: one TLS record, one packet.
            bytes.extend_from_slice(&self.body);
            stream.write_all(&bytes)?;
            return stream.flush();
        }
        stream.write_all(&bytes)?;
        for byte in self.body.chunks(1) {
            stream.flush()?;
            open.pause(self.per_byte);
            if open.is_stopping() {
                return Err(io::ErrorKind::NotConnected.into());
            }
            stream.write_all(byte)?;
        }
        stream.flush()
    }
}

/// A certificate, which may have others behind it.
fn certified(certificate: &Certificate) -> io::Result<CertifiedKey> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.certificate.as_bytes()).collect();
    let chain = chain.map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).map_err(io::Error::other)?;
    CertifiedKey::from_der(chain, key, &default_provider()).map_err(io::Error::other)
}

fn tls_of(certificates: Arc<dyn ResolvesServerCert>) -> io::Result<Arc<ServerConfig>> {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    Ok(Arc::new(builder.with_no_client_auth().with_cert_resolver(certificates)))
}

/// Serves with a certificate, which may have others behind it.
pub(super) fn tls(certificate: &Certificate) -> io::Result<Arc<ServerConfig>> {
    tls_of(Arc::new(SingleCertAndKey::from(certified(certificate)?)))
}

/// Serves with this certificate; `answer` is asked for every request.
pub(super) fn start(
    certificate: &Certificate,
    answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> io::Result<Listener> {
    start_tls(tls(certificate)?, move |_, request| answer(request))
}

/// Serves several names, each with a certificate of its own; `answer` is also
/// told the name that the connection was opened for. A client that asks for
/// another name, or for none, gets no connection.
pub(super) fn start_named(
    certificates: &[(String, Certificate)],
    answer: impl Fn(&str, &Request) -> Reply + Send + Sync + 'static,
) -> io::Result<Listener> {
    let mut by_name = ResolvesServerCertUsingSni::new();
    for (name, certificate) in certificates {
        by_name.add(name, certified(certificate)?).map_err(io::Error::other)?;
    }
    start_tls(tls_of(Arc::new(by_name))?, move |connection, request| {
        answer(connection.server_name().unwrap_or_default(), request)
    })
}

fn start_tls(
    tls: Arc<ServerConfig>,
    answer: impl Fn(&ServerConnection, &Request) -> Reply + Send + Sync + 'static,
) -> io::Result<Listener> {
    Listener::start(move |stream: TcpStream, open: &Open| {
        let connection = ServerConnection::new(Arc::clone(&tls)).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        serve(&mut stream, |stream, request| answer(&stream.conn, request), open)
    })
}

pub(super) fn start_plain(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> io::Result<Listener> {
    Listener::start(move |mut stream: TcpStream, open: &Open| serve(&mut stream, |_, request| answer(request), open))
}

/// Answers the requests of one connection until it ends.
pub(super) fn serve<S: Read + Write>(
    stream: &mut S,
    answer: impl Fn(&S, &Request) -> Reply,
    open: &Open,
) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = Request::read(stream, &mut buffer)? {
        answer(stream, &request).send(stream, open)?;
    }
    Ok(())
}
