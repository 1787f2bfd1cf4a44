//! `vault-jwt-login`: a service account token goes in, a file with a Vault token comes out.

mod address;
mod cli;
mod connector;
mod error;
mod facts;
mod handshake;
mod jwt_file;
mod login;
#[cfg(test)]
mod peer;
mod place;
mod random;
mod refused;
mod retry;
mod signals;
mod tls;
mod token_file;
mod vault;

use error::Failure;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let environment = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    match cli::parse(std::env::args_os().skip(1), environment) {
        Ok(cli::Command::Login(settings)) => signals::watch(say, |end| {
            let done = login::run(&settings, end, say);
            done.map_or_else(|failure| end.finally(|| failed(&failure)), |()| ExitCode::SUCCESS)
        }),
        Ok(cli::Command::Print(text)) => {
            drop(std::io::stdout().write_all(text.as_bytes()));
            ExitCode::SUCCESS
        }
        Err(error) => failed(&Failure::from(error)),
    }
}

/// Whole lines to stderr. Not the print macros: they panic when nobody
/// listens, and a login must not end for that.
fn say(lines: &str) {
    drop(std::io::stderr().write_all(lines.as_bytes()));
}

fn failed(failure: &Failure) -> ExitCode {
    say(&failure.lines(login::clock()));
    ExitCode::from(failure.error.exit_code())
}
