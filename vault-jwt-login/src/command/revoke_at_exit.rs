//! Ends a run: revokes tokens before the program exits, and those that cannot be stored or
//! handed over, and removes their files.

use crate::cli::settings::Settings;
use crate::command::error::Error;
use crate::command::live_tokens::{LiveToken, LiveTokens};
use crate::command::reloading_client::ReloadingClient;
use crate::connection::in_flight::InFlight;
use crate::files::existing_token::{self, ExistingTokenError};
use crate::lease::retry::{Clock as _, RetryKind};
use crate::log::{Level, Message};
use crate::process::clock::SystemClock;
use crate::vault::error::VaultError;
use crate::vault::revocation::{RevokeOutcome, revoke};
use shared::Secret;
use shared::text::one_line;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Bound on a revocation before the program exits, its retry included. A pod has
/// 30 s to end unless it says otherwise (terminationGracePeriodSeconds).
const AT_EXIT: Duration = Duration::from_secs(5);
/// Bound on the first attempt of these: at a round trip of 300 ms, a connection
/// with TLS and a request take 1.2 s.
const FIRST_ATTEMPT: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(250);

/// A token that could not be revoked before the exit.
#[derive(Debug)]
pub struct ExitRevokeError {
    pub error: Error,
    accessor: String,
}

impl ExitRevokeError {
    /// What to say: the accessor in any case, since a token can be revoked by it.
    pub fn message(&self, level: Level) -> Message<'_> {
        let more = match &self.error {
            Error::Vault(VaultError::NotRevoked(_)) => String::new(),
            _ if self.accessor.is_empty() => "; the Vault token may still be valid".to_owned(),
            _ => format!("; the Vault token may still be valid (accessor \"{}\")", one_line(&self.accessor)),
        };
        self.error.message(level, &more)
    }
}

/// Revokes these tokens before the program exits, in 5 s and with one retry each at most.
/// All are tried; what became of the last one, or the first failure.
fn revoke_at_exit(settings: &Settings, tokens: &[LiveToken]) -> Result<RevokeOutcome, ExitRevokeError> {
    let mut clock = SystemClock::start();
    let mut all = Ok(RevokeOutcome::AlreadyInvalid);
    for (number, live) in tokens.iter().enumerate() {
        let share = (tokens.len() - number) as u32;
        let attempt = |bound: Duration, clock: &SystemClock| {
            let left = AT_EXIT.saturating_sub(clock.elapsed()) / share;
            let mut client = ReloadingClient::new(settings, InFlight::default())?;
            Ok::<_, Error>(revoke(client.for_connection(), &live.token, &live.expected(), bound.min(left))?)
        };
        let mut result = attempt(FIRST_ATTEMPT, &clock);
        if result.as_ref().is_err_and(|error| !matches!(error.retry_kind(), RetryKind::Never | RetryKind::NeedsChange))
        {
            clock.sleep(PAUSE);
            result = attempt(AT_EXIT, &clock);
        }
        let result = result.map_err(|error| ExitRevokeError { error, accessor: live.accessor.clone() });
        all = all.and(result);
    }
    all
}

/// Revokes what `which` names, and what a login in flight still brings: before the program exits.
pub fn revoke_all(
    settings: &Settings,
    live: &LiveTokens,
    which: impl Fn(&LiveToken) -> bool,
) -> Result<Option<RevokeOutcome>, ExitRevokeError> {
    live.wait_for_a_login(AT_EXIT);
    let tokens = live.select(which);
    let revoked = revoke_at_exit(settings, &tokens)?;
    Ok((!tokens.is_empty()).then_some(revoked))
}

/// Revokes every token that this process logged in for, before it exits because its command
/// does not run, and removes their files.
pub fn withdraw(settings: &Settings, live: &LiveTokens, say: &dyn Fn(&Message<'_>)) {
    let stored = live.any(|live| live.own && live.stored);
    match revoke_all(settings, live, |live| live.own) {
        Ok(_) if stored => {
            if let Err(error) = remove_files(settings, None) {
                say(&error.message(Level::Warn, ""));
            }
        }
        Ok(_) => {}
        Err(unrevoked) => say(&unrevoked.message(Level::Warn)),
    }
}

/// Revokes what a login granted and what could not be put in place, and says so.
pub fn discard(settings: &Settings, live: &LiveTokens, say: &dyn Fn(&Message<'_>)) {
    for token in live.select(|live| !live.stored) {
        match revoke_at_exit(settings, std::slice::from_ref(&token)) {
            Ok(RevokeOutcome::BatchToken) => {
                let text =
                    "the Vault token could not be used; it is a batch token, which expires and cannot be revoked";
                say(&Message::warn(text));
            }
            Ok(_) if settings.quiet => {}
            Ok(_) => say(&Message::info("revoked the Vault token that could not be used")),
            Err(unrevoked) => say(&unrevoked.message(Level::Warn)),
        }
        live.forget(&token.token);
    }
}

/// What a signal does, and the exit code: the token in use is revoked and its files are
/// removed where that was asked for. A token that is not in place yet is revoked in any
/// case. `None` where no token is in place.
pub fn on_signal(settings: &Settings, live: &LiveTokens, name: &str, say: &dyn Fn(&Message<'_>)) -> Option<u8> {
    let stored = live.any(|live| live.stored);
    let revoked = revoke_all(settings, live, |live| settings.revoke_on_exit || !live.stored);
    let tell = |text: String| {
        if !settings.quiet {
            say(&Message::info(text));
        }
    };
    match (revoked, stored && settings.revoke_on_exit) {
        // The files of a token that lives are kept: the next start reuses it.
        (Err(unrevoked), true) => {
            say(&unrevoked.message(Level::Error));
            return Some(unrevoked.error.exit_code());
        }
        (Err(unrevoked), false) => say(&unrevoked.message(Level::Warn)),
        (Ok(revoked), true) => {
            if let Err(error) = remove_files(settings, None) {
                say(&error.message(Level::Error, ""));
                return Some(error.exit_code());
            }
            tell(match revoked {
                Some(RevokeOutcome::BatchToken) => {
                    format!("ended by {name}: the Vault token is a batch token, which expires and cannot be revoked")
                }
                _ => format!("ended by {name}: the Vault token is revoked"),
            });
            return Some(0);
        }
        (Ok(_), false) => {}
    }
    if stored {
        tell(format!("ended by {name}"));
    }
    stored.then_some(0)
}

/// Removes the token file and the info file; with `only`, not if another token was put in place
/// meanwhile.
pub fn remove_files(settings: &Settings, only: Option<&Secret>) -> Result<(), Error> {
    let other = |path: &Path| {
        existing_token::read(path).is_ok_and(|found| only.is_some_and(|only| only.expose() != found.expose()))
    };
    if settings.token_file.as_deref().is_some_and(other) {
        return Ok(());
    }
    for path in [&settings.token_file, &settings.info_file].into_iter().flatten() {
        remove_if_present(path).map_err(|source| ExistingTokenError::NotRemoved { path: path.clone(), source })?;
    }
    Ok(())
}

fn remove_if_present(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
