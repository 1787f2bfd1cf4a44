//! Parses the arguments: commands and flags, and which of them go together.

use crate::cli::flags::{self, Flags};
use crate::cli::settings::{Settings, settings};
use crate::cli::usage_error::{UsageError, bad};
use lexopt::{Arg, Parser};
use shared::env;
use shared::text::one_line;
use std::ffi::OsString;

pub const HELP: &str = include_str!("help.txt");
pub const VERSION: &str = concat!("vault-jwt-login ", env!("CARGO_PKG_VERSION"), "\n");

#[derive(Debug, PartialEq, Eq)]
pub enum Invocation {
    Print(&'static str),
    /// Log in once, and become the command where there is one.
    Login(Box<Settings>),
    /// Log in and keep the token in use, beside the command where there is one.
    Renew(Box<Settings>),
    Check(Box<Settings>),
    Revoke(Box<Settings>),
}

/// Reads the arguments (without the program's name) and the environment.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Invocation, UsageError> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    // What comes behind is another program's.
    let behind = arguments.iter().position(|argument| argument == "--").map(|at| {
        let behind = arguments.split_off(at);
        behind.into_iter().skip(1).collect()
    });
    let mut flags = Flags { command: behind, ..Flags::default() };
    let mut parser = Parser::from_args(arguments);
    let mut named = None;
    while let Some(argument) = parser.next().map_err(arguments_error)? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Invocation::Print(HELP)),
            Arg::Short('V') | Arg::Long("version") => return Ok(Invocation::Print(VERSION)),
            Arg::Short('q') | Arg::Long("quiet") => flags.quiet = true,
            Arg::Long("no-env") => flags.no_env = true,
            Arg::Long("vault-skip-verify") => {
                flags.vault_skip_verify = Some(match parser.optional_value() {
                    None => true,
                    Some(typed) => {
                        let typed = typed.to_string_lossy();
                        env::parse_bool(&typed).ok_or_else(|| {
                            bad("--vault-skip-verify", format!("\"{}\" is neither true nor false", one_line(&typed)))
                        })?
                    }
                });
            }
            Arg::Long("watch") => flags.watch = true,
            Arg::Long("renew") => flags.renew = true,
            Arg::Long("revoke-on-exit") => flags.revoke_on_exit = true,
            Arg::Value(typed) if named.is_none() && NAMES.iter().any(|name| typed == *name) => {
                named = NAMES.into_iter().find(|name| typed == *name);
            }
            Arg::Value(other) => return Err(UsageError::unknown(&other.to_string_lossy())),
            Arg::Long(name) => {
                let Some(flag) = flags::WITH_VALUE.into_iter().find(|flag| flag.strip_prefix("--") == Some(name))
                else {
                    return Err(UsageError::Arguments(format!("unknown flag \"--{}\"", one_line(name))));
                };
                flags.set(flag, value(&mut parser, flag)?)?;
            }
            Arg::Short(name) => {
                return Err(UsageError::Arguments(format!("unknown flag \"-{}\"", one_line(&name.to_string()))));
            }
        }
    }
    let keeps = consistent(&flags, named)?;
    let settings = Box::new(settings(&flags, environment)?);
    Ok(match named {
        Some("check") => Invocation::Check(settings),
        Some("revoke") => Invocation::Revoke(settings),
        _ if keeps => Invocation::Renew(settings),
        _ => Invocation::Login(settings),
    })
}

/// Commands by name; the first may be left out.
const NAMES: [&str; 3] = ["login", "check", "revoke"];

/// Whether the token is to be kept in use, if the flags go together.
fn consistent(flags: &Flags, named: Option<&str>) -> Result<bool, UsageError> {
    let wrong = |text: String| Err(UsageError::Arguments(text));
    let (watch, renew) = (flags.watch, flags.renew);
    match (flags.command.is_some(), named) {
        (true, Some(name @ ("check" | "revoke"))) => return wrong(format!("\"{name}\" takes no command after \"--\"")),
        (true, _) if watch => {
            return wrong("flag \"--watch\" keeps a file; to stay beside a command give --renew".to_owned());
        }
        (false, _) if renew => {
            return wrong("flag \"--renew\" needs a command after \"--\"; for a file give --watch".to_owned());
        }
        _ => {}
    }
    if let (true, Some(name @ ("check" | "revoke"))) = (watch, named) {
        return wrong(format!("\"{name}\" does not go with --watch"));
    }
    if flags.revoke_on_exit && !watch && !renew {
        return wrong("flag \"--revoke-on-exit\" needs --watch or --renew".to_owned());
    }
    Ok(watch || renew)
}

/// A flag's value, never empty: `--role=$(ROLE)` with ROLE empty is a slip.
fn value(parser: &mut Parser, flag: &str) -> Result<OsString, UsageError> {
    let value = parser.value().map_err(arguments_error)?;
    if value.is_empty() { Err(UsageError::Arguments(format!("flag \"{flag}\" needs a value"))) } else { Ok(value) }
}

fn arguments_error(error: lexopt::Error) -> UsageError {
    UsageError::Arguments(match error {
        lexopt::Error::MissingValue { option: Some(flag) } => format!("flag \"{}\" needs a value", one_line(&flag)),
        lexopt::Error::UnexpectedValue { option, .. } => format!("flag \"{}\" takes no value", one_line(&option)),
        other => one_line(&other.to_string()),
    })
}

#[cfg(test)]
mod tests;
