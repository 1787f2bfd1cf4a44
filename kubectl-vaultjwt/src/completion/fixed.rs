//! Values that are known without a request: those of a list, and files.

use crate::completion::candidate::{Candidate, Directive};
use crate::completion::line::Line;
use clap::error::ErrorKind;
use clap::{Arg, Command};

/// Values of flags that clap has no list of. Each is tried with the flag itself, as
/// not every command takes all of them.
const TRIED: [(&str, &[&str]); 5] = [
    ("output", &["table", "wide", "json", "yaml", "name", "commands"]),
    ("dry-run", &["none", "client"]),
    ("log-format", &["text", "json"]),
    ("keys-from", &["issuer", "api-server"]),
    ("color", &["auto", "always", "never"]),
];

/// What is known; `None` where a request is needed. `plain` is the command line
/// before it was built.
pub(super) fn of(plain: &Command, line: &Line<'_>, arg: &Arg) -> Option<(Vec<Candidate>, Directive)> {
    let listed: Vec<_> = arg.get_possible_values().into_iter().filter(|value| !value.is_hide_set()).collect();
    if !listed.is_empty() {
        let described = listed.iter().map(|value| Candidate::described(value.get_name(), value.get_help()));
        return Some((described.collect(), Directive::Values));
    }
    let long = arg.get_long().unwrap_or_default();
    if let Some((_, values)) = TRIED.iter().find(|(name, _)| *name == long) {
        let accepted = values.iter().filter(|value| accepts(plain, line, long, value));
        return Some((accepted.map(|value| Candidate::plain(*value)).collect(), Directive::Values));
    }
    match arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str()) {
        Some("FILE") => Some((Vec::new(), Directive::Files)),
        Some("DIR") => Some((Vec::new(), Directive::Folders)),
        _ => None,
    }
}

/// Whether the command takes this value of this flag; whatever else it lacks.
fn accepts(plain: &Command, line: &Line<'_>, long: &str, value: &str) -> bool {
    let mut words = vec![plain.get_name().to_owned()];
    words.extend(line.path.iter().map(|name| (*name).to_owned()));
    words.push(format!("--{long}={value}"));
    let refused = |error: clap::Error| matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation);
    !plain.clone().try_get_matches_from(words).is_err_and(refused)
}
