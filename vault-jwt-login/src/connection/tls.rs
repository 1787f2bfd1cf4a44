//! The certificate authorities that a TLS connection trusts: those given, else the system's,
//! else those built in (an empty image has none).

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use shared::env::CaSource;
use shared::text::{one_line, os_cause};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;

/// Where distributions keep the authorities they trust, in one file.
const SYSTEM: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Ubuntu, Alpine, distroless
    "/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",             // SUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem", // Alpine, BSD
];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    pub ca: Option<CaSource>,
    pub ca_given_by: String,
    /// `SSL_CERT_FILE`, as OpenSSL knows it: the system's authorities.
    pub system_file: Option<String>,
    /// Certificate and key files to show to Vault.
    pub client: Option<(String, String)>,
    /// Sent as SNI and verified in place of the host.
    pub server_name: Option<String>,
    pub skip_verify: bool,
}

#[derive(Clone, Debug)]
pub struct TlsConfig {
    pub config: Arc<ClientConfig>,
    pub server_name: Option<ServerName<'static>>,
    /// Whom it trusts, for error texts.
    pub trusted: String,
}

/// Why no TLS set-up can be made of what was given.
#[derive(Debug, Error)]
pub enum TlsError {
    #[error("could not read the {what} \"{}\" ({given_by}): {}", path.display(), os_cause(source))]
    Read {
        /// What it is for.
        what: &'static str,
        path: PathBuf,
        given_by: String,
        source: io::Error,
    },
    #[error("the {what} holds no usable PEM certificate")]
    NoCertificate { what: String, given_by: String },
    /// The client certificate and its key do not make a pair.
    #[error("the client certificate \"{certificate}\" cannot be used with the key \"{key}\": {why}")]
    Client { certificate: String, key: String, why: String },
    #[error("the TLS server name \"{0}\" is neither a DNS name nor an IP address")]
    ServerName(String),
    #[error("could not set up TLS: {0}")]
    Library(rustls::Error),
}

impl TlsError {
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Read { what: "client certificate" | "client key", .. } | Self::Client { .. } => {
                "give a PEM certificate in VAULT_CLIENT_CERT and its own key in VAULT_CLIENT_KEY".to_owned()
            }
            Self::Read { what: "system CA file", .. } => "correct SSL_CERT_FILE, or unset it".to_owned(),
            Self::Read { given_by, .. } => {
                format!("mount a volume with the PEM certificate of Vault's CA there, or correct {given_by}")
            }
            Self::NoCertificate { given_by, .. } => format!("give a PEM certificate with {given_by}"),
            Self::ServerName(_) => "correct --vault-tls-server-name or VAULT_TLS_SERVER_NAME".to_owned(),
            Self::Library(_) => return None,
        })
    }
}

impl TlsConfig {
    pub fn new(settings: &TlsSettings) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Library)?;
        let (builder, trusted) = if settings.skip_verify {
            let unverified = builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified(algorithms)));
            (unverified, "anybody".to_owned())
        } else {
            let (roots, trusted) = roots(settings)?;
            (builder.with_root_certificates(roots), trusted)
        };
        let mut config = match &settings.client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let pair = client_pair(certificate, key)?;
                builder.with_client_auth_cert(pair.0, pair.1).map_err(|e| client_error(certificate, key, e))?
            }
        };
        // One request per connection: nothing to resume.
        config.resumption = rustls::client::Resumption::disabled();
        let server_name = match &settings.server_name {
            None => None,
            Some(name) => Some(ServerName::try_from(name.clone()).map_err(|_| TlsError::ServerName(one_line(name)))?),
        };
        Ok(Self { config: Arc::new(config), server_name, trusted })
    }
}

fn roots(settings: &TlsSettings) -> Result<(RootCertStore, String), TlsError> {
    const SYSTEM_FILE: &str = "SSL_CERT_FILE";
    let mut roots = RootCertStore::empty();
    let mut add = |pem: &[u8]| roots.add_parsable_certificates(certificates(pem)).0;
    let given_by = if settings.ca.is_some() { &settings.ca_given_by } else { SYSTEM_FILE };
    let (added, source) = match (&settings.ca, &settings.system_file) {
        (Some(CaSource::File(path)), _) => (add(&read("CA file", path, given_by)?), format!("CA file \"{path}\"")),
        (Some(CaSource::Bytes(pem)), _) => (add(pem.as_bytes()), format!("CA in {given_by}")),
        (Some(CaSource::Directory(path)), _) => {
            let mut added = 0;
            walk(Path::new(path), given_by, &mut |pem| added += add(pem))?;
            (added, format!("CA directory \"{path}\""))
        }
        (None, Some(path)) => (add(&read("system CA file", path, given_by)?), format!("system CA file \"{path}\"")),
        (None, None) => {
            let mut found = SYSTEM.iter().map(|path| (add(&std::fs::read(path).unwrap_or_default()), *path));
            match found.find(|(added, _)| *added > 0) {
                Some((added, path)) => (added, format!("system CA file \"{path}\"")),
                None => {
                    drop(found);
                    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                    return Ok((roots, "built-in public authorities".to_owned()));
                }
            }
        }
    };
    match added {
        0 => {
            let what = match settings.ca {
                Some(CaSource::Bytes(_)) => source,
                _ => format!("{source} ({given_by})"),
            };
            Err(TlsError::NoCertificate { what: one_line(&what), given_by: given_by.to_owned() })
        }
        _ => Ok((roots, one_line(&source))),
    }
}

/// The certificates in PEM text; other blocks and damaged ones are left out.
fn certificates(pem: &[u8]) -> impl Iterator<Item = CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).filter_map(Result::ok)
}

fn read(what: &'static str, path: &str, given_by: &str) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { what, path: path.into(), given_by: given_by.to_owned(), source };
    std::fs::read(path).map_err(failed)
}

/// Every file below `directory`. Links to files are read, links to
/// directories are not entered (Go's `filepath.Walk`): a mounted ConfigMap
/// holds both the link and the directory it points into.
fn walk(directory: &Path, given_by: &str, take: &mut impl FnMut(&[u8])) -> Result<(), TlsError> {
    let failed = |path: &Path, source| TlsError::Read {
        what: "CA directory",
        path: path.to_owned(),
        given_by: given_by.to_owned(),
        source,
    };
    for entry in std::fs::read_dir(directory).map_err(|e| failed(directory, e))? {
        let entry = entry.map_err(|e| failed(directory, e))?;
        let path = entry.path();
        if entry.file_type().map_err(|e| failed(&path, e))?.is_dir() {
            walk(&path, given_by, take)?;
        } else if path.is_file() {
            take(&std::fs::read(&path).map_err(|e| failed(&path, e))?);
        }
    }
    Ok(())
}

fn client_pair(
    certificate: &str,
    key: &str,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain: Vec<_> = certificates(&read("client certificate", certificate, "VAULT_CLIENT_CERT")?).collect();
    if chain.is_empty() {
        return Err(TlsError::NoCertificate {
            what: format!("client certificate file \"{}\" (VAULT_CLIENT_CERT)", one_line(certificate)),
            given_by: "VAULT_CLIENT_CERT".to_owned(),
        });
    }
    // The parser's own words may quote the key.
    let key_der = PrivateKeyDer::from_pem_slice(&read("client key", key, "VAULT_CLIENT_KEY")?)
        .map_err(|_| client_error(certificate, key, "the key file holds no PEM private key"))?;
    Ok((chain, key_der))
}

fn client_error(certificate: &str, key: &str, why: impl std::fmt::Display) -> TlsError {
    TlsError::Client { certificate: one_line(certificate), key: one_line(key), why: why.to_string() }
}

/// For `VAULT_SKIP_VERIFY`: any certificate is accepted. The handshake itself is
/// still checked, so that a broken server is told from a foreign one.
#[derive(Debug)]
struct Unverified(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem() -> String {
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::new(["vault".to_owned()]).unwrap().self_signed(&key).unwrap().pem()
    }

    fn trust(ca: Option<CaSource>, system_file: Option<String>) -> Result<(usize, String), String> {
        let settings = TlsSettings { ca, ca_given_by: "VAULT_CACERT".into(), system_file, ..TlsSettings::default() };
        roots(&settings).map(|(roots, trusted)| (roots.len(), trusted)).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_given_is_the_only_trust() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(at("ca"), format!("text before\n{}{}", pem(), pem())).unwrap();
        let system = Some("/nowhere".to_owned());
        assert_eq!(trust(Some(CaSource::File(at("ca"))), system.clone()), Ok((2, format!("CA file \"{}\"", at("ca")))));
        assert_eq!(trust(Some(CaSource::Bytes(pem())), system), Ok((1, "CA in VAULT_CACERT".to_owned())));
        assert_eq!(trust(None, Some(at("ca"))), Ok((2, format!("system CA file \"{}\"", at("ca")))));
    }

    #[test]
    fn a_directory_is_read_as_kubernetes_mounts_it() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("..2026_11_24");
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("ca.crt"), pem()).unwrap();
        std::fs::write(data.join("notes"), "no certificate").unwrap();
        std::os::unix::fs::symlink("..2026_11_24", dir.path().join("..data")).unwrap();
        std::os::unix::fs::symlink("..data/ca.crt", dir.path().join("ca.crt")).unwrap();
        let path = dir.path().display().to_string();
        // Once by its link, once in its directory.
        assert_eq!(trust(Some(CaSource::Directory(path.clone())), None), Ok((2, format!("CA directory \"{path}\""))));
    }

    #[test]
    fn trust_that_cannot_be_had_is_an_error_not_other_trust() {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join("empty").display().to_string();
        std::fs::write(&empty, "").unwrap();
        for (ca, system, error) in [
            (
                Some(CaSource::File("/nowhere".into())),
                None,
                "could not read the CA file \"/nowhere\" (VAULT_CACERT): no such file or directory".to_owned(),
            ),
            (
                Some(CaSource::Bytes("x".into())),
                None,
                "the CA in VAULT_CACERT holds no usable PEM certificate".to_owned(),
            ),
            (
                Some(CaSource::File(empty.clone())),
                None,
                format!("the CA file \"{empty}\" (VAULT_CACERT) holds no usable PEM certificate"),
            ),
            (
                None,
                Some("/nowhere".into()),
                "could not read the system CA file \"/nowhere\" (SSL_CERT_FILE): no such file or directory".to_owned(),
            ),
        ] {
            assert_eq!(trust(ca, system), Err(error));
        }
    }

    #[test]
    fn what_to_change_names_what_gave_it() {
        let hint = |ca: CaSource, ca_given_by: &str| {
            let settings = TlsSettings { ca: Some(ca), ca_given_by: ca_given_by.into(), ..TlsSettings::default() };
            TlsConfig::new(&settings).unwrap_err().hint().unwrap()
        };
        assert_eq!(
            hint(CaSource::File("/nowhere".into()), "BAO_CACERT"),
            "mount a volume with the PEM certificate of Vault's CA there, or correct BAO_CACERT"
        );
        assert_eq!(
            hint(CaSource::Bytes("x".into()), "VAULT_CACERT_BYTES"),
            "give a PEM certificate with VAULT_CACERT_BYTES"
        );
    }

    #[test]
    fn a_client_certificate_needs_its_own_key() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
        std::fs::write(at("crt"), certificate.pem()).unwrap();
        std::fs::write(at("key"), key.serialize_pem()).unwrap();
        std::fs::write(at("other"), rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
        let with = |certificate: &str, key: &str| {
            let client = Some((at(certificate), at(key)));
            TlsConfig::new(&TlsSettings { client, skip_verify: true, ..TlsSettings::default() })
                .map(drop)
                .map_err(|e| e.to_string().replace(&dir.path().display().to_string(), "DIR"))
        };
        assert_eq!(with("crt", "key"), Ok(()));
        let pair = "the client certificate \"DIR/crt\" cannot be used with the key";
        assert_eq!(with("crt", "other"), Err(format!("{pair} \"DIR/other\": keys may not be consistent: KeyMismatch")));
        assert_eq!(with("crt", "crt"), Err(format!("{pair} \"DIR/crt\": the key file holds no PEM private key")));
        assert_eq!(
            with("key", "key"),
            Err("the client certificate file \"DIR/key\" (VAULT_CLIENT_CERT) holds no usable PEM certificate"
                .to_owned())
        );
    }
}
