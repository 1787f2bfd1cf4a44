//! `vault-jwt-login`: logs in to Vault with a service account token, and stores the
//! Vault token in a file.

use std::io::Write;
use std::process::ExitCode;
use vault_jwt_login::cli::arguments::{self, Invocation};
use vault_jwt_login::cli::settings::Settings;
use vault_jwt_login::command::error::Failure;
use vault_jwt_login::command::live_tokens::LiveTokens;
use vault_jwt_login::command::revoke_at_exit::{on_signal, withdraw};
use vault_jwt_login::command::sidecar::Sidecar;
use vault_jwt_login::command::{check, login, revoke, supervisor};
use vault_jwt_login::log::{self, Format, Message};
use vault_jwt_login::process::clock::unix_now;
use vault_jwt_login::process::signals;

fn main() -> ExitCode {
    let environment = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    match arguments::parse(std::env::args_os().skip(1), environment) {
        Ok(Invocation::Login(settings)) => log_in(&settings),
        Ok(Invocation::Renew(settings)) => match &settings.command {
            Some(command) => supervisor::run(&settings, command, &|message| say(&settings, message)),
            None => watch(&settings),
        },
        Ok(Invocation::Check(settings)) => ended(&settings, check::run(&settings, &|message| say(&settings, message))),
        Ok(Invocation::Revoke(settings)) => {
            ended(&settings, revoke::run(&settings, &|message| say(&settings, message)))
        }
        Ok(Invocation::Print(text)) => {
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
    let on_signal = |signal| ended_by(signal, settings, &live);
    let handled = if settings.command.is_some() { signals::not_ignored() } else { signals::ENDING.into() };
    signals::watch(&handled, on_signal, |gate| match (login::run(settings, gate, &live, &say), &settings.command) {
        (Ok(granted), Some(command)) => match gate.late() {
            Some(code) => {
                withdraw(settings, &live, &say);
                code
            }
            None => {
                // Returns only if the program cannot be run; the token is then revoked.
                let error = command.exec(&granted.token);
                withdraw(settings, &live, &say);
                ended(settings, Err(error.into()))
            }
        },
        (Ok(_), None) => ExitCode::SUCCESS,
        (Err(failure), _) => gate.finally(|| ended(settings, Err(failure))),
    })
}

fn watch(settings: &Settings) -> ExitCode {
    let (live, say) = (LiveTokens::default(), |message: &Message<'_>| say(settings, message));
    let on_signal = |signal| ended_by(signal, settings, &live);
    signals::watch(&signals::ENDING, on_signal, |gate| match Sidecar::start(settings, gate, &live, &say) {
        Ok(sidecar) => {
            sidecar.run();
            ExitCode::SUCCESS
        }
        Err(failure) => gate.finally(|| ended(settings, Err(failure))),
    })
}

fn ended_by(signal: i32, settings: &Settings, live: &LiveTokens) -> u8 {
    let say = |message: &Message<'_>| say(settings, message);
    // A token that was granted a moment ago is in no file yet.
    on_signal(settings, live, signals::name(signal), &say).unwrap_or_else(|| {
        say(&signals::before_a_token(signal));
        signals::code(signal)
    })
}

fn say(settings: &Settings, message: &Message<'_>) {
    log::put(&message.shown(settings.log_format, unix_now()));
}

fn ended(settings: &Settings, result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failed(&failure, settings.log_format),
    }
}

fn failed(failure: &Failure, format: Format) -> ExitCode {
    log::put(&failure.message().shown(format, unix_now()));
    ExitCode::from(failure.error.exit_code())
}
