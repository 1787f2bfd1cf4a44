//! Owns what a failed request means: the innermost cause of a transport
//! error, TLS told apart from the network, and the words of a `Status`.

use crate::cluster::certificate;
use crate::cluster::error::{ClusterError, Place};
use crate::cluster::kubeconfig::error::os_cause;
use http::StatusCode;
use kube::client::AuthError;
use kube::config::ExecConfig;
use kube::core::Status;
use rustls::{AlertDescription, CertificateError};
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

/// Longest part of an answer's body that is shown where it is not a `Status`.
const SHOWN_BODY: usize = 200;

/// `error` and everything it came from. An `io::Error` hides the error it
/// wraps from `source`.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    let mut found = vec![error];
    let mut last = error;
    loop {
        let wrapped = last.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let next = match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => last.source(),
        };
        match next {
            Some(next) => {
                found.push(next);
                last = next;
            }
            None => return found,
        }
    }
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    match chain(error).last() {
        Some(last) => match last.downcast_ref::<io::Error>() {
            Some(error) => os_cause(error),
            None => last.to_string(),
        },
        None => error.to_string(),
    }
}

/// What a request that got no whole answer means.
pub fn transport(place: &Arc<Place>, client_certificate: Option<&[u8]>, error: &(dyn Error + 'static)) -> ClusterError {
    let at = place.clone();
    let chain = chain(error);
    if let Some(auth) = chain.iter().find_map(|e| e.downcast_ref::<AuthError>()) {
        return ClusterError::Setup { at, cause: auth_cause(auth) };
    }
    match chain.iter().find_map(|e| e.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => {
            let (cause, name) = certificate_cause(why);
            ClusterError::Untrusted { at, cause, name }
        }
        Some(rustls::Error::AlertReceived(alert)) => match alert {
            AlertDescription::CertificateExpired => ClusterError::ClientCertificateExpired {
                at,
                expired: client_certificate.and_then(|pem| certificate::expired(pem, SystemTime::now())),
            },
            AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateRequired
            | AlertDescription::AccessDenied => unauthorized(place, client_certificate, format!("TLS alert {alert:?}")),
            other => ClusterError::Unreachable { at, cause: format!("TLS alert {other:?}") },
        },
        Some(other) => ClusterError::Unreachable { at, cause: other.to_string() },
        None => ClusterError::Unreachable { at, cause: innermost(error) },
    }
}

/// Why a server certificate is not accepted, and whether that is its name.
fn certificate_cause(why: &CertificateError) -> (String, bool) {
    match why {
        CertificateError::UnknownIssuer => ("it is signed by an unknown authority".to_owned(), false),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => ("it has expired".to_owned(), false),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            ("it is not valid yet".to_owned(), false)
        }
        CertificateError::NotValidForName => ("it is for another host name".to_owned(), true),
        CertificateError::NotValidForNameContext { presented, .. } => {
            (format!("it is for another host name ({})", presented.join(", ")), true)
        }
        other => (other.to_string(), false),
    }
}

/// The server does not know who is asking. An expired client certificate is
/// answered so by kube-apiserver; only then it is looked at.
pub fn unauthorized(place: &Arc<Place>, client_certificate: Option<&[u8]>, words: String) -> ClusterError {
    let at = place.clone();
    match client_certificate.and_then(|pem| certificate::expired(pem, SystemTime::now())) {
        Some(expired) => ClusterError::ClientCertificateExpired { at, expired: Some(expired) },
        None => ClusterError::Unauthorized { at, words },
    }
}

/// Why no client could be made from the configuration.
pub fn setup(place: &Arc<Place>, exec: Option<&ExecConfig>, error: kube::Error) -> ClusterError {
    let at = place.clone();
    match (error, exec) {
        (kube::Error::Auth(error), Some(exec)) => ClusterError::CredentialPlugin {
            at,
            command: exec.command.clone().unwrap_or_default(),
            cause: auth_cause(&error),
            install_hint: exec.install_hint.clone().filter(|_| matches!(error, AuthError::AuthExecStart(_))),
        },
        (kube::Error::Auth(error), None) => ClusterError::Setup { at, cause: auth_cause(&error) },
        (error, _) => ClusterError::Setup { at, cause: innermost(&error) },
    }
}

/// Why a plugin gave no credentials. What it printed to stdout may be one, and
/// kube's own text shows it; stderr went to the terminal already, unless the
/// entry says that the plugin is never interactive.
fn auth_cause(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecStart(error) => os_cause(error),
        AuthError::AuthExecRun { out, .. } => {
            let stderr = String::from_utf8_lossy(&out.stderr);
            match stderr.lines().map(str::trim).rfind(|line| !line.is_empty()) {
                Some(line) => format!("{}: {line}", out.status),
                None => out.status.to_string(),
            }
        }
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => {
            "its output is not an ExecCredential with a status".to_owned()
        }
        other => innermost(other),
    }
}

fn status(body: &[u8]) -> Option<Status> {
    serde_json::from_slice::<Status>(body).ok().filter(|status| !status.message.is_empty())
}

/// The server's own words: the message of a `Status`, else the start of the
/// text it sent.
pub fn words(code: StatusCode, body: &[u8]) -> String {
    if let Some(status) = status(body) {
        return status.message;
    }
    let text: String = String::from_utf8_lossy(body).trim().chars().take(SHOWN_BODY).collect();
    if text.is_empty() { code.canonical_reason().unwrap_or("no reason given").to_owned() } else { text }
}

/// The resource that a 404 says is not there.
pub fn missing_kind(body: &[u8]) -> Option<String> {
    status(body)?.details.map(|details| details.kind)
}
