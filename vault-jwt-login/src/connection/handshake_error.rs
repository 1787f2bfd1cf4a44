//! Failed TLS handshakes: their messages and hints, and which ones a retry does not fix.

use rustls::{AlertDescription, CertificateError};
use shared::text::one_line;

/// A failed handshake that a retry does not fix: what is wrong,
/// and what to change. `None` for failures that pass by. `trusted` says whom
/// we trust.
pub fn permanent(error: &rustls::Error, trusted: &str) -> Option<(String, Option<String>)> {
    let with = |why: &str, hint: &str| Some((why.to_owned(), Some(hint.to_owned())));
    match error {
        rustls::Error::InvalidCertificate(why) => Some(certificate(why, trusted)),
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired | AlertDescription::BadCertificate => with(
                "it asks for a client certificate that it accepts",
                "give one in VAULT_CLIENT_CERT, and its key in VAULT_CLIENT_KEY",
            ),
            AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied => with(
                &format!("it refuses the client certificate ({alert:?})"),
                "give one that Vault accepts in VAULT_CLIENT_CERT, and its key in VAULT_CLIENT_KEY",
            ),
            AlertDescription::UnrecognisedName => {
                with("it does not serve this name", "give the name of its certificate with --vault-tls-server-name")
            }
            AlertDescription::HandshakeFailure
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity => {
                Some((format!("it shares no TLS version or cipher with us ({alert:?})"), None))
            }
            _ => None,
        },
        rustls::Error::PeerIncompatible(why) => {
            Some((format!("it shares no TLS version or cipher with us ({why:?})"), None))
        }
        rustls::Error::InvalidMessage(_) => with(
            "it does not speak TLS",
            "look whether the port is right; a server without TLS has an address with http://",
        ),
        _ => None,
    }
}

fn certificate(error: &CertificateError, trusted: &str) -> (String, Option<String>) {
    let (why, hint) = match error {
        CertificateError::UnknownIssuer => (
            format!("its certificate is signed by an unknown authority (trusted: {trusted})"),
            "give the PEM certificate of Vault's CA with --vault-ca-cert or VAULT_CACERT",
        ),
        // Where a CA was made anew under its old name.
        CertificateError::BadSignature => (
            format!("its certificate is signed by another key than that of the {trusted}"),
            "give the PEM certificate of Vault's CA with --vault-ca-cert or VAULT_CACERT",
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => (
            match error {
                CertificateError::NotValidForNameContext { expected, presented } => format!(
                    "its certificate is not for \"{}\" but for {}",
                    one_line(&expected.to_str()),
                    names(presented)
                ),
                _ => "its certificate is for another name".to_owned(),
            },
            "use a name of the certificate as address, or give one with --vault-tls-server-name",
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            ("its certificate is expired".to_owned(), "renew Vault's certificate, or set this machine's clock right")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("its certificate is not valid yet".to_owned(), "set the clock of this machine, or of the CA, right")
        }
        other => (
            format!("its certificate cannot be used ({})", one_line(&other.to_string())),
            "give Vault a certificate for TLS servers, of version 3, with its names as subjectAltName",
        ),
    };
    (why, Some(hint.to_owned()))
}

/// The names of a certificate; the library gives them as `DnsName("vault")`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| match name.split_once('(') {
        Some((_, inner)) => inner.trim_end_matches(')').trim_matches('"').to_owned(),
        None => name.clone(),
    };
    let names: Vec<String> = presented.iter().map(bare).collect();
    if names.is_empty() { "no name at all".to_owned() } else { format!("\"{}\"", one_line(&names.join("\", \""))) }
}
