//! Exit codes, and how a failure is worded.

use crate::cli::UsageError;
use crate::command::CommandError;
use crate::found::NotFound;
use crate::jwt_file::JwtFileError;
use crate::log::{Level, Message};
use crate::retry::{GaveUp, Wait};
use crate::revocation::NotRevoked;
use crate::tls::TlsError;
use crate::token_file::TokenFileError;
use crate::vault::{Broke, VaultError};
use shared::duration;
use shared::refusal::Refusal;
use std::time::Duration;
use thiserror::Error;

/// Anything a run can fail with.
#[derive(Debug, Error)]
pub enum Error {
    /// Flags or environment.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// Certificates and keys of the connection.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No JWT.
    #[error(transparent)]
    Jwt(#[from] JwtFileError),
    /// No login.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Nothing to hand the token to.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Nowhere to put the token.
    #[error(transparent)]
    TokenFile(#[from] TokenFileError),
    /// No token where one was left.
    #[error(transparent)]
    Found(#[from] NotFound),
    /// A token that Vault did not revoke.
    #[error(transparent)]
    NotRevoked(Box<NotRevoked>),
}

impl Error {
    /// The exit code, after BSD's sysexits(3).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Tls(_) => 64,
            Self::Found(NotFound::NotRemoved { .. }) => 73,
            Self::Jwt(_) | Self::Found(_) => 66,
            Self::Vault(VaultError::Refused(refused)) if refused.class != Refusal::Unavailable => 77,
            Self::Vault(VaultError::Denied(denied)) if !denied.unavailable => 77,
            Self::NotRevoked(_) => 77,
            Self::Vault(_) => 69,
            Self::Command(error) => error.exit_code(),
            Self::TokenFile(_) => 73,
        }
    }

    /// Whether and how waiting can help.
    pub fn wait(&self) -> Wait {
        match self {
            Self::Jwt(error) if error.can_heal() => Wait::Change,
            Self::Vault(VaultError::Unreachable { broke, .. }) => match broke {
                Broke::AtOnce => Wait::Refused,
                Broke::Before => Wait::Outage { after: None },
                Broke::After => Wait::Cut,
                Broke::Late => Wait::Unanswered,
            },
            Self::Vault(VaultError::Unanswered { .. }) => Wait::Unanswered,
            Self::Vault(VaultError::Redirect { temporary: true, .. }) => Wait::Outage { after: None },
            Self::Vault(VaultError::Refused(refused)) => match refused.class {
                _ if refused.is_a_timeout() => Wait::Unanswered,
                Refusal::Unavailable => Wait::Outage { after: refused.retry_after },
                class if class.can_heal() => Wait::Change,
                _ => Wait::Never,
            },
            Self::Vault(VaultError::Denied(denied)) if denied.unavailable => Wait::Outage { after: denied.retry_after },
            _ => Wait::Never,
        }
    }

    /// What to change.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Usage(error) => error.hint(),
            Self::Tls(error) => error.hint(),
            Self::Jwt(error) => error.hint(),
            Self::Vault(error) => error.hint(),
            Self::Command(error) => Some(error.hint()),
            Self::TokenFile(error) => error.hint(),
            Self::Found(error) => Some(error.hint()),
            Self::NotRevoked(error) => Some(error.hint()),
        }
    }

    /// The failure as it is told: what, with `more` behind it, the token's
    /// claims where they matter, what to change.
    pub fn message(&self, level: Level, more: &str) -> Message<'_> {
        let jwt = match self {
            Self::Vault(VaultError::Refused(refused)) if refused.class != Refusal::Unavailable => Some(&refused.facts),
            _ => None,
        };
        Message::new(level, format!("{self}{more}")).jwt(jwt).hint(self.hint())
    }
}

/// A failure, with what was tried before it became one.
#[derive(Debug)]
pub struct Failure {
    /// What failed last.
    pub error: Error,
    more: String,
}

impl Failure {
    /// What to tell.
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

/// A duration rounded to seconds.
pub fn about(time: Duration) -> String {
    duration::short(time + Duration::from_millis(500))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::facts::TokenFacts;
    use crate::log::Format;
    use crate::refused::Refused;
    use crate::vault::Target;
    use shared::mount::MountPath;
    use std::path::PathBuf;

    fn target() -> Target {
        Target {
            address: Address::parse("https://vault:8200").unwrap(),
            namespace: None,
            mount: MountPath::parse("jwt").unwrap(),
            role: None,
        }
    }

    fn refused(class: Refusal) -> Error {
        let (words, facts, took) = ("no".to_owned(), TokenFacts::default(), Duration::ZERO);
        let retry_after = Some(Duration::from_secs(7));
        VaultError::Refused(Box::new(Refused { target: target(), status: 400, words, class, retry_after, took, facts }))
            .into()
    }

    #[test]
    fn a_server_error_that_is_a_timeout_is_no_response() {
        let wait = |status: u16, retry_after: Option<Duration>, seconds: u64| {
            let (words, facts, class) = (String::new(), TokenFacts::default(), Refusal::Unavailable);
            let took = Duration::from_secs(seconds);
            let refused = Refused { target: target(), status, words, class, retry_after, took, facts };
            Error::from(VaultError::Refused(Box::new(refused))).wait()
        };
        assert_eq!(wait(504, None, 60), Wait::Unanswered);
        // OpenBao's "internal error" after max_request_duration.
        assert_eq!(wait(500, None, 90), Wait::Unanswered);
        for (status, seconds) in [(504, 0), (500, 9), (502, 0), (503, 0), (429, 90)] {
            assert_eq!(wait(status, None, seconds), Wait::Outage { after: None }, "{status}");
        }
        let after = Some(Duration::from_secs(2));
        assert_eq!(wait(504, after, 0), Wait::Outage { after });
    }

    fn unreachable(broke: Broke) -> Error {
        VaultError::Unreachable { address: target().address, broke, why: "connection refused".into() }.into()
    }

    #[test]
    fn each_class_has_its_exit_code_and_its_way_to_wait() {
        let tls = VaultError::Tls { address: target().address, why: "x".into(), hint: None };
        let wrapped = VaultError::Wrapped { address: target().address };
        let unanswered = VaultError::Unanswered { address: target().address, within: Duration::from_secs(60) };
        for (error, code, wait) in [
            (UsageError::unknown("x").into(), 64, Wait::Never),
            (Error::Tls(TlsError::ServerName("x y".into())), 64, Wait::Never),
            (JwtFileError::NotAFile(PathBuf::from("/")).into(), 66, Wait::Never),
            (JwtFileError::Empty(PathBuf::from("/t")).into(), 66, Wait::Change),
            (unreachable(Broke::AtOnce), 69, Wait::Refused),
            (unreachable(Broke::Before), 69, Wait::Outage { after: None }),
            (unreachable(Broke::After), 69, Wait::Cut),
            (unreachable(Broke::Late), 69, Wait::Unanswered),
            (unanswered.into(), 69, Wait::Unanswered),
            (tls.into(), 69, Wait::Never),
            (wrapped.into(), 69, Wait::Never),
            (refused(Refusal::Unavailable), 69, Wait::Outage { after: Some(Duration::from_secs(7)) }),
            (refused(Refusal::Signature), 77, Wait::Change),
            (refused(Refusal::Expired), 77, Wait::Change),
            (refused(Refusal::NotYetValid), 77, Wait::Change),
            (refused(Refusal::NoConfiguration), 77, Wait::Change),
            (refused(Refusal::NoSuchRole), 77, Wait::Never),
            (refused(Refusal::Other), 77, Wait::Never),
            (TokenFileError::Directory { what: "token file", path: PathBuf::from("/") }.into(), 73, Wait::Never),
        ] {
            assert_eq!((error.exit_code(), error.wait()), (code, wait), "{error}");
        }
    }

    #[test]
    fn a_refusal_shows_words_claims_and_cure() {
        assert_eq!(
            refused(Refusal::NoRole).message(Level::Error, "").shown(Format::Text, 0),
            "error: Vault at \"https://vault:8200\" refused the login (status 400, mount \"jwt\"): no\n\
             token: iss none, sub none, aud none, kid none, exp none\n\
             hint: name a role with --role or VAULT_ROLE; the mount has no default_role\n"
        );
    }

    #[test]
    fn giving_up_says_what_was_tried() {
        let shown = |attempts| {
            let after = Duration::from_millis(119_750);
            Failure::from(GaveUp { last: unreachable(Broke::AtOnce), attempts, after }).message().shown(Format::Text, 0)
        };
        let hint = "hint: check --vault-addr (VAULT_ADDR) and that no network policy blocks the connection\n";
        let first = "error: could not reach Vault at \"https://vault:8200\": connection refused";
        assert_eq!(shown(14), format!("{first}; gave up after 14 attempts in 2m\n{hint}"));
        assert_eq!(shown(1), format!("{first}\n{hint}"));
    }
}
