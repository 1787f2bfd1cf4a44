//! Tests of `transport` over TLS: which certificates are trusted, which name counts, and
//! the error texts.

use super::*;
use crate::vault::settings::tests::FakeHost;
use crate::vault::settings::{ClientIdentity, Pem, VaultOverrides};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

/// What a TLS peer learnt of its client.
#[derive(Debug)]
struct PeerSeen {
    server_name: Option<String>,
    client_certificates: usize,
    request: String,
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: rustls::pki_types::CertificateDer<'static>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    fn certificate(&self, name: &str, expired: bool) -> (rcgen::Certificate, KeyPair) {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        if expired {
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
            params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn trust(&self) -> Trust {
        Trust::Only(vec![Pem { source: "the CA".into(), text: self.pem.clone().into_bytes() }])
    }

    /// Answers one request with 204; asks for a client certificate of its own
    /// making if `ask` is set.
    fn serve(&self, name: &str, expired: bool, ask: bool) -> (String, JoinHandle<Option<PeerSeen>>) {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (certificate, key) = self.certificate(name, expired);
        let builder = rustls::ServerConfig::builder();
        let builder = if ask {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(self.der.clone()).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = std::thread::spawn(move || {
            let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, listener.accept().unwrap().0);
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).ok()?;
                request.extend(byte);
            }
            stream.write_all(answer("204 No Content", "", "").as_bytes()).unwrap();
            Some(PeerSeen {
                server_name: stream.conn.server_name().map(str::to_owned),
                client_certificates: stream.conn.peer_certificates().map_or(0, <[_]>::len),
                request: String::from_utf8(request).unwrap().to_lowercase(),
            })
        });
        (format!("https://localhost:{port}"), served)
    }
}

async fn ask(settings: Settings) -> Result<u16, VaultError> {
    let token = Secret::new("t");
    let call = Call { method: Method::POST, path: vec!["sys"], body: None, token: Some(token.clone()) };
    Ok(Transport::new(settings, Arc::new(|_: &str| {}))?.send(&call).await?.status)
}

#[tokio::test]
async fn a_given_authority_is_trusted_and_no_other() {
    let authority = Authority::new("CA");
    let (url, served) = authority.serve("localhost", false, false);
    assert_eq!(ask(Settings { trust: authority.trust(), ..settings(&url) }).await.unwrap(), 204);
    assert_eq!(served.join().unwrap().unwrap().server_name.as_deref(), Some("localhost"));

    for name in ["CA", "another CA"] {
        let (url, served) = authority.serve("localhost", false, false);
        let error = ask(Settings { trust: Authority::new(name).trust(), ..settings(&url) }).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the certificate of Vault at \"{url}\" is from an authority that is not trusted")
        );
        assert!(served.join().unwrap().is_none());
    }
}

#[tokio::test]
async fn the_certificate_must_bear_the_name_that_counts() {
    let authority = Authority::new("CA");
    let (url, _) = authority.serve("vault.example.com", false, false);
    let error = ask(Settings { trust: authority.trust(), ..settings(&url) }).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the certificate of Vault at \"{url}\" is not for \"localhost\" but for vault.example.com")
    );
    assert_eq!(
        error.hint().as_deref(),
        Some("use an address with that name, or pass --vault-tls-server-name vault.example.com")
    );

    // The hint's own remedy, by name and by address.
    for host in ["localhost", "127.0.0.1"] {
        let (url, served) = authority.serve("vault.example.com", false, false);
        let url = url.replace("localhost", host);
        let server_name = Some("vault.example.com".to_owned());
        assert_eq!(ask(Settings { trust: authority.trust(), server_name, ..settings(&url) }).await.unwrap(), 204);
        let seen = served.join().unwrap().unwrap();
        assert_eq!(seen.server_name.as_deref(), Some("vault.example.com"));
        let authority_part = url.replace("https://", "");
        assert!(seen.request.contains(&format!("host: {authority_part}\r\n")), "{}", seen.request);
        assert_eq!(seen.request.matches("host: ").count(), 1, "{}", seen.request);
    }
}

#[tokio::test]
async fn an_expired_certificate_is_said_to_be_expired() {
    let authority = Authority::new("CA");
    let (url, _) = authority.serve("localhost", true, false);
    let error = ask(Settings { trust: authority.trust(), ..settings(&url) }).await.unwrap_err();
    let text = error.to_string();
    let start = format!("no TLS connection with Vault at \"{url}\": invalid peer certificate: certificate expired");
    assert!(text.starts_with(&start), "{text}");
}

#[tokio::test]
async fn verification_can_be_switched_off() {
    let (url, served) = Authority::new("CA").serve("other.example.com", true, false);
    assert_eq!(ask(Settings { skip_verify: true, ..settings(&url) }).await.unwrap(), 204);
    assert!(served.join().unwrap().is_some());
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_a_vault_that_asks() {
    let authority = Authority::new("CA");
    let (certificate, key) = authority.certificate("operator", false);
    let identity = Some(ClientIdentity {
        certificate: Pem { source: "c".into(), text: certificate.pem().into_bytes() },
        key: ("k".into(), Secret::new(key.serialize_pem())),
    });
    let (url, served) = authority.serve("localhost", false, true);
    assert_eq!(ask(Settings { trust: authority.trust(), identity, ..settings(&url) }).await.unwrap(), 204);
    assert_eq!(served.join().unwrap().unwrap().client_certificates, 1);
}

#[tokio::test]
async fn the_environment_gives_the_client_certificate() {
    let authority = Authority::new("CA");
    let (certificate, key) = authority.certificate("operator", false);
    for prefix in ["VAULT", "BAO"] {
        let (url, served) = authority.serve("localhost", false, true);
        let outside = FakeHost::new()
            .var("VAULT_ADDR", &url)
            .var("VAULT_TOKEN", "t")
            .var("VAULT_CACERT", "/ca.pem")
            .file("/ca.pem", &authority.pem)
            .var(&format!("{prefix}_CLIENT_CERT"), "/c.pem")
            .var(&format!("{prefix}_CLIENT_KEY"), "/k.pem")
            .file("/c.pem", &certificate.pem())
            .file("/k.pem", &key.serialize_pem());
        assert_eq!(ask(Settings::resolve(&VaultOverrides::default(), &outside).unwrap()).await.unwrap(), 204);
        assert_eq!(served.join().unwrap().unwrap().client_certificates, 1, "{prefix}");
    }
}

#[tokio::test]
async fn a_certificate_file_with_nonsense_inside_is_named() {
    let text = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec();
    let trust = Trust::Only(vec![Pem { source: "the CA certificate file \"/x\"".into(), text }]);
    let error = ask(Settings { trust, ..settings("https://localhost:1") }).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not prepare the connection to Vault at \"https://localhost:1\": the CA certificate file \"/x\" holds a certificate that cannot be read"
    );
}
