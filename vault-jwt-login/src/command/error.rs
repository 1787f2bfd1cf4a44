//! Errors of a run: exit codes, messages, and how each is retried.

use crate::cli::usage_error::UsageError;
use crate::connection::tls::TlsError;
use crate::files::existing_token::ExistingTokenError;
use crate::files::jwt_file::JwtFileError;
use crate::files::token_file_error::TokenFileError;
use crate::lease::retry::{GaveUp, RetryKind};
use crate::log::{Level, Message};
use crate::process::exec::ExecError;
use crate::vault::error::{FailureStage, VaultError};
use shared::duration::about;
use shared::refusal::Refusal;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Jwt(#[from] JwtFileError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Exec(#[from] ExecError),
    #[error(transparent)]
    TokenFile(#[from] TokenFileError),
    #[error(transparent)]
    ExistingToken(#[from] ExistingTokenError),
}

impl Error {
    /// The exit code, after BSD's sysexits(3).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Tls(_) => 64,
            Self::ExistingToken(ExistingTokenError::NotRemoved { .. }) => 73,
            Self::Jwt(_) | Self::ExistingToken(_) => 66,
            Self::Vault(VaultError::LoginRefused(refused)) if refused.class != Refusal::Unavailable => 77,
            Self::Vault(VaultError::TokenCallRefused(denied)) if !denied.unavailable => 77,
            Self::Vault(VaultError::NotRevoked(_)) => 77,
            Self::Vault(_) => 69,
            Self::Exec(error) => error.exit_code(),
            Self::TokenFile(_) => 73,
        }
    }

    pub fn retry_kind(&self) -> RetryKind {
        match self {
            Self::Jwt(error) if error.can_heal() => RetryKind::NeedsChange,
            Self::Vault(VaultError::Unreachable { stage, .. }) => match stage {
                FailureStage::ConnectRefused => RetryKind::ConnectionRefused,
                FailureStage::BeforeRequest => RetryKind::Outage { after: None },
                FailureStage::AfterRequest => RetryKind::ConnectionCut,
                FailureStage::AfterLongWait => RetryKind::Unanswered,
            },
            Self::Vault(VaultError::Unanswered { .. }) => RetryKind::Unanswered,
            Self::Vault(VaultError::Redirect { temporary: true, .. }) => RetryKind::Outage { after: None },
            Self::Vault(VaultError::LoginRefused(refused)) => match refused.class {
                _ if refused.is_a_timeout() => RetryKind::Unanswered,
                Refusal::Unavailable => RetryKind::Outage { after: refused.retry_after },
                class if class.can_heal() => RetryKind::NeedsChange,
                _ => RetryKind::Never,
            },
            Self::Vault(VaultError::TokenCallRefused(denied)) if denied.unavailable => {
                RetryKind::Outage { after: denied.retry_after }
            }
            _ => RetryKind::Never,
        }
    }

    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage(error) => error.hint(),
            Self::Tls(error) => error.hint(),
            Self::Jwt(error) => error.hint(),
            Self::Vault(error) => error.hint(),
            Self::Exec(error) => Some(error.hint()),
            Self::TokenFile(error) => error.hint(),
            Self::ExistingToken(error) => Some(error.hint()),
        }
    }

    /// The failure as it is told: what, with `more` behind it, the token's
    /// claims where they matter, what to change.
    pub fn message(&self, level: Level, more: &str) -> Message<'_> {
        let jwt = match self {
            Self::Vault(VaultError::LoginRefused(refused)) if refused.class != Refusal::Unavailable => {
                Some(&refused.decoded)
            }
            _ => None,
        };
        Message::new(level, format!("{self}{more}")).jwt(jwt).hint(self.hint())
    }
}

/// A failure, with what was tried before it became one.
#[derive(Debug)]
pub struct Failure {
    pub error: Error,
    more: String,
}

impl Failure {
    pub fn message(&self) -> Message<'_> {
        self.error.message(Level::Error, &self.more)
    }
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), more: String::new() }
    }
}

impl From<GaveUp<Error>> for Failure {
    fn from(end: GaveUp<Error>) -> Self {
        let more = match end.attempts {
            1 => String::new(),
            attempts => format!("; gave up after {attempts} attempts in {}", about(end.after)),
        };
        Self { error: end.last, more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::address::Address;
    use crate::files::jwt_claims::DecodedJwt;
    use crate::log::Format;
    use crate::vault::login_refusal::LoginRefusal;
    use crate::vault::target::Target;
    use shared::mount::MountPath;
    use std::path::PathBuf;
    use std::time::Duration;

    fn target() -> Target {
        Target {
            address: Address::parse("https://vault:8200").unwrap(),
            namespace: None,
            mount: MountPath::parse("jwt").unwrap(),
            role: None,
        }
    }

    fn refusal(class: Refusal) -> Error {
        let (words, decoded, took) = ("no".to_owned(), DecodedJwt::default(), Duration::ZERO);
        let retry_after = Some(Duration::from_secs(7));
        VaultError::LoginRefused(Box::new(LoginRefusal {
            target: target(),
            status: 400,
            words,
            class,
            retry_after,
            took,
            decoded,
        }))
        .into()
    }

    #[test]
    fn a_server_error_that_is_a_timeout_is_no_response() {
        let wait = |status: u16, retry_after: Option<Duration>, seconds: u64| {
            let (words, decoded, class) = (String::new(), DecodedJwt::default(), Refusal::Unavailable);
            let took = Duration::from_secs(seconds);
            let refused = LoginRefusal { target: target(), status, words, class, retry_after, took, decoded };
            Error::from(VaultError::LoginRefused(Box::new(refused))).retry_kind()
        };
        assert_eq!(wait(504, None, 60), RetryKind::Unanswered);
        // OpenBao's "internal error" after max_request_duration.
        assert_eq!(wait(500, None, 90), RetryKind::Unanswered);
        for (status, seconds) in [(504, 0), (500, 9), (502, 0), (503, 0), (429, 90)] {
            assert_eq!(wait(status, None, seconds), RetryKind::Outage { after: None }, "{status}");
        }
        let after = Some(Duration::from_secs(2));
        assert_eq!(wait(504, after, 0), RetryKind::Outage { after });
    }

    fn unreachable(stage: FailureStage) -> Error {
        VaultError::Unreachable { address: target().address, stage, why: "connection refused".into() }.into()
    }

    #[test]
    fn each_class_has_its_exit_code_and_its_way_to_wait() {
        let tls = VaultError::Tls { address: target().address, why: "x".into(), hint: None };
        let wrapped = VaultError::Wrapped { address: target().address };
        let unanswered = VaultError::Unanswered { address: target().address, within: Duration::from_secs(60) };
        for (error, code, wait) in [
            (UsageError::unknown("x").into(), 64, RetryKind::Never),
            (Error::Tls(TlsError::ServerName("x y".into())), 64, RetryKind::Never),
            (JwtFileError::NotAFile(PathBuf::from("/")).into(), 66, RetryKind::Never),
            (JwtFileError::Empty(PathBuf::from("/t")).into(), 66, RetryKind::NeedsChange),
            (unreachable(FailureStage::ConnectRefused), 69, RetryKind::ConnectionRefused),
            (unreachable(FailureStage::BeforeRequest), 69, RetryKind::Outage { after: None }),
            (unreachable(FailureStage::AfterRequest), 69, RetryKind::ConnectionCut),
            (unreachable(FailureStage::AfterLongWait), 69, RetryKind::Unanswered),
            (unanswered.into(), 69, RetryKind::Unanswered),
            (tls.into(), 69, RetryKind::Never),
            (wrapped.into(), 69, RetryKind::Never),
            (refusal(Refusal::Unavailable), 69, RetryKind::Outage { after: Some(Duration::from_secs(7)) }),
            (refusal(Refusal::Signature), 77, RetryKind::NeedsChange),
            (refusal(Refusal::Expired), 77, RetryKind::NeedsChange),
            (refusal(Refusal::NotYetValid), 77, RetryKind::NeedsChange),
            (refusal(Refusal::NoConfiguration), 77, RetryKind::NeedsChange),
            (refusal(Refusal::NoSuchRole), 77, RetryKind::Never),
            (refusal(Refusal::Other), 77, RetryKind::Never),
            (TokenFileError::Directory { what: "token file", path: PathBuf::from("/") }.into(), 73, RetryKind::Never),
        ] {
            assert_eq!((error.exit_code(), error.retry_kind()), (code, wait), "{error}");
        }
    }

    #[test]
    fn a_refusal_shows_words_claims_and_cure() {
        assert_eq!(
            refusal(Refusal::NoRole).message(Level::Error, "").shown(Format::Text, 0),
            "error: Vault at \"https://vault:8200\" refused the login (status 400, mount \"jwt\"): no\n\
             token: iss none, sub none, aud none, kid none, exp none\n\
             hint: name a role with --role or VAULT_ROLE; the mount has no default_role\n"
        );
    }

    #[test]
    fn giving_up_says_what_was_tried() {
        let shown = |attempts| {
            let after = Duration::from_millis(119_750);
            Failure::from(GaveUp { last: unreachable(FailureStage::ConnectRefused), attempts, after })
                .message()
                .shown(Format::Text, 0)
        };
        let hint = "hint: check --vault-addr (VAULT_ADDR) and that no network policy blocks the connection\n";
        let first = "error: could not reach Vault at \"https://vault:8200\": connection refused";
        assert_eq!(shown(14), format!("{first}; gave up after 14 attempts in 2m\n{hint}"));
        assert_eq!(shown(1), format!("{first}\n{hint}"));
    }
}
