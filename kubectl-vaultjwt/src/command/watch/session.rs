//! Keeps the watcher's own token: renewed while that is possible, replaced by a login
//! before it expires, and never revoked. While it is valid, a key rotation of the cluster
//! that the watcher itself logs in from cannot lock it out.

use crate::command::watch::event::{About, Event};
use crate::command::watch::input::{WatchInput, WatchPorts};
use crate::vault::VaultError;
use crate::vault::session::login::LoginMethod;
use shared::lease::{Lease, renew_after};
use shared::refusal::{Refusal, classify};
use std::time::Duration;
use tokio::time::Instant;

/// A renewal that was not answered is retried after this part of the remaining TTL, and not
/// sooner than that many seconds.
const RENEW_AGAIN: (f64, f64) = (0.1, 5.0);
/// First and longest pause between two failed logins. Each refusal of a signature costs Vault a
/// verification by every key on the mount.
const LOGIN_AGAIN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// The run's own token, as far as it is known.
pub struct VaultSession<'a> {
    ports: WatchPorts<'a>,
    input: &'a WatchInput,
    state: State,
    /// Failed logins since the last one that succeeded.
    in_vain: u32,
}

#[derive(Debug)]
enum State {
    /// Not looked at yet, or in doubt since Vault refused it; looked at then.
    Unknown {
        doubted: bool,
        at: Instant,
    },
    Live(Live),
    /// There is none, and none was to be had; tried again then.
    Gone(Instant),
}

#[derive(Clone, Copy, Debug)]
struct Live {
    /// When it ends, where it does.
    ends: Option<Instant>,
    /// When it is to be renewed or replaced.
    act: Option<Instant>,
    /// The longest TTL it had.
    full: Duration,
    renewable: bool,
}

impl Live {
    fn left(self, now: Instant) -> Duration {
        self.ends.map_or(Duration::MAX, |ends| ends.saturating_duration_since(now))
    }
}

/// There is no token to act with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoToken;

/// How an attempt to get a token ended.
enum Got {
    Token,
    /// Vault refused the login, or a file is missing.
    Refused {
        error: String,
        hint: Option<String>,
        signature: bool,
    },
    /// Vault did not serve.
    Unavailable(VaultError),
}

impl<'a> VaultSession<'a> {
    pub fn new(ports: WatchPorts<'a>, input: &'a WatchInput) -> Self {
        Self { ports, input, state: State::Unknown { doubted: false, at: Instant::now() }, in_vain: 0 }
    }

    /// When there is a token to act with at the earliest; `None` if there is.
    pub fn awaited(&self) -> Option<Instant> {
        match self.state {
            State::Unknown { at, .. } | State::Gone(at) => Some(at),
            State::Live(_) => None,
        }
    }

    /// When a valid token must be renewed or replaced; `None` for one that neither ends nor can
    /// be renewed.
    pub fn due(&self) -> Option<Instant> {
        match &self.state {
            State::Live(live) => live.act.into_iter().chain(live.ends).min(),
            State::Unknown { .. } | State::Gone(_) => None,
        }
    }

    /// Vault refused the token: it is looked at before it is used again.
    pub fn invalidate(&mut self) {
        self.state = State::Unknown { doubted: true, at: Instant::now() };
    }

    /// Does what is due, so that there is a token to act with.
    pub async fn keep(&mut self) -> Result<(), NoToken> {
        let now = Instant::now();
        match self.state {
            State::Unknown { at, .. } if now < at => Err(NoToken),
            State::Unknown { doubted, .. } => self.check(doubted).await,
            State::Live(live) if live.ends.is_some_and(|ends| ends <= now) => self.login().await,
            State::Live(live) if live.act.is_some_and(|act| act <= now) => {
                self.renew(live).await;
                Ok(())
            }
            State::Live(_) => Ok(()),
            State::Gone(again) if now < again => Err(NoToken),
            State::Gone(_) => self.login().await,
        }
    }

    async fn check(&mut self, doubted: bool) -> Result<(), NoToken> {
        if self.ports.token.held().is_none() {
            return self.login().await;
        }
        match self.ports.token.look_up().await {
            Ok(lease) => {
                self.became_live(lease, None);
                Ok(())
            }
            Err(VaultError::Refused(refused)) if refused.status == 403 => {
                if doubted {
                    return self.login().await;
                }
                // OpenBao says the same of a token that may not look at
                // itself and of one that is gone. The first read will tell.
                self.became_live(Lease { ttl: None, renewable: false }, None);
                Ok(())
            }
            Err(error) => Err(self.unavailable(&error)),
        }
    }

    /// Renews a token, or replaces it where that does not go on.
    async fn renew(&mut self, live: Live) {
        if live.renewable {
            match self.ports.token.renew().await {
                // Less than half of what it once had: its end is near for good.
                Ok(lease) if lease.ttl.is_none_or(|ttl| ttl * 2 >= live.full) => {
                    return self.became_live(lease, Some(live));
                }
                Ok(lease) => self.became_live(Lease { renewable: false, ..lease }, Some(live)),
                Err(VaultError::Refused(refused)) if matches!(refused.status, 400 | 403 | 404) => {}
                Err(error) => {
                    self.ports.reporter.vault_failed(&error);
                    return self.postpone(live);
                }
            }
        }
        let State::Live(live) = self.state else { return };
        let left = live.left(Instant::now());
        match self.get().await {
            Got::Token => {}
            Got::Unavailable(error) => {
                self.ports.reporter.vault_failed(&error);
                self.postpone(Live { renewable: false, ..live });
            }
            Got::Refused { error, hint, .. } => {
                let ends = format!("it ends in {} and cannot be renewed; {error}", shared::duration::short(left));
                self.ports.reporter.failed(About::Token, ends, hint);
                self.postpone(Live { renewable: false, ..live });
            }
        }
    }

    async fn login(&mut self) -> Result<(), NoToken> {
        let (error, hint, signature) = match self.get().await {
            Got::Token => return Ok(()),
            Got::Unavailable(error) => return Err(self.unavailable(&error)),
            Got::Refused { error, hint, signature } => (error, hint, signature),
        };
        let error = format!("there is none that Vault accepts; {error}");
        // The cluster that it logs in from has a new key, and this run is the one that should
        // add it to the mount.
        let hint = if signature { Some(self.input.by_hand.clone()) } else { hint };
        {
            let mut stats = self.ports.reporter.stats.lock();
            stats.locked_out = Some(if signature { self.input.by_hand.clone() } else { String::new() });
            stats.not_ready = Some(error.clone());
            stats.token_expires = None;
        }
        self.ports.reporter.failed(About::Token, error, hint);
        self.state = State::Gone(self.pause(None));
        Err(NoToken)
    }

    /// One attempt: every login in turn, or the token where the operator
    /// keeps one.
    async fn get(&mut self) -> Got {
        if self.input.logins.is_empty() {
            return self.find().await;
        }
        let mut first: Option<Got> = None;
        for (number, login) in self.input.logins.iter().enumerate() {
            let got = self.log_in(login, number > 0).await;
            let next_may_help = match &got {
                Got::Token => return got,
                Got::Refused { .. } => true,
                // One mount can be broken and another one not.
                Got::Unavailable(error) => error.refusal().is_some_and(|refused| refused.status >= 500),
            };
            first.get_or_insert(got);
            if !next_may_help {
                break;
            }
        }
        first.unwrap_or(Got::Token)
    }

    async fn log_in(&mut self, login: &LoginMethod, fallback: bool) -> Got {
        let refused = |error: String, hint, signature| Got::Refused {
            error: format!("could not log in with {login}: {error}"),
            hint,
            signature,
        };
        let credentials = match self.ports.login_files.credentials(login) {
            Ok(credentials) => credentials,
            Err(none) => return refused(none.text, none.hint, false),
        };
        match self.ports.token.log_in(&credentials).await {
            Ok(lease) => {
                let ttl = lease.ttl.map(|ttl| ttl.as_secs());
                self.ports.reporter.tell(&Event::LoggedIn { with: login.to_string(), fallback, ttl });
                self.became_live(lease, None);
                Got::Token
            }
            Err(VaultError::Refused(no)) => match classify(no.status, &no.errors) {
                Refusal::Unavailable => Got::Unavailable(VaultError::Refused(no)),
                class => {
                    let error = VaultError::Refused(no);
                    refused(error.to_string(), error.hint(), class == Refusal::Signature)
                }
            },
            Err(error) => Got::Unavailable(error),
        }
    }

    /// Looks for a newer token where the operator keeps one: it may have been replaced there.
    async fn find(&mut self) -> Got {
        let refused = |error: String, hint| Got::Refused { error, hint, signature: false };
        let token = match self.ports.login_files.token().await {
            Ok(token) => token,
            Err(none) => return refused(none.text, none.hint),
        };
        let held = self.ports.token.held();
        if held.as_ref() == Some(&token) {
            let hint = "give it one that can be renewed, or let it log in by itself: --auth-role";
            return refused("there is no other Vault token where this one came from".to_owned(), Some(hint.to_owned()));
        }
        self.ports.token.hold(Some(token));
        match self.ports.token.look_up().await {
            Ok(lease) => {
                self.ports.reporter.tell(&Event::TokenFound);
                self.became_live(lease, None);
                Got::Token
            }
            Err(error) => {
                // The one before may live still.
                self.ports.token.hold(held);
                match error {
                    VaultError::Refused(no) if no.status == 403 => {
                        let error = VaultError::Refused(no);
                        refused(error.to_string(), error.hint())
                    }
                    error => Got::Unavailable(error),
                }
            }
        }
    }

    /// There is a token; `before` is the same one, before it was renewed.
    fn became_live(&mut self, lease: Lease, before: Option<Live>) {
        let now = Instant::now();
        let known = before.map_or(Duration::ZERO, |before| before.full);
        let ends = lease.ttl.map(|ttl| now + ttl);
        let act = lease.ttl.map(|ttl| now + renew_after(ttl, rand::random()));
        let full = lease.ttl.unwrap_or_default().max(known);
        self.state = State::Live(Live { ends, act, full, renewable: lease.renewable });
        self.in_vain = 0;
        let mut stats = self.ports.reporter.stats.lock();
        (stats.token_expires, stats.locked_out) = (ends, None);
        drop(stats);
        self.ports.reporter.recovered(&About::Token);
    }

    /// Does what is due a little later: the token still lives.
    fn postpone(&mut self, live: Live) {
        let now = Instant::now();
        let (part, least) = RENEW_AGAIN;
        let pause = Duration::from_secs_f64((live.left(now).as_secs_f64() * part).clamp(least, 300.0));
        self.state = State::Live(Live { act: Some(now + pause), ..live });
    }

    /// Vault did not serve.
    fn unavailable(&mut self, error: &VaultError) -> NoToken {
        self.ports.reporter.vault_did_not_serve(error);
        self.ports.reporter.vault_failed(error);
        let at = self.pause(error.refusal().and_then(|refused| refused.retry_after));
        self.state = match self.state {
            State::Unknown { doubted, .. } => State::Unknown { doubted, at },
            State::Live(_) | State::Gone(_) => State::Gone(at),
        };
        NoToken
    }

    fn pause(&mut self, retry_after: Option<Duration>) -> Instant {
        let (first, longest) = LOGIN_AGAIN;
        let most = first.saturating_mul(1 << self.in_vain.min(8)).min(longest);
        self.in_vain = self.in_vain.saturating_add(1);
        // Full jitter, but for the second in which nothing can have changed.
        let pause = most.mul_f64(rand::random_range(0.5..=1.0)).max(retry_after.unwrap_or_default());
        Instant::now() + pause
    }
}
