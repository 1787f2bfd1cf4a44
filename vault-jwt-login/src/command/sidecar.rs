//! `--watch` and `--renew`: reuses the token in the file or logs in, and keeps
//! the token valid until a signal.

use crate::cli::settings::Settings;
use crate::command::error::{Error, Failure};
use crate::command::live_tokens::LiveTokens;
use crate::command::login::{Login, log_in_with_retries};
use crate::command::messages::{lease_text, login_text, unless_quiet};
use crate::command::renew_loop::{self, TokenLifecycle};
use crate::command::reuse_token::reusable_token;
use crate::command::revoke_at_exit::discard;
use crate::lease::renewal_schedule::RenewalSchedule;
use crate::lease::retry::Clock as _;
use crate::log::{Level, Message};
use crate::process::clock::SystemClock;
use crate::process::signals::SignalGate;
use crate::vault::login_response::Granted;
use shared::Secret;
use shared::lease::Lease;
use std::time::Duration;

pub struct Sidecar<'a> {
    login: Login<'a>,
    settings: &'a Settings,
    gate: &'a SignalGate,
    live: &'a LiveTokens,
    say: &'a dyn Fn(&Message<'_>),
    /// The token, as the info file has it.
    granted: Granted,
    clock: SystemClock,
}

impl<'a> Sidecar<'a> {
    /// Reuses a token, or logs in. It fails as a login does: the kubelet
    /// restarts the program.
    pub fn start(
        settings: &'a Settings,
        gate: &'a SignalGate,
        live: &'a LiveTokens,
        say: &'a dyn Fn(&Message<'_>),
    ) -> Result<Self, Failure> {
        let mut login = Login::prepare(settings, gate, live)?;
        let (mut tell, clock) = (unless_quiet(settings, say), SystemClock::start());
        if let Some(granted) = reusable_token(settings, &mut login, &mut tell)? {
            let clock = SystemClock::start();
            live.reused(&granted);
            gate.undisturbed(|| login.put_info(&granted))?;
            let lease = lease_text(granted.lease);
            tell(&Message::info(format!("reusing the existing token: {lease}")));
            login.remove_leftovers(&mut tell);
            return Ok(Self { login, settings, gate, live, say, granted, clock });
        }
        let left = settings.timeout.saturating_sub(clock.elapsed());
        let granted = log_in_with_retries(settings, &mut login, &mut tell, left)?;
        if granted.uses != 0 {
            let uses = if granted.uses == 1 { "1 use".to_owned() } else { format!("{} uses", granted.uses) };
            let text = format!("the token is limited to {uses} (token_num_uses of the role)");
            let hint = "a new token replaces it before it expires; it is not renewed, since a renewal is a use";
            tell(&Message::warn(text).hint(hint.to_owned()));
        }
        let clock = SystemClock::start();
        let mut sidecar = Self { login, settings, gate, live, say, granted: granted.clone(), clock };
        if let Err(error) = sidecar.store(&granted) {
            gate.finally(|| discard(settings, live, say));
            return Err(error.into());
        }
        sidecar.login.remove_leftovers(&mut tell);
        Ok(sidecar)
    }

    fn store(&mut self, granted: &Granted) -> Result<(), Error> {
        self.gate.undisturbed(|| {
            self.login.put(granted)?;
            self.live.stored(granted);
            Ok::<_, Error>(())
        })?;
        self.granted = granted.clone();
        self.say(&Message::info(login_text(self.settings, granted)));
        Ok(())
    }

    pub fn token(&self) -> &Secret {
        &self.granted.token
    }

    pub fn run(mut self) {
        let schedule = RenewalSchedule::new(self.granted.token.clone(), self.granted.lease(), Duration::ZERO);
        let mut clock = self.clock;
        renew_loop::run(&mut clock, &mut self, schedule);
    }
}

impl TokenLifecycle for Sidecar<'_> {
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
        self.store(granted)?;
        if self.settings.command.as_ref().is_some_and(|command| command.environment) {
            let text = "the command still uses its first token, which expires soon";
            let hint =
                "give the role a longer token_max_ttl, or a token_period; or let the command read a --token-file";
            self.say(&Message::warn(text).hint(hint.to_owned()));
        }
        Ok(())
    }

    fn extended(&mut self, lease: Lease) {
        (self.granted.lease, self.granted.renewable) = (lease.ttl, lease.renewable);
        self.live.extended(lease.ttl);
        let written = self.gate.undisturbed(|| {
            self.login.put_info(&self.granted)?;
            self.login.put_again(&self.granted)
        });
        self.say(&Message::info(format!("renewed: {}", lease_text(lease.ttl))));
        match (written, &self.settings.token_file) {
            (Err(error), _) => self.say(&Error::from(error).message(Level::Warn, "")),
            (Ok(true), Some(path)) => {
                let text = format!("the token file \"{}\" was gone; written again", path.display());
                self.say(&Message::warn(text));
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
