//! Owns the `login` command: see that the token has a place to go to, log in
//! as often as it takes, put the token there.

use crate::cli::{Settings, UsageError};
use crate::error::{Error, Failure, about};
use crate::jwt_file;
use crate::random;
use crate::retry::{self, World};
use crate::signals::End;
use crate::tls::Tls;
use crate::token_file::TokenFile;
use crate::vault::{Granted, Target, Vault};
use shared::duration;
use shared::text::one_line;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use ureq::{Proxy, ProxyProtocol};

/// Logs in once. `say` gets whole lines for stderr. `end` keeps signals out
/// of the moments in which there is a temporary file.
pub fn run(settings: &Settings, end: &End, mut say: impl FnMut(&str)) -> Result<(), Failure> {
    let mut world = RealWorld { start: Instant::now() };
    let quiet = settings.quiet;
    let mut talk = |lines: &str| {
        if !quiet {
            say(lines);
        }
    };
    let tls = settings.target.address.is_https().then(|| Tls::new(&settings.tls)).transpose()?;
    let proxy = proxy(settings)?;
    let token_file = end.undisturbed(|| TokenFile::prepare(&settings.token_file, settings.mode))?;
    warn(settings, &mut talk);

    let vault = Vault::new(settings.target.clone(), tls, settings.request_timeout, proxy);
    let mut told = String::new();
    let granted = retry::until_done(
        settings.timeout,
        &mut world,
        |left| {
            let jwt = jwt_file::read(&settings.jwt_file)?;
            Ok(vault.login(&jwt, left)?)
        },
        Error::wait,
        |error, left| {
            // Each failure once: an outage of a minute is one line, not ten.
            let text = error.to_string();
            if text != told {
                talk(&error.lines("warning", &format!("; trying again for {}", about(left)), clock()));
                told = text;
            }
        },
    )?;
    end.finally(|| token_file.write(&granted.token))?;
    talk(&success(vault.target(), &granted, &settings.token_file));
    Ok(())
}

fn warn(settings: &Settings, talk: &mut impl FnMut(&str)) {
    if let Some(right) = settings.mode.right_of_others() {
        talk(&format!(
            "warning: mode {} lets every user of the pod {right} the Vault token\n\
             hint: use mode 0640, and securityContext.fsGroup of the pod for those who share the token\n",
            settings.mode
        ));
    }
    if settings.jwt_file == Path::new(jwt_file::STANDARD) {
        talk(
            "warning: the standard service account token is a credential for the API server, and Vault gets to see it\n\
             hint: project a token with an audience of its own (serviceAccountToken), and name it with --jwt-file\n",
        );
    }
    if settings.tls.skip_verify && settings.target.address.is_https() {
        talk(&format!(
            "warning: whoever answers at \"{}\" gets the token: its certificate is not verified\n\
             hint: give the PEM certificate of Vault's CA with --vault-ca-cert or VAULT_CACERT\n",
            settings.target.address
        ));
    }
}

fn success(target: &Target, granted: &Granted, file: &Path) -> String {
    let role = match target.role.as_ref().or(granted.role.as_ref()) {
        Some(role) => format!("role \"{}\"", one_line(role)),
        None => "the mount's default role".to_owned(),
    };
    let lease = match granted.lease {
        Duration::ZERO => "without expiry".to_owned(),
        lease => format!("lease {}", duration::short(lease)),
    };
    format!("logged in to {} as {role}: token in \"{}\", {lease}\n", target.address, file.display())
}

/// `VAULT_PROXY_ADDR`, else the usual variables, which do not count for this
/// machine itself (as in Go's net/http).
fn proxy(settings: &Settings) -> Result<Option<Proxy>, Failure> {
    let bad = |name: &str, why: &str| UsageError::Value { name: name.to_owned(), why: why.to_owned() };
    let (name, proxy) = match &settings.proxy {
        // The address may hold a password: it is not shown.
        Some(address) => (
            "VAULT_PROXY_ADDR",
            Some(Proxy::new(address).map_err(|_| bad("VAULT_PROXY_ADDR", "it is not the URL of an HTTP proxy"))?),
        ),
        None if is_loopback(settings.target.address.host()) => return Ok(None),
        None => ("HTTPS_PROXY", Proxy::try_from_env()),
    };
    match proxy {
        // Without this the client would go past the proxy.
        Some(proxy) if !matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https) => {
            Err(bad(name, "only HTTP proxies are supported, not SOCKS").into())
        }
        proxy => Ok(proxy),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The local clock, in seconds since the epoch.
pub fn clock() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}

struct RealWorld {
    start: Instant,
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
