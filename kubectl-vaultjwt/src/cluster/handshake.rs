//! Records TLS handshakes with an API server: which certificates the server presented, and
//! for which name they were verified. `way` judges them later, so that this needs no
//! further request.
//!
//! Session resumption is off: a resumed session presents no certificate.

use parking_lot::Mutex;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use std::sync::Arc;

/// Different chains that one run remembers. A server that presents more is not
/// one server.
const CHAINS_AT_MOST: usize = 16;

/// One handshake whose certificate was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// What the server presented, its own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    pub name: ServerName<'static>,
    pub at: UnixTime,
}

/// The handshakes of a run, each certificate chain once.
#[derive(Clone, Debug, Default)]
pub struct Handshakes(Arc<Mutex<Vec<Handshake>>>);

impl Handshakes {
    /// All of them; `None` where there were too many different ones to judge.
    pub fn all(&self) -> Option<Vec<Handshake>> {
        let seen = self.0.lock();
        (seen.len() <= CHAINS_AT_MOST).then(|| seen.clone())
    }

    /// Starts over: what was presented before no longer counts.
    pub fn forget(&self) {
        self.0.lock().clear();
    }

    fn record(&self, handshake: Handshake) {
        let mut seen = self.0.lock();
        let known = seen.iter().any(|known| known.chain == handshake.chain && known.name == handshake.name);
        // One too many is remembered, to be seen by `all`.
        if !known && seen.len() <= CHAINS_AT_MOST {
            seen.push(handshake);
        }
    }
}

#[derive(Debug)]
pub struct Recorder {
    pub inner: Arc<dyn ServerCertVerifier>,
    pub seen: Handshakes,
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.clone().into_owned()).collect();
        self.seen.record(Handshake { chain, name: server_name.to_owned(), at: now });
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
