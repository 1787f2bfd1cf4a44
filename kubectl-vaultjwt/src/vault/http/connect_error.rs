//! Explains a failed connection: turns the layers of library errors into one clause that a
//! person can act on.

use crate::http::cause::{innermost, layers};
use crate::vault::VaultError;
use rustls::CertificateError;
use shared::text::lower_first;
use std::time::Duration;

/// Classes why `request` (for example `GET sys/auth`) to `address` got no
/// answer.
pub fn of_request(error: &reqwest::Error, address: &str, request: &str) -> VaultError {
    let address = address.to_owned();
    match layers(error).find_map(|layer| layer.downcast_ref::<rustls::Error>()) {
        // A trusted authority of the same name with another key (private ones
        // are often re-created under the old name) is a bad signature.
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            return VaultError::UnknownAuthority { address };
        }
        Some(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented })) => {
            let host = expected.to_str().into_owned();
            return VaultError::WrongName { address, host, names: presented.iter().map(|n| plain_name(n)).collect() };
        }
        Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => {
            return VaultError::SpeaksHttp { address };
        }
        Some(other) => return VaultError::Tls { address, cause: lower_first(&other.to_string()) },
        None => {}
    }
    if error.is_connect() {
        let cause = if error.is_timeout() {
            format!("no connection within {}s", CONNECT_TIMEOUT.as_secs())
        } else {
            innermost(error)
        };
        return VaultError::Unreachable { address, cause };
    }
    VaultError::NoAnswer { address, request: request.to_owned(), cause: innermost(error) }
}

/// rustls shows a certificate's names as `DnsName("a.example.com")`.
fn plain_name(shown: &str) -> String {
    shown.split('"').nth(1).unwrap_or(shown).to_owned()
}

/// Bound on making one connection, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_certificate() {
        assert_eq!(plain_name("DnsName(\"a.example.com\")"), "a.example.com");
        assert_eq!(plain_name("IpAddress(127.0.0.1)"), "IpAddress(127.0.0.1)");
    }
}
