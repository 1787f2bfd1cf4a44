//! What the commands say: success, retries, and warnings.

use crate::cli::settings::Settings;
use crate::command::error::Error;
use crate::files::jwt_file;
use crate::lease::retry::RetryDelay;
use crate::log::{Level, Message};
use crate::vault::login_response::Granted;
use shared::duration::{self, about};
use shared::text::one_line;
use std::path::Path;
use std::time::Duration;

pub fn unless_quiet<'a>(settings: &Settings, say: &'a dyn Fn(&Message<'_>)) -> impl FnMut(&Message<'_>) + use<'a> {
    let quiet = settings.quiet;
    move |message: &Message<'_>| {
        if !quiet {
            say(message);
        }
    }
}

/// Tells each failure once: an outage of a minute is one line, not ten. A wait that the
/// server asked for is named: it can be long.
pub fn once_per_text(tell: &mut dyn FnMut(&Message<'_>)) -> impl FnMut(&Error, RetryDelay) {
    let mut told = None;
    move |error, RetryDelay { wait, left, asked }| {
        let text = Some((error.to_string(), asked));
        if text != told {
            let then = match asked {
                Some(after) => format!("; retrying in {} (Retry-After: {})", about(wait), about(after)),
                None => format!("; retrying for {}", about(left)),
            };
            tell(&error.message(Level::Warn, &then));
            told = text;
        }
    }
}

pub fn warn(settings: &Settings, tell: &mut dyn FnMut(&Message<'_>)) {
    let mut warning = |text: String, hint: &str| tell(&Message::warn(text).hint(hint.to_owned()));
    if let Some(right) = settings.permissions.mode.right_of_others().filter(|_| settings.token_file.is_some()) {
        warning(
            format!("mode {} lets every user of the pod {right} the Vault token", settings.permissions.mode),
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

pub fn lease_text(ttl: Option<Duration>) -> String {
    ttl.map_or_else(|| "without expiry".to_owned(), |ttl| format!("lease {}", duration::short(ttl)))
}

pub fn login_text(settings: &Settings, granted: &Granted) -> String {
    let role = match settings.target.role.as_ref().or(granted.role.as_ref()) {
        Some(role) => format!("role \"{}\"", one_line(role)),
        None => "the mount's default role".to_owned(),
    };
    let lease = lease_text(granted.lease);
    let mut goes = Vec::new();
    goes.extend(settings.token_file.as_ref().map(|file| format!("in \"{}\"", file.display())));
    goes.extend(
        settings
            .command
            .as_ref()
            .filter(|command| command.environment)
            .map(|command| format!("for \"{}\"", one_line(&command.program.to_string_lossy()))),
    );
    format!("logged in to {} as {role}: token {}, {lease}", settings.target.address, goes.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::arguments::{self, Invocation};
    use std::ffi::OsString;

    #[test]
    fn no_lease_and_no_role_have_words() {
        let Ok(Invocation::Login(settings)) = arguments::parse(Vec::new(), |_| None) else { panic!() };
        let mut granted = Granted {
            token: shared::Secret::new("t"),
            lease: None,
            role: None,
            accessor: String::new(),
            policies: Vec::new(),
            renewable: false,
            uses: 0,
        };
        let line = |granted: &Granted| login_text(&settings, granted);
        assert_eq!(
            line(&granted),
            "logged in to https://127.0.0.1:8200 as the mount's default role: token in \"/vault/token\", without expiry"
        );
        granted.role = Some("app".into());
        assert!(line(&granted).contains("as role \"app\":"));
        for (arguments, goes) in [
            (&["--", "sh", "-c"][..], "token for \"sh\", without expiry"),
            (&["--token-file=/t", "--", "sh"], "token in \"/t\" and for \"sh\", without expiry"),
            (&["--no-env", "--", "sh"], "token in \"/vault/token\", without expiry"),
        ] {
            let Ok(Invocation::Login(settings)) = arguments::parse(arguments.iter().map(OsString::from), |_| None)
            else {
                panic!()
            };
            assert!(login_text(&settings, &granted).ends_with(goes));
        }
    }
}
