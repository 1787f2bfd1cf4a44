//! The `login` command: checks that the token can be stored, logs in, and stores
//! the token. What cannot be stored or handed over is revoked.

use crate::cli::settings::Settings;
use crate::command::error::{Error, Failure};
use crate::command::info_file;
use crate::command::live_tokens::LiveTokens;
use crate::command::messages::{login_text, once_per_text, unless_quiet, warn};
use crate::command::reloading_client::ReloadingClient;
use crate::command::revoke_at_exit::discard;
use crate::files::jwt_file;
use crate::files::token_file::TokenFile;
use crate::files::token_file_error::{INFO_FILE, TOKEN_FILE, TokenFileError};
use crate::lease::retry::{self, Clock};
use crate::log::{Level, Message};
use crate::process::clock::{SystemClock, unix_now};
use crate::process::signals::SignalGate;
use crate::vault::client::VaultClient;
use crate::vault::login_response::Granted;
use crate::vault::revocation::{self, Expected, RevokeOutcome};
use shared::duration::about;
use std::path::PathBuf;
use std::time::{Duration, Instant};

pub struct Login<'a> {
    settings: &'a Settings,
    live: &'a LiveTokens,
    client: ReloadingClient<'a>,
    token_file: Option<TokenFile>,
    info_file: Option<TokenFile>,
}

impl<'a> Login<'a> {
    /// Reads the certificates, looks for the command, and checks that the
    /// files can be written. `gate` keeps signals out of the moments in which
    /// there is a temporary file. Granted tokens are noted in `live`.
    pub fn prepare(settings: &'a Settings, gate: &SignalGate, live: &'a LiveTokens) -> Result<Self, Failure> {
        let client = ReloadingClient::new(settings, live.in_flight.clone())?;
        if let Some(command) = &settings.command {
            command.find()?;
        }
        let prepare = |what, path: &Option<PathBuf>| {
            path.as_ref().map(|path| TokenFile::prepare(what, path, settings.permissions)).transpose()
        };
        let (token_file, info_file) = gate.undisturbed(|| {
            let token_file = prepare(TOKEN_FILE, &settings.token_file)?;
            // Both are staged before one is put in place: there has to be room for both.
            let room = token_file.as_ref().map(TokenFile::trial).transpose()?;
            let info_file = prepare(INFO_FILE, &settings.info_file)?;
            drop(room);
            Ok::<_, Failure>((token_file, info_file))
        })?;
        Ok(Self { settings, live, client, token_file, info_file })
    }

    pub fn vault(&mut self) -> &VaultClient {
        self.client.for_connection()
    }

    pub fn attempt(&mut self, left: Duration) -> Result<Granted, Error> {
        let jwt = jwt_file::read(&self.settings.jwt_file)?;
        let (started, live) = (Instant::now(), self.live);
        let granted = self.vault().login(&jwt, left, |granted| live.granted(granted))?;
        Ok(Granted { lease: remaining(granted.lease, started.elapsed()), ..granted })
    }

    /// Puts the token, and what is said about it, in place.
    pub fn put(&self, granted: &Granted) -> Result<(), TokenFileError> {
        let staged =
            self.token_file.as_ref().map(|file| Ok((file, file.stage(granted.token.expose())?))).transpose()?;
        // Before the token: a reader that sees the token finds what is said about it.
        self.put_info(granted)?;
        staged.map_or(Ok(()), |(file, staged)| file.put_in_place(staged))
    }

    /// Revokes the tokens that killed runs left in temporary files, and removes the files.
    /// Called after a login or lookup, when Vault is known to answer.
    pub fn remove_leftovers(&mut self, tell: &mut dyn FnMut(&Message<'_>)) {
        let Some(file) = self.token_file.take() else { return };
        let clock = SystemClock::start();
        for (name, token) in file.leftovers() {
            let path = file.beside(name).display().to_string();
            if self.live.any(|live| live.token.expose() == token.expose()) {
                file.remove_leftover(name);
                continue;
            }
            let left = LEFTOVERS.saturating_sub(clock.elapsed());
            if left.is_zero() {
                break;
            }
            match revocation::revoke(self.vault(), &token, &Expected::default(), left) {
                Ok(RevokeOutcome::Revoked) => {
                    let text = format!("revoked the Vault token in \"{path}\", which an interrupted run left behind");
                    tell(&Message::info(text));
                }
                Ok(RevokeOutcome::AlreadyInvalid | RevokeOutcome::BatchToken) => {}
                Err(error) => {
                    let error = Error::from(error);
                    tell(&error.message(Level::Warn, &format!("; the file \"{path}\" of an interrupted run is kept")));
                    continue;
                }
            }
            file.remove_leftover(name);
        }
        self.token_file = Some(file);
    }

    /// Puts the token in place again if its file was removed; whether it was.
    pub fn put_again(&self, granted: &Granted) -> Result<bool, TokenFileError> {
        match &self.token_file {
            Some(file) if file.is_missing() => file.write(granted.token.expose()).map(|()| true),
            _ => Ok(false),
        }
    }

    pub fn put_info(&self, granted: &Granted) -> Result<(), TokenFileError> {
        let text = |file: &TokenFile| file.write(&info_file::text(&self.settings.target, granted, unix_now()));
        self.info_file.as_ref().map_or(Ok(()), text)
    }
}

/// Bound on revoking all tokens that interrupted runs left behind. The next start goes on with them.
const LEFTOVERS: Duration = Duration::from_secs(5);

/// The TTL that a token has at least: Vault granted it at some time between the request and the
/// response. At most half of it is taken off, so that a slow Vault is not asked again at once.
fn remaining(ttl: Option<Duration>, took: Duration) -> Option<Duration> {
    ttl.map(|ttl| ttl - Duration::from_secs(took.as_secs()).min(ttl / 2))
}

pub fn run(
    settings: &Settings,
    gate: &SignalGate,
    live: &LiveTokens,
    say: &dyn Fn(&Message<'_>),
) -> Result<Granted, Failure> {
    let (mut tell, mut login) = (unless_quiet(settings, say), Login::prepare(settings, gate, live)?);
    let granted = log_in_with_retries(settings, &mut login, &mut tell, settings.timeout)?;
    if let Err(error) = gate.finally(|| login.put(&granted)) {
        discard(settings, live, say);
        return Err(error.into());
    }
    live.stored(&granted);
    tell(&Message::info(login_text(settings, &granted)));
    login.remove_leftovers(&mut tell);
    Ok(granted)
}

/// Warns of what is risky, waits at random where asked to, and logs in as
/// often as it takes within `timeout`.
pub fn log_in_with_retries(
    settings: &Settings,
    login: &mut Login<'_>,
    tell: &mut dyn FnMut(&Message<'_>),
    timeout: Duration,
) -> Result<Granted, Failure> {
    let mut clock = SystemClock::start();
    warn(settings, tell);
    if let Some(splay) = settings.splay {
        // Less where a lookup has taken most of the time.
        let wait = clock.between(Duration::ZERO, splay.saturating_sub(settings.timeout.saturating_sub(timeout)));
        tell(&Message::info(format!("waiting {} before the login (--splay)", about(wait))));
        clock.sleep(wait);
    }
    let attempt = |left| login.attempt(left);
    Ok(retry::until_done(timeout, &mut clock, attempt, Error::retry_kind, once_per_text(tell))?)
}

#[cfg(test)]
mod tests;
