//! Classifies a failed request: the innermost cause of a transport error, TLS told apart
//! from the network, and the message of a `Status`.

use crate::cluster::certificate_expiry;
use crate::cluster::error::{ClusterError, ServerContext};
use crate::http::cause::{innermost, layers};
use http::StatusCode;
use kube::client::AuthError;
use kube::config::ExecConfig;
use kube::core::Status;
use rustls::{AlertDescription, CertificateError};
use shared::text::os_cause;
use std::error::Error;
use std::sync::Arc;
use std::time::SystemTime;

/// Longest part of an answer's body that is shown where it is not a `Status`.
const SHOWN_BODY: usize = 200;

/// What a request that got no whole answer means.
pub fn transport(
    place: &Arc<ServerContext>,
    client_certificate: Option<&[u8]>,
    error: &(dyn Error + 'static),
) -> ClusterError {
    let at = place.clone();
    let chain: Vec<_> = layers(error).collect();
    if let Some(auth) = chain.iter().find_map(|e| e.downcast_ref::<AuthError>()) {
        return ClusterError::Setup { at, cause: auth_cause(auth) };
    }
    let cause = match chain.iter().find_map(|e| e.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(why)) => {
            let (cause, name) = certificate_cause(why);
            return ClusterError::Untrusted { at, cause, name };
        }
        Some(rustls::Error::AlertReceived(AlertDescription::CertificateExpired)) => {
            return ClusterError::ClientCertificateExpired { at, expired: expired(client_certificate) };
        }
        Some(rustls::Error::AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateRequired
            | AlertDescription::AccessDenied),
        )) => return unauthorized(place, client_certificate, format!("TLS alert {alert:?}")),
        Some(rustls::Error::AlertReceived(other)) => format!("TLS alert {other:?}"),
        Some(rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType)) => {
            "it does not speak TLS".to_owned()
        }
        Some(other) => other.to_string(),
        None => innermost(error),
    };
    ClusterError::Unreachable { at, cause }
}

fn expired(client_certificate: Option<&[u8]>) -> Option<String> {
    client_certificate.and_then(|pem| certificate_expiry::expired(pem, SystemTime::now()))
}

/// Why a server certificate is not accepted, and whether that is its name.
fn certificate_cause(why: &CertificateError) -> (String, bool) {
    let cause = match why {
        // An authority that was re-created under its old name gives a bad signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => "it is signed by an unknown authority",
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::NotValidForName => return ("it is for another host name".to_owned(), true),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<String> = presented.iter().map(|name| host_name(name)).collect();
            return (format!("it is for other host names ({})", names.join(", ")), true);
        }
        other => return (other.to_string(), false),
    };
    (cause.to_owned(), false)
}

/// `kubernetes` of `DnsName("kubernetes")`, as rustls shows it.
fn host_name(presented: &str) -> String {
    let inner = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"').to_owned()
}

/// The server does not recognize the credentials. An expired client certificate is answered so
/// by kube-apiserver; only then its expiry is checked.
pub fn unauthorized(place: &Arc<ServerContext>, client_certificate: Option<&[u8]>, words: String) -> ClusterError {
    let at = place.clone();
    match expired(client_certificate) {
        Some(expired) => ClusterError::ClientCertificateExpired { at, expired: Some(expired) },
        None => ClusterError::Unauthorized { at, words },
    }
}

/// Why no client could be made from the configuration.
pub fn setup(
    place: &Arc<ServerContext>,
    exec: Option<&ExecConfig>,
    login: Option<String>,
    error: kube::Error,
) -> ClusterError {
    let at = place.clone();
    match (error, exec) {
        (kube::Error::Auth(error), Some(exec)) => ClusterError::CredentialPlugin {
            at,
            command: exec.command.clone().unwrap_or_default(),
            cause: auth_cause(&error),
            install_hint: exec.install_hint.clone().filter(|_| matches!(error, AuthError::AuthExecStart(_))),
            // A plugin that is not installed is not the same as one without a login.
            login: login.filter(|_| !matches!(error, AuthError::AuthExecStart(_))),
        },
        (kube::Error::Auth(error), None) => ClusterError::Setup { at, cause: auth_cause(&error) },
        (error, _) => {
            let cause = match layers(&error).find_map(|e| e.downcast_ref::<rustls::Error>()) {
                Some(rustls::Error::InconsistentKeys(_)) => {
                    "the client certificate and the client key do not belong together".to_owned()
                }
                _ => innermost(&error),
            };
            ClusterError::Setup { at, cause }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::certificate_expiry::tests::{EXPIRED, VALID};
    use std::io;

    fn place() -> Arc<ServerContext> {
        Arc::new(ServerContext { server: "https://s".into(), user: Some("jane".into()), ..ServerContext::default() })
    }

    /// As a TLS failure arrives: rustls inside io inside another.
    fn wrapped(error: rustls::Error) -> io::Error {
        io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error))
    }

    fn text(error: rustls::Error, certificate: &str) -> String {
        transport(&place(), Some(certificate.as_bytes()), &wrapped(error)).to_string()
    }

    #[test]
    fn tls_is_told_apart_from_the_network() {
        use rustls::Error::{AlertReceived, InvalidCertificate};
        let presented = vec!["DnsName(\"kubernetes\")".to_owned(), "IpAddress(10.0.0.1)".to_owned()];
        let expected = rustls::pki_types::ServerName::try_from("s").unwrap();
        let untrusted = "the certificate of API server \"https://s\" is not trusted: ";
        let refused = "API server \"https://s\" refused the credentials of user \"jane\": ";
        let unreachable = "could not reach API server \"https://s\": ";
        for (error, certificate, prefix, cause) in [
            (
                InvalidCertificate(CertificateError::UnknownIssuer),
                VALID,
                untrusted,
                "it is signed by an unknown authority",
            ),
            (InvalidCertificate(CertificateError::Expired), VALID, untrusted, "it has expired"),
            (InvalidCertificate(CertificateError::NotValidYet), VALID, untrusted, "it is not valid yet"),
            (
                InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }),
                VALID,
                untrusted,
                "it is for other host names (kubernetes, 10.0.0.1)",
            ),
            (
                AlertReceived(AlertDescription::CertificateExpired),
                EXPIRED,
                refused,
                "the client certificate expired on 2021-02-03T04:05:06Z",
            ),
            // By the server's clock only.
            (AlertReceived(AlertDescription::CertificateExpired), VALID, refused, "the client certificate expired"),
            (AlertReceived(AlertDescription::UnknownCA), VALID, refused, "TLS alert UnknownCA"),
            (
                InvalidCertificate(CertificateError::BadSignature),
                VALID,
                untrusted,
                "it is signed by an unknown authority",
            ),
            (
                rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
                VALID,
                unreachable,
                "it does not speak TLS",
            ),
            (AlertReceived(AlertDescription::HandshakeFailure), VALID, unreachable, "TLS alert HandshakeFailure"),
        ] {
            assert_eq!(text(error, certificate), format!("{prefix}{cause}"));
        }
    }

    #[test]
    fn the_innermost_cause_is_told() {
        let error = io::Error::other(io::Error::from_raw_os_error(111));
        assert_eq!(
            transport(&place(), None, &error).to_string(),
            "could not reach API server \"https://s\": connection refused"
        );
    }

    #[test]
    fn an_expired_certificate_explains_unauthorized_and_a_valid_one_does_not() {
        let told = |pem: &str| unauthorized(&place(), Some(pem.as_bytes()), "Unauthorized".into()).to_string();
        let refused = "API server \"https://s\" refused the credentials of user \"jane\": ";
        assert_eq!(told(EXPIRED), format!("{refused}the client certificate expired on 2021-02-03T04:05:06Z"));
        assert_eq!(told(VALID), format!("{refused}Unauthorized"));
    }

    #[test]
    fn what_a_plugin_printed_is_not_told() {
        use std::os::unix::process::ExitStatusExt;
        use std::process::{ExitStatus, Output};
        let run = |stderr: &str| AuthError::AuthExecRun {
            cmd: "aws --secret topsecret".into(),
            out: Box::new(Output {
                status: ExitStatus::from_raw(256),
                stdout: b"topsecret".to_vec(),
                stderr: stderr.into(),
            }),
        };
        let exec = ExecConfig {
            command: Some("aws".into()),
            install_hint: Some(" install aws\n".into()),
            ..ExecConfig::default()
        };
        let told = |error| setup(&place(), Some(&exec), None, kube::Error::Auth(error));
        let error = told(run("first\n log in \n\n"));
        assert_eq!(error.to_string(), "credential plugin \"aws\" of user \"jane\" failed: exit status: 1: log in");
        assert_eq!(error.hint().as_deref(), Some("kubectl auth whoami"));
        let later = transport(&place(), None, &kube::Error::Auth(run(""))).to_string();
        assert_eq!(later, "could not set up the connection to API server \"https://s\": exit status: 1");
        let missing = told(AuthError::AuthExecStart(io::Error::from(io::ErrorKind::NotFound)));
        assert_eq!(missing.to_string(), "credential plugin \"aws\" of user \"jane\" failed: entity not found");
        assert_eq!(missing.hint().as_deref(), Some("install aws"));
        // Who runs a cloud's plugin can log in to that cloud.
        let login = || Some("aws sso login".to_owned());
        let error = setup(&place(), Some(&exec), login(), kube::Error::Auth(run("Token has expired")));
        assert_eq!(error.hint().as_deref(), Some("log in: aws sso login"));
        let missing = AuthError::AuthExecStart(io::Error::from(io::ErrorKind::NotFound));
        let error = setup(&place(), Some(&exec), login(), kube::Error::Auth(missing));
        assert_eq!(error.hint().as_deref(), Some("install aws"));
    }

    #[test]
    fn words_are_the_status_message_or_the_start_of_the_text() {
        let status = br#"{"kind":"Status","status":"Failure","message":"no","reason":"Forbidden","code":403}"#;
        assert_eq!(words(StatusCode::FORBIDDEN, status), "no");
        assert_eq!(words(StatusCode::BAD_GATEWAY, b" <html>\n"), "<html>");
        assert_eq!(words(StatusCode::BAD_GATEWAY, b""), "Bad Gateway");
        assert_eq!(words(StatusCode::BAD_GATEWAY, &[b'x'; 5_000]).len(), SHOWN_BODY);
    }
}
