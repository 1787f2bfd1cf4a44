//! Owns what a failed connection means: the layers of library errors in, one
//! clause a person can act on out.

use super::VaultError;
use crate::cause::{innermost, layers};
use rustls::CertificateError;
use shared::text::lower_first;

/// Classes why `request` (for example `GET sys/auth`) to `address` got no
/// answer.
pub fn of_request(error: &reqwest::Error, address: &str, request: &str) -> VaultError {
    let address = address.to_owned();
    let tls = layers(error).find_map(|layer| layer.downcast_ref::<rustls::Error>());
    match tls {
        // A trusted authority of the same name with another key (private ones
        // are often made anew under the old name) is a bad signature.
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
            format!("no connection within {}s", super::transport::CONNECT_TIMEOUT.as_secs())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_certificate() {
        assert_eq!(plain_name("DnsName(\"a.example.com\")"), "a.example.com");
        assert_eq!(plain_name("IpAddress(127.0.0.1)"), "IpAddress(127.0.0.1)");
    }
}
