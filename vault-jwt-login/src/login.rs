//! The `login` command: checks that the token can be stored, logs in, and stores
//! the token. What cannot be stored or handed over is revoked.

use crate::connection::flight::Flight;
use crate::error::{Error, Failure, about};
use crate::info;
use crate::jwt_file;
use crate::log::{Level, Message};
use crate::proxy;
use crate::random;
use crate::retry::{self, Pause, World};
use crate::revocation::{self, Expected, LiveTokens, Revoked, discard};
use crate::settings::Settings;
use crate::signals::End;
use crate::tls::{Tls, TlsError};
use crate::token_file::{INFO, TOKEN, TokenFile, TokenFileError};
use crate::vault::{Granted, Target, Vault};
use shared::duration;
use shared::text::one_line;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use ureq::Proxy;

/// What logins need, seen to be there.
pub struct Login<'a> {
    settings: &'a Settings,
    live: Option<&'a LiveTokens>,
    flight: Flight,
    proxy: Option<Proxy>,
    vault: Vault,
    /// Whether `vault` was made for a connection that has been.
    used: bool,
    token_file: Option<TokenFile>,
    info_file: Option<TokenFile>,
}

impl<'a> Login<'a> {
    /// Reads the certificates, looks for the command, and checks that the
    /// files can be written. `end` keeps signals out of the moments in which
    /// there is a temporary file. Granted tokens are noted in `live`.
    pub fn prepare(settings: &'a Settings, end: &End, live: &'a LiveTokens) -> Result<Self, Failure> {
        let login = Self::over(settings, live.flight().clone())?;
        if let Some(command) = &settings.command {
            command.find()?;
        }
        let prepare = |what, path: &Option<PathBuf>| {
            path.as_ref().map(|path| TokenFile::prepare(what, path, settings.rights)).transpose()
        };
        let (token_file, info_file) = end.undisturbed(|| {
            let token_file = prepare(TOKEN, &settings.token_file)?;
            // Both are staged before one is put in place: there has to be room for both.
            let room = token_file.as_ref().map(TokenFile::trial).transpose()?;
            let info_file = prepare(INFO, &settings.info_file)?;
            drop(room);
            Ok::<_, Failure>((token_file, info_file))
        })?;
        Ok(Self { token_file, info_file, live: Some(live), ..login })
    }

    /// The same for requests alone: without files.
    pub fn connect(settings: &'a Settings) -> Result<Self, Failure> {
        Self::over(settings, Flight::default())
    }

    fn over(settings: &'a Settings, flight: Flight) -> Result<Self, Failure> {
        let tls = trust(settings)?;
        let proxy = settings.proxy.as_ref().map(proxy::usable).transpose()?;
        let vault = Vault::new(settings.target.clone(), tls, settings.request_timeout, proxy.clone(), flight.clone());
        Ok(Self { settings, live: None, flight, proxy, vault, used: false, token_file: None, info_file: None })
    }

    /// A client for the next connection. The files of an authority that
    /// changes are read for each, like the JWT. Where one is just being
    /// written, what was read before stands.
    pub fn vault(&mut self) -> &Vault {
        if self.used
            && let Ok(tls) = trust(self.settings)
        {
            let Settings { target, request_timeout, .. } = self.settings;
            self.vault = Vault::new(target.clone(), tls, *request_timeout, self.proxy.clone(), self.flight.clone());
        }
        self.used = true;
        &self.vault
    }

    /// One attempt, within `left`.
    pub fn attempt(&mut self, left: Duration) -> Result<Granted, Error> {
        let jwt = jwt_file::read(&self.settings.jwt_file)?;
        let (started, live) = (Instant::now(), self.live);
        let granted = self.vault().login(&jwt, left, |granted| live.map_or((), |live| live.granted(granted)))?;
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
    pub fn remove_leftovers(&mut self, talk: &mut dyn FnMut(&Message<'_>)) {
        let Some(file) = self.token_file.take() else { return };
        let clock = RealWorld::new();
        for (name, token) in file.leftovers() {
            let path = file.beside(name).display().to_string();
            if self.live.is_some_and(|live| live.holds(&token)) {
                file.remove_leftover(name);
                continue;
            }
            let left = LEFTOVERS.saturating_sub(clock.elapsed());
            if left.is_zero() {
                break;
            }
            match revocation::revoke(self.vault(), &token, &Expected::default(), left) {
                Ok(Revoked::Now) => {
                    let text = format!("revoked the Vault token in \"{path}\", which an interrupted run left behind");
                    talk(&Message::new(Level::Info, text));
                }
                Ok(Revoked::Before | Revoked::Batch) => {}
                Err(error) => {
                    talk(&error.message(Level::Warn, &format!("; the file \"{path}\" of an interrupted run is kept")));
                    continue;
                }
            }
            file.remove_leftover(name);
        }
        self.token_file = Some(file);
    }

    /// Puts the token in place again where somebody removed its file: whether
    /// that was so.
    pub fn put_again(&self, granted: &Granted) -> Result<bool, TokenFileError> {
        match &self.token_file {
            Some(file) if file.is_missing() => file.write(&granted.token).map(|()| true),
            _ => Ok(false),
        }
    }

    /// Puts what is said about the token in place.
    pub fn put_info(&self, granted: &Granted) -> Result<(), TokenFileError> {
        let text = |file: &TokenFile| file.write_text(&info::text(&self.settings.target, granted, clock()));
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

fn trust(settings: &Settings) -> Result<Option<Tls>, TlsError> {
    settings.target.address.is_https().then(|| Tls::new(&settings.tls)).transpose()
}

/// Logs in once. `say` gets what happens on the way.
pub fn run(settings: &Settings, end: &End, live: &LiveTokens, say: &dyn Fn(&Message<'_>)) -> Result<Granted, Failure> {
    let (mut talk, mut login) = (talk(settings, say), Login::prepare(settings, end, live)?);
    let granted = first(settings, &mut login, &mut talk, settings.timeout)?;
    if let Err(error) = end.finally(|| login.put(&granted)) {
        discard(settings, live, say);
        return Err(error.into());
    }
    live.stored(&granted);
    talk(&Message::new(Level::Info, success(&settings.target, &granted, settings)));
    login.remove_leftovers(&mut talk);
    Ok(granted)
}

/// What is told where `--quiet` was not asked for.
pub fn talk<'a>(settings: &Settings, say: &'a dyn Fn(&Message<'_>)) -> impl FnMut(&Message<'_>) + use<'a> {
    let quiet = settings.quiet;
    move |message: &Message<'_>| {
        if !quiet {
            say(message);
        }
    }
}

/// Warns of what is risky, waits at random where asked to, and logs in as
/// often as it takes within `timeout`.
pub fn first(
    settings: &Settings,
    login: &mut Login<'_>,
    talk: &mut dyn FnMut(&Message<'_>),
    timeout: Duration,
) -> Result<Granted, Failure> {
    let mut world = RealWorld::new();
    warn(settings, talk);
    if let Some(splay) = settings.splay {
        // Less where a lookup has taken most of the time.
        let wait = world.between(Duration::ZERO, splay.saturating_sub(settings.timeout.saturating_sub(timeout)));
        talk(&Message::new(Level::Info, format!("waiting {} before the login (--splay)", about(wait))));
        world.sleep(wait);
    }
    let attempt = |left| login.attempt(left);
    Ok(retry::until_done(timeout, &mut world, attempt, Error::wait, once(talk))?)
}

/// Tells each failure once: an outage of a minute is one line, not ten. A wait that the
/// server asked for is named: it can be long.
pub fn once(talk: &mut dyn FnMut(&Message<'_>)) -> impl FnMut(&Error, Pause) {
    let mut told = None;
    move |error, Pause { wait, left, asked }| {
        let text = Some((error.to_string(), asked));
        if text != told {
            let then = match asked {
                Some(after) => format!("; retrying in {} (Retry-After: {})", about(wait), about(after)),
                None => format!("; retrying for {}", about(left)),
            };
            talk(&error.message(Level::Warn, &then));
            told = text;
        }
    }
}

fn warn(settings: &Settings, talk: &mut dyn FnMut(&Message<'_>)) {
    let mut warning = |text: String, hint: &str| talk(&Message::new(Level::Warn, text).hint(hint.to_owned()));
    if let Some(right) = settings.rights.mode.right_of_others().filter(|_| settings.token_file.is_some()) {
        warning(
            format!("mode {} lets every user of the pod {right} the Vault token", settings.rights.mode),
            "use mode 0640, and securityContext.fsGroup of the pod for those who share the token",
        );
    }
    if settings.jwt_file == Path::new(jwt_file::STANDARD) {
        warning(
            "the standard service account token is a credential for the API server, and Vault gets to see it"
                .to_owned(),
            "project a token with an audience of its own (serviceAccountToken), and name it with --jwt-file",
        );
    }
    if settings.tls.skip_verify && settings.target.address.is_https() {
        warning(
            format!(
                "whoever answers at \"{}\" gets the token: its certificate is not verified",
                settings.target.address
            ),
            "give the PEM certificate of Vault's CA with --vault-ca-cert or VAULT_CACERT",
        );
    }
}

/// The TTL of a token, in words.
pub fn lease(lasts: Option<Duration>) -> String {
    lasts.map_or_else(|| "without expiry".to_owned(), |lasts| format!("lease {}", duration::short(lasts)))
}

/// The line about a login that was granted.
pub fn success(target: &Target, granted: &Granted, settings: &Settings) -> String {
    let role = match target.role.as_ref().or(granted.role.as_ref()) {
        Some(role) => format!("role \"{}\"", one_line(role)),
        None => "the mount's default role".to_owned(),
    };
    let lease = lease(granted.lease);
    let mut goes = Vec::new();
    goes.extend(settings.token_file.as_ref().map(|file| format!("in \"{}\"", file.display())));
    goes.extend(
        settings
            .command
            .as_ref()
            .filter(|command| command.environment)
            .map(|command| format!("for \"{}\"", one_line(&command.program.to_string_lossy()))),
    );
    format!("logged in to {} as {role}: token {}, {lease}", target.address, goes.join(" and "))
}

/// The local clock, in seconds since the epoch.
pub fn clock() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}

/// The clock of this machine, since the run began.
pub struct RealWorld {
    start: Instant,
}

impl RealWorld {
    /// A run that begins now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for RealWorld {
    fn default() -> Self {
        Self::new()
    }
}

impl World for RealWorld {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    fn between(&mut self, low: Duration, high: Duration) -> Duration {
        random::between(low, high)
    }
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
