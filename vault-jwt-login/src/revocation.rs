//! Revokes a Vault token, and says what became of it. A 403 alone does not: it is
//! the response to a token that expired, and to one that lives and may not revoke
//! itself.

use crate::connection::flight::Flight;
use crate::error::{Error, about};
use crate::log::{Level, Message};
use crate::login::{Login, RealWorld};
use crate::retry::{Wait, World as _};
use crate::settings::Settings;
use crate::token::Denied;
use crate::vault::{Granted, Vault, VaultError};
use shared::Secret;
use shared::text::one_line;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Bound on a revocation before the program exits, its retry included. A pod has
/// 30 s to end unless it says otherwise (terminationGracePeriodSeconds).
const AT_EXIT: Duration = Duration::from_secs(5);
/// Bound on the first attempt of these: at a round trip of 300 ms, a connection
/// with TLS and a request take 1.2 s.
const FIRST_ATTEMPT: Duration = Duration::from_secs(3);
/// The wait before the retry.
const PAUSE: Duration = Duration::from_millis(250);

/// Why there is nothing left to revoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// Vault revoked it.
    Now,
    /// It expired or was revoked before.
    Before,
    /// A batch token: it cannot be revoked, and expires by itself.
    Batch,
}

/// Vault did not revoke a token that is, or may be, still valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotRevoked {
    /// What Vault said.
    pub denied: Denied,
    /// What the token can be revoked by; it is no secret.
    pub accessor: Option<String>,
    /// Whether Vault said that it is valid: `Some` with its TTL, which is `None` for a
    /// token that never expires.
    pub valid: Option<Option<Duration>>,
}

impl fmt::Display for NotRevoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; the token", self.denied)?;
        match self.valid {
            Some(Some(ttl)) => write!(f, " is still valid for {}", about(ttl))?,
            Some(None) => f.write_str(" is still valid and does not expire")?,
            None => f.write_str(" may still be valid")?,
        }
        match &self.accessor {
            Some(accessor) => write!(f, " (accessor \"{}\")", one_line(accessor)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for NotRevoked {}

impl NotRevoked {
    /// The command that revokes it.
    pub fn hint(&self) -> String {
        let accessor = self.accessor.as_deref().filter(|accessor| {
            !accessor.is_empty() && accessor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.')
        });
        format!(
            "run: vault token revoke -accessor {}; to allow it from the pod, grant \"update\" on \
             auth/token/revoke-self with a policy of the role",
            accessor.unwrap_or("<ACCESSOR>")
        )
    }
}

/// What is known of a token without asking Vault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Its accessor, for the message.
    pub accessor: Option<String>,
    /// Whether its TTL lasts, as far as this program knows.
    pub lives: bool,
}

/// Revokes `token` in one attempt within `time_left`.
///
/// The words of the responses are those of Vault 1.21.2 and OpenBao 2.7.2.
pub fn revoke(vault: &Vault, token: &Secret, expected: &Expected, time_left: Duration) -> Result<Revoked, Error> {
    let clock = RealWorld::new();
    let denied = match vault.revoke(token, time_left) {
        Ok(()) => return Ok(Revoked::Now),
        Err(VaultError::Denied(denied)) if denied.words.contains("batch tokens cannot be revoked") => {
            return Ok(Revoked::Batch);
        }
        Err(VaultError::Denied(denied)) if denied.status == 403 => denied,
        Err(other) => return Err(other.into()),
    };
    if denied.is_of_an_invalid_token() {
        return Ok(Revoked::Before);
    }
    let mut not_revoked = NotRevoked {
        denied: *denied,
        accessor: expected.accessor.clone().filter(|accessor| !accessor.is_empty()),
        valid: None,
    };
    match vault.look_up(token, time_left.saturating_sub(clock.elapsed())) {
        Ok(known) => {
            not_revoked.valid = Some(known.lease.lasts);
            not_revoked.accessor = Some(known.accessor).filter(|a| !a.is_empty()).or(not_revoked.accessor);
        }
        Err(VaultError::Denied(denied)) if denied.is_of_an_invalid_token() => return Ok(Revoked::Before),
        // OpenBao says no more of a token that it does not know, nor of a valid one that is used
        // from an address outside of token_bound_cidrs; Vault, whose tokens begin with "hv", only
        // of the latter. Of one that lacks a policy both count the errors first.
        Err(VaultError::Denied(denied))
            if denied.is_bare()
                && not_revoked.denied.is_bare()
                && !expected.lives
                && !token.expose().starts_with("hv") =>
        {
            return Ok(Revoked::Before);
        }
        Err(_) => {}
    }
    Err(Error::NotRevoked(Box::new(not_revoked)))
}

/// A token that a login granted and that is not revoked.
#[derive(Clone, Debug)]
pub struct Live {
    /// The token.
    pub token: Secret,
    /// For messages about it.
    pub accessor: String,
    /// When it expires; `None` is never.
    until: Option<Instant>,
    /// Whether it is where it is looked for: in its file, or with the command.
    pub stored: bool,
    /// Whether this process logged in for it. Other containers may use one that was reused.
    own: bool,
}

impl Live {
    fn new(granted: &Granted, stored: bool, own: bool) -> Self {
        let (token, accessor) = (granted.token.clone(), granted.accessor.clone());
        Self { token, accessor, until: granted.lease.map(|ttl| Instant::now() + ttl), stored, own }
    }

    fn expected(&self) -> Expected {
        let lives = self.until.is_none_or(|until| Instant::now() < until);
        Expected { accessor: Some(self.accessor.clone()), lives }
    }
}

/// The tokens that this process holds, for the code that ends it: what is granted
/// and not stored is revoked in any case.
#[derive(Debug, Default)]
pub struct LiveTokens {
    tokens: Mutex<Vec<Live>>,
    flight: Flight,
}

impl LiveTokens {
    /// What this process has sent to Vault.
    pub fn flight(&self) -> &Flight {
        &self.flight
    }

    /// Whether this is one of them.
    pub fn holds(&self, token: &Secret) -> bool {
        self.all().iter().any(|live| live.token.expose() == token.expose())
    }

    /// Waits for the response to a login that was sent, so that its token can be revoked too.
    fn wait_for_a_login(&self) {
        let mut clock = RealWorld::new();
        while self.flight.is_login() && clock.elapsed() < AT_EXIT {
            clock.sleep(Duration::from_millis(20));
        }
    }

    /// The TTL of the one in place was extended.
    pub fn extended(&self, ttl: Option<Duration>) {
        for live in self.all().iter_mut().filter(|live| live.stored) {
            live.until = ttl.map(|ttl| Instant::now() + ttl);
        }
    }

    /// A login has granted it.
    pub fn granted(&self, granted: &Granted) {
        self.all().push(Live::new(granted, false, true));
    }

    /// It was in place before.
    pub fn reused(&self, granted: &Granted) {
        self.all().push(Live::new(granted, true, false));
    }

    /// It is in place. The one that was there before is left to expire: an application may
    /// still use it.
    pub fn stored(&self, granted: &Granted) {
        let mut all = self.all();
        all.retain(|live| !live.stored && live.token.expose() != granted.token.expose());
        all.push(Live::new(granted, true, true));
    }

    /// Those that are in no place.
    fn unstored(&self) -> Vec<Live> {
        self.all().iter().filter(|live| !live.stored).cloned().collect()
    }

    /// Whether one is in place.
    pub fn is_stored(&self) -> bool {
        self.all().iter().any(|live| live.stored)
    }

    fn forget(&self, token: &Secret) {
        self.all().retain(|live| live.token.expose() != token.expose());
    }

    fn all(&self) -> MutexGuard<'_, Vec<Live>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token that could not be revoked before the exit.
#[derive(Debug)]
pub struct Unrevoked {
    /// Why.
    pub error: Error,
    accessor: String,
}

impl Unrevoked {
    /// What to say: the accessor in any case, since a token can be revoked by it.
    pub fn message(&self, level: Level) -> Message<'_> {
        let more = match &self.error {
            Error::NotRevoked(_) => String::new(),
            _ if self.accessor.is_empty() => "; the Vault token may still be valid".to_owned(),
            _ => format!("; the Vault token may still be valid (accessor \"{}\")", one_line(&self.accessor)),
        };
        self.error.message(level, &more)
    }
}

/// Revokes these tokens before the program exits, in 5 s and with one retry each at most.
/// All are tried; what became of the last one, or the first failure.
fn revoke_at_exit(settings: &Settings, tokens: &[Live]) -> Result<Revoked, Unrevoked> {
    let mut world = RealWorld::new();
    let mut all = Ok(Revoked::Before);
    for (number, live) in tokens.iter().enumerate() {
        let share = (tokens.len() - number) as u32;
        let attempt = |bound: Duration, world: &RealWorld| {
            let left = AT_EXIT.saturating_sub(world.elapsed()) / share;
            let mut login = Login::connect(settings).map_err(|failure| failure.error)?;
            revoke(login.vault(), &live.token, &live.expected(), bound.min(left))
        };
        let mut result = attempt(FIRST_ATTEMPT, &world);
        if result.as_ref().is_err_and(|error| !matches!(error.wait(), Wait::Never | Wait::Change)) {
            world.sleep(PAUSE);
            result = attempt(AT_EXIT, &world);
        }
        let result = result.map_err(|error| Unrevoked { error, accessor: live.accessor.clone() });
        all = all.and(result);
    }
    all
}

/// Revokes what `which` names, and what a login in flight still brings: before the program exits.
pub fn revoke_all(
    settings: &Settings,
    live: &LiveTokens,
    which: impl Fn(&Live) -> bool,
) -> Result<Option<Revoked>, Unrevoked> {
    live.wait_for_a_login();
    let tokens: Vec<Live> = live.all().iter().filter(|live| which(live)).cloned().collect();
    let revoked = revoke_at_exit(settings, &tokens)?;
    Ok((!tokens.is_empty()).then_some(revoked))
}

/// Revokes every token that this process logged in for, before it exits because its command
/// does not run, and removes their files.
pub fn withdraw(settings: &Settings, live: &LiveTokens, say: &dyn Fn(&Message<'_>)) {
    let stored = live.all().iter().any(|live| live.own && live.stored);
    match revoke_all(settings, live, |live| live.own) {
        Ok(_) if stored => {
            if let Err(error) = crate::revoke::remove(settings, None) {
                say(&error.message(Level::Warn, ""));
            }
        }
        Ok(_) => {}
        Err(unrevoked) => say(&unrevoked.message(Level::Warn)),
    }
}

/// Revokes what a login granted and what could not be put in place, and says so.
pub fn discard(settings: &Settings, live: &LiveTokens, say: &dyn Fn(&Message<'_>)) {
    for token in live.unstored() {
        match revoke_at_exit(settings, std::slice::from_ref(&token)) {
            Ok(Revoked::Batch) => {
                let text =
                    "the Vault token could not be used; it is a batch token, which expires and cannot be revoked";
                say(&Message::new(Level::Warn, text));
            }
            Ok(_) if settings.quiet => {}
            Ok(_) => say(&Message::new(Level::Info, "revoked the Vault token that could not be used")),
            Err(unrevoked) => say(&unrevoked.message(Level::Warn)),
        }
        live.forget(&token.token);
    }
}

#[cfg(test)]
#[path = "revocation_tests.rs"]
mod tests;
