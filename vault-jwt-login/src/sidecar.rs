//! Owns `--watch` and `--renew`: a token that an init container left is taken
//! over, or there is a login; from then on it is kept in use until a signal.

use crate::answer::Granted;
use crate::error::{Error, Failure};
use crate::found;
use crate::held::{Held, foreign};
use crate::keep::{Keeper, keep};
use crate::log::{Level, Message};
use crate::login::{Login, RealWorld, first, lease, once, success, talk};
use crate::retry::until_done;
use crate::settings::Settings;
use crate::signals::End;
use crate::token::{Known, Lease};
use shared::Secret;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Bound on one attempt. The request's own (`VAULT_CLIENT_TIMEOUT`) is usually shorter.
const ATTEMPT: Duration = Duration::from_secs(60);
/// Bound on a last request when a signal ends the program.
const FAREWELL: Duration = Duration::from_millis(800);

/// The token in use, for whoever ends the program.
#[derive(Debug, Default)]
pub struct Current(Mutex<Option<Secret>>);

impl Current {
    fn set(&self, token: &Secret) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
    }

    fn get(&self) -> Option<Secret> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A login whose token stays in use.
pub struct Sidecar<'a> {
    login: Login<'a>,
    settings: &'a Settings,
    end: &'a End,
    current: &'a Current,
    say: &'a dyn Fn(&Message<'_>),
    /// The token, as it is told of in the info file.
    granted: Granted,
}

impl<'a> Sidecar<'a> {
    /// Takes a token over, or logs in. It fails as a login does: who starts
    /// the program starts it again.
    pub fn start(
        settings: &'a Settings,
        end: &'a End,
        current: &'a Current,
        say: &'a dyn Fn(&Message<'_>),
    ) -> Result<Self, Failure> {
        let mut login = Login::prepare(settings, end)?;
        let mut talk = talk(settings, say);
        let Some(granted) = taken_over(settings, &mut login, &mut talk)? else {
            let granted = first(settings, &mut login, &mut talk)?;
            let mut sidecar = Self { login, settings, end, current, say, granted: granted.clone() };
            sidecar.place(&granted)?;
            return Ok(sidecar);
        };
        current.set(&granted.token);
        end.undisturbed(|| login.put_info(&granted))?;
        let lease = lease(granted.lease);
        talk(&Message::new(Level::Info, format!("took over the token that was there: {lease}")));
        Ok(Self { login, settings, end, current, say, granted })
    }

    /// Puts a token in place, and says so.
    fn place(&mut self, granted: &Granted) -> Result<(), Error> {
        self.end.undisturbed(|| {
            // First, so that a signal from now on revokes it.
            self.current.set(&granted.token);
            self.login.put(granted)
        })?;
        self.granted = granted.clone();
        self.say(&Message::new(Level::Info, success(&self.settings.target, granted, self.settings)));
        Ok(())
    }

    /// The token that it began with.
    pub fn token(&self) -> &Secret {
        &self.granted.token
    }

    /// Keeps it in use, for ever.
    pub fn run(mut self) {
        let held = Held::new(self.granted.token.clone(), self.granted.lease(), Duration::ZERO);
        keep(&mut RealWorld::new(), &mut self, held);
    }
}

impl Keeper for Sidecar<'_> {
    fn renew(&mut self, token: &Secret) -> Result<Lease, Error> {
        Ok(self.login.vault().renew(token, ATTEMPT)?)
    }

    fn log_in(&mut self) -> Result<Granted, Error> {
        self.login.attempt(ATTEMPT)
    }

    fn put(&mut self, granted: &Granted) -> Result<(), Error> {
        self.place(granted)?;
        if self.settings.command.as_ref().is_some_and(|command| command.environment) {
            let text = "the command keeps the token it began with, whose time is over soon";
            let hint =
                "give the role a longer token_max_ttl, or a token_period; or let the command read a --token-file";
            self.say(&Message::new(Level::Warn, text).hint(hint.to_owned()));
        }
        Ok(())
    }

    fn extended(&mut self, lease: Lease) {
        (self.granted.lease, self.granted.renewable) = (lease.lasts, lease.renewable);
        let written = self.end.undisturbed(|| {
            self.login.put_info(&self.granted)?;
            self.login.put_again(&self.granted)
        });
        self.say(&Message::new(Level::Info, format!("renewed: {}", self::lease(lease.lasts))));
        match (written, &self.settings.token_file) {
            (Err(error), _) => self.say(&Error::from(error).message(Level::Warn, "")),
            (Ok(true), Some(path)) => {
                let text = format!("the token file \"{}\" was gone; written again", path.display());
                self.say(&Message::new(Level::Warn, text));
            }
            (Ok(_), _) => {}
        }
    }

    fn say(&mut self, message: &Message<'_>) {
        if !self.settings.quiet || message.level != Level::Info {
            (self.say)(message);
        }
    }
}

/// The token in the file, if it is one that our own login can have left there
/// and that a new one would give again.
fn taken_over(
    settings: &Settings,
    login: &mut Login<'_>,
    talk: &mut impl FnMut(&Message<'_>),
) -> Result<Option<Granted>, Failure> {
    let Some(path) = &settings.token_file else { return Ok(None) };
    let token = match found::own(path) {
        Ok(Ok(token)) => token,
        Ok(Err(why)) => return Ok(left(path, why, talk)),
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => {
            talk(&Message::new(Level::Warn, format!("{error}; logging in")));
            return Ok(None);
        }
    };
    let look_up = |time| login.vault().look_up(&token, time).map_err(Error::from);
    let known = match until_done(settings.timeout, &mut RealWorld::new(), look_up, Error::wait, once(talk)) {
        Ok(known) => known,
        // It is over, or was never one.
        Err(end) if end.last.exit_code() == 77 => {
            return Ok(left(path, "Vault does not know it, or does not let it look at itself", talk));
        }
        Err(end) => return Err(end.into()),
    };
    if let Some(why) = foreign(&known, &settings.target) {
        return Ok(left(path, &why, talk));
    }
    let Known { lease, role, accessor, policies, .. } = known;
    Ok(Some(Granted { token, lease: lease.lasts, role, accessor, policies, renewable: lease.renewable }))
}

/// A token that is not taken over.
fn left(path: &Path, why: &str, talk: &mut impl FnMut(&Message<'_>)) -> Option<Granted> {
    let path = path.display();
    talk(&Message::new(Level::Warn, format!("the token in \"{path}\" is not taken over: {why}; logging in")));
    None
}

/// What a signal comes to: the exit code. The token in use is revoked and its
/// files are removed where that was asked for.
pub fn farewell(settings: &Settings, current: &Current, name: &str, say: &dyn Fn(&Message<'_>)) -> Option<u8> {
    let token = current.get()?;
    if !settings.revoke_on_exit {
        say(&Message::new(Level::Info, format!("ended by {name}")));
        return Some(0);
    }
    let code = match crate::revoke::revoke(settings, &token, FAREWELL) {
        Ok(()) => {
            say(&Message::new(Level::Info, format!("ended by {name}: the Vault token is revoked")));
            0
        }
        Err(failure) => {
            say(&failure.error.message(Level::Error, ""));
            failure.error.exit_code()
        }
    };
    Some(code)
}
