//! `vault-jwt-login`: logs in to Vault with a service account token, and stores the
//! Vault token in a file.

use std::io::Write;
use std::process::ExitCode;
use vault_jwt_login::cli::{self, Command};
use vault_jwt_login::error::Failure;
use vault_jwt_login::log::{self, Format, Message};
use vault_jwt_login::revocation::{LiveTokens, withdraw};
use vault_jwt_login::settings::Settings;
use vault_jwt_login::sidecar::{self, Sidecar};
use vault_jwt_login::{check, login, parent, revoke, signals};

fn main() -> ExitCode {
    let environment = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    match cli::parse(std::env::args_os().skip(1), environment) {
        Ok(Command::Login(settings)) => log_in(&settings),
        Ok(Command::Keep(settings)) => match &settings.command {
            Some(command) => parent::run(&settings, command, &|message| say(&settings, message)),
            None => watch(&settings),
        },
        Ok(Command::Check(settings)) => ended(&settings, check::run(&settings, &|message| say(&settings, message))),
        Ok(Command::Revoke(settings)) => ended(&settings, revoke::run(&settings, &|message| say(&settings, message))),
        Ok(Command::Print(text)) => {
            drop(std::io::stdout().write_all(text.as_bytes()));
            ExitCode::SUCCESS
        }
        // The format may be what could not be read.
        Err(error) => failed(&Failure::from(error), Format::Text),
    }
}

fn log_in(settings: &Settings) -> ExitCode {
    let say = |message: &Message<'_>| say(settings, message);
    let live = LiveTokens::default();
    let farewell = |signal| {
        // What was granted a moment ago is in no file yet.
        sidecar::farewell(settings, &live, signals::name(signal), &say).unwrap_or_else(|| {
            say(&signals::before_a_token(signal));
            signals::code(signal)
        })
    };
    let handled = if settings.command.is_some() { signals::not_ignored() } else { signals::ENDING.into() };
    signals::watch(&handled, farewell, |end| match (login::run(settings, end, &live, &say), &settings.command) {
        (Ok(granted), Some(command)) => match end.late() {
            Some(code) => {
                withdraw(settings, &live, &say);
                code
            }
            None => {
                // Returns only if the program cannot be run; the token is then revoked.
                let error = command.become_it(&granted.token);
                withdraw(settings, &live, &say);
                ended(settings, Err(error.into()))
            }
        },
        (Ok(_), None) => ExitCode::SUCCESS,
        (Err(failure), _) => end.finally(|| ended(settings, Err(failure))),
    })
}

fn watch(settings: &Settings) -> ExitCode {
    let (live, say) = (LiveTokens::default(), |message: &Message<'_>| say(settings, message));
    let farewell = |signal| {
        sidecar::farewell(settings, &live, signals::name(signal), &say).unwrap_or_else(|| {
            say(&signals::before_a_token(signal));
            signals::code(signal)
        })
    };
    signals::watch(&signals::ENDING, farewell, |end| match Sidecar::start(settings, end, &live, &say) {
        Ok(sidecar) => {
            sidecar.run();
            ExitCode::SUCCESS
        }
        Err(failure) => end.finally(|| ended(settings, Err(failure))),
    })
}

fn say(settings: &Settings, message: &Message<'_>) {
    log::put(&message.shown(settings.log_format, login::clock()));
}

fn ended(settings: &Settings, result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(&failure, settings.log_format),
    }
}

fn failed(failure: &Failure, format: Format) -> ExitCode {
    log::put(&failure.message().shown(format, login::clock()));
    ExitCode::from(failure.error.exit_code())
}
