//! Owns a web server inside the test process that answers as it is told:
//! HTTP/1.1 over TLS, connections stay open.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::listener::{Listener, Open};
use super::wire::Request;
use crate::certificates::Certificate;

/// What is answered, and how fast.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: String,
    /// Where a redirect goes.
    pub(super) location: Option<String>,
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
            location: None,
            body: body.into(),
            per_byte: Duration::ZERO,
        }
    }

    fn send(&self, stream: &mut impl Write, open: &Open) -> io::Result<()> {
        let mut head = format!(
            "HTTP/1.1 {} \r\nContent-Type: {}\r\nContent-Length: {}\r\n",
            self.status,
            self.content_type,
            self.body.len()
        );
        if let Some(location) = &self.location {
            head.push_str(&format!("Location: {location}\r\n"));
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

fn tls(certificate: &Certificate) -> io::Result<Arc<ServerConfig>> {
    let chain = CertificateDer::from_pem_slice(certificate.certificate.as_bytes()).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![chain], key))
        .map_err(io::Error::other)?;
    Ok(Arc::new(config))
}

/// Serves with this certificate; `answer` is asked for every request.
pub(super) fn start(
    certificate: &Certificate,
    answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> io::Result<Listener> {
    let tls = tls(certificate)?;
    Listener::start(move |stream: TcpStream, open: &Open| {
        let connection = ServerConnection::new(Arc::clone(&tls)).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        let mut buffer = Vec::new();
        while let Some(request) = Request::read(&mut stream, &mut buffer)? {
            answer(&request).send(&mut stream, open)?;
        }
        Ok(())
    })
}
