//! Owns what a failed connection means: the layers of library errors in, one
//! clause a person can act on out.

use super::VaultError;
use rustls::CertificateError;
use std::error::Error;
use std::io;

/// An I/O error's text without the number the system gives it.
pub fn of_io(error: &io::Error) -> String {
    lower_first(error.to_string().split(" (os error ").next().unwrap_or_default())
}

/// The innermost cause of `error`: the outer layers only say that a request
/// failed.
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    let last = layers(error).last().unwrap_or(error);
    match last.downcast_ref::<io::Error>() {
        Some(io) => of_io(io),
        None => lower_first(last.to_string().split(" (os error ").next().unwrap_or_default()),
    }
}

/// Every layer, outermost first, with what an `io::Error` wraps: its
/// `source()` skips that.
fn layers<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |layer: &&'a (dyn Error + 'static)| {
        let layer: &'a (dyn Error + 'static) = *layer;
        let wrapped = layer.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => layer.source(),
        }
    })
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        // Not an abbreviation such as TLS.
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

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
    fn the_systems_numbers_are_dropped() {
        assert_eq!(of_io(&io::Error::from_raw_os_error(111)), "connection refused");
        assert_eq!(lower_first("TLS is off"), "TLS is off");
        assert_eq!(lower_first("Éa"), "éa");
    }

    #[test]
    fn the_innermost_layer_speaks() {
        let inner = io::Error::from_raw_os_error(104);
        let outer = io::Error::other(io::Error::other(inner));
        assert_eq!(innermost(&outer), "connection reset by peer");
    }

    #[test]
    fn names_of_a_certificate() {
        assert_eq!(plain_name("DnsName(\"a.example.com\")"), "a.example.com");
        assert_eq!(plain_name("IpAddress(127.0.0.1)"), "IpAddress(127.0.0.1)");
    }
}
