//! `--watch` and `--renew`: reuses the token in the file or logs in, and keeps
//! the token valid until a signal.

use crate::answer::Granted;
use crate::error::{Error, Failure};
use crate::held::Held;
use crate::keep::{Keeper, keep};
use crate::log::{Level, Message};
use crate::login::{Login, RealWorld, first, lease, success, talk};
use crate::retry::World as _;
use crate::revocation::{LiveTokens, Revoked, discard, revoke_all};
use crate::settings::Settings;
use crate::signals::End;
use crate::takeover::taken_over;
use crate::token::Lease;
use shared::Secret;
use std::time::Duration;

/// A login whose token stays in use.
pub struct Sidecar<'a> {
    login: Login<'a>,
    settings: &'a Settings,
    end: &'a End,
    live: &'a LiveTokens,
    say: &'a dyn Fn(&Message<'_>),
    /// The token, as the info file has it.
    granted: Granted,
    /// Since when it has its TTL.
    clock: RealWorld,
}

impl<'a> Sidecar<'a> {
    /// Reuses a token, or logs in. It fails as a login does: the kubelet
    /// restarts the program.
    pub fn start(
        settings: &'a Settings,
        end: &'a End,
        live: &'a LiveTokens,
        say: &'a dyn Fn(&Message<'_>),
    ) -> Result<Self, Failure> {
        let mut login = Login::prepare(settings, end, live)?;
        let (mut talk, clock) = (talk(settings, say), RealWorld::new());
        if let Some(granted) = taken_over(settings, &mut login, &mut talk)? {
            let clock = RealWorld::new();
            live.reused(&granted);
            end.undisturbed(|| login.put_info(&granted))?;
            let lease = lease(granted.lease);
            talk(&Message::new(Level::Info, format!("reusing the existing token: {lease}")));
            login.remove_leftovers(&mut talk);
            return Ok(Self { login, settings, end, live, say, granted, clock });
        }
        let left = settings.timeout.saturating_sub(clock.elapsed());
        let granted = first(settings, &mut login, &mut talk, left)?;
        if granted.uses != 0 {
            let uses = if granted.uses == 1 { "1 use".to_owned() } else { format!("{} uses", granted.uses) };
            let text = format!("the token is limited to {uses} (token_num_uses of the role)");
            let hint = "a new token replaces it before it expires; it is not renewed, since a renewal is a use";
            talk(&Message::new(Level::Warn, text).hint(hint.to_owned()));
        }
        let clock = RealWorld::new();
        let mut sidecar = Self { login, settings, end, live, say, granted: granted.clone(), clock };
        if let Err(error) = sidecar.place(&granted) {
            end.finally(|| discard(settings, live, say));
            return Err(error.into());
        }
        sidecar.login.remove_leftovers(&mut talk);
        Ok(sidecar)
    }

    /// Puts a token in place, and says so.
    fn place(&mut self, granted: &Granted) -> Result<(), Error> {
        self.end.undisturbed(|| {
            self.login.put(granted)?;
            self.live.stored(granted);
            Ok::<_, Error>(())
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
        let mut clock = std::mem::take(&mut self.clock);
        keep(&mut clock, &mut self, held);
    }
}

impl Keeper for Sidecar<'_> {
    fn renew(&mut self, token: &Secret, time_left: Duration) -> Result<Lease, Error> {
        Ok(self.login.vault().renew(token, time_left)?)
    }

    fn log_in(&mut self) -> Result<Granted, Error> {
        self.login.attempt(self.settings.timeout)
    }

    fn discard(&mut self, _: &Granted) {
        discard(self.settings, self.live, self.say);
    }

    fn put(&mut self, granted: &Granted) -> Result<(), Error> {
        self.place(granted)?;
        if self.settings.command.as_ref().is_some_and(|command| command.environment) {
            let text = "the command still uses its first token, which expires soon";
            let hint =
                "give the role a longer token_max_ttl, or a token_period; or let the command read a --token-file";
            self.say(&Message::new(Level::Warn, text).hint(hint.to_owned()));
        }
        Ok(())
    }

    fn extended(&mut self, lease: Lease) {
        (self.granted.lease, self.granted.renewable) = (lease.lasts, lease.renewable);
        self.live.extended(lease.lasts);
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

/// What a signal does, and the exit code: the token in use is revoked and its files are
/// removed where that was asked for. A token that is not in place yet is revoked in any
/// case. `None` where no token is in place.
pub fn farewell(settings: &Settings, live: &LiveTokens, name: &str, say: &dyn Fn(&Message<'_>)) -> Option<u8> {
    let stored = live.is_stored();
    let revoked = revoke_all(settings, live, |live| settings.revoke_on_exit || !live.stored);
    let talk = |text: String| {
        if !settings.quiet {
            say(&Message::new(Level::Info, text));
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
            if let Err(error) = crate::revoke::remove(settings, None) {
                say(&error.message(Level::Error, ""));
                return Some(error.exit_code());
            }
            talk(match revoked {
                Some(Revoked::Batch) => {
                    format!("ended by {name}: the Vault token is a batch token, which expires and cannot be revoked")
                }
                _ => format!("ended by {name}: the Vault token is revoked"),
            });
            return Some(0);
        }
        (Ok(_), false) => {}
    }
    if stored {
        talk(format!("ended by {name}"));
    }
    stored.then_some(0)
}
