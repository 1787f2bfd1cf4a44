//! The log of a watcher: one line on stderr for each event, for people or as JSON. Times
//! are the local clock's, in UTC.

use crate::cli::watch::LogFormat;
use crate::command::watch::{Event, Journal, Level};
use jiff::Timestamp;
use serde::Serialize;
use shared::text::one_line;
use std::io::Write as _;

#[derive(Clone, Copy, Debug)]
pub struct Log {
    pub format: LogFormat,
    /// The level of `-v`.
    pub verbosity: u8,
}

/// One line as JSON. Field names and event names are part of the interface.
#[derive(Serialize)]
struct Line<'a> {
    time: String,
    level: Level,
    message: String,
    #[serde(flatten)]
    event: &'a Event,
}

impl Log {
    /// A request, shown at level 6 and above.
    pub fn request(&self, line: &str) {
        if self.verbosity < 6 {
            return;
        }
        let time = time(Timestamp::now());
        put(&match self.format {
            LogFormat::Text => format!("{time} debug {}", one_line(line)),
            LogFormat::Json => {
                serde_json::json!({"time": time, "level": "debug", "event": "request", "message": line}).to_string()
            }
        });
    }
}

impl Journal for Log {
    fn tell(&self, event: &Event) {
        put(&line(self.format, event, Timestamp::now()));
    }
}

fn line(format: LogFormat, event: &Event, now: Timestamp) -> String {
    let (time, level, message) = (time(now), event.level(), event.to_string());
    match format {
        LogFormat::Json => {
            // Nothing in it can fail to be JSON; the message alone if it did.
            let line = Line { time, level, message: message.clone(), event };
            serde_json::to_string(&line).unwrap_or(message)
        }
        LogFormat::Text => {
            let level = match level {
                Level::Info => "info ",
                Level::Warn => "warn ",
                Level::Error => "error",
            };
            let hint = match event {
                Event::Trouble { hint: Some(hint), .. } => format!("; hint: {}", one_line(&hint.replace('\n', " "))),
                _ => String::new(),
            };
            format!("{time} {level} {message}{hint}")
        }
    }
}

/// Whole seconds, RFC 3339.
fn time(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A closed stderr is not an error.
fn put(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::watch::About;
    use crate::keychain::action::KeyAction;

    fn key() -> Event {
        Event::Key {
            context: "prod".into(),
            issuer: "https://i".into(),
            cluster_uid: None,
            kid: Some("k1\u{1b}".into()),
            id: "AbC".into(),
            action: KeyAction::Retire,
        }
    }

    fn trouble() -> Event {
        Event::Trouble {
            about: About::Context("prod".into()),
            error: "no\nanswer".into(),
            hint: Some("look at:\nit".into()),
        }
    }

    fn said(format: LogFormat, event: &Event) -> String {
        line(format, event, "2026-11-25T08:00:00.5Z".parse().unwrap())
    }

    #[test]
    fn lines_for_people() {
        let recovered = Event::Recovered { about: About::Vault, seconds: 90, failures: 2 };
        let started = |contexts, interval, issuer_interval| Event::Started {
            contexts,
            mount: "jwt".into(),
            interval,
            issuer_interval,
        };
        let logged_in = |fallback, ttl| Event::LoggedIn { with: "role \"sync\"".into(), fallback, ttl };
        for (event, text) in [
            (
                started(1, 60, 300),
                "info  watching 1 cluster on auth mount \"jwt/\", every 1m (issuers' own sites every 5m)",
            ),
            (started(3, 10, 10), "info  watching 3 clusters on auth mount \"jwt/\", every 10s"),
            (key(), "info  context \"prod\": key \"k1\\u{1b}\" retired"),
            (trouble(), "warn  context \"prod\": no\\u{a}answer; hint: look at: it"),
            (recovered, "info  vault: works again after 1m30s (2 failures)"),
            (logged_in(false, Some(3_600)), "info  logged in with role \"sync\", for 1h"),
            (logged_in(true, None), "warn  logged in with role \"sync\" (fallback)"),
            (Event::TokenFound, "info  own token: a new one was found"),
            (Event::Note { text: "a key was left out".into() }, "warn  a key was left out"),
            (Event::Trouble { about: About::Token, error: "none".into(), hint: None }, "error own token: none"),
            (Event::Stopped, "info  stopped"),
        ] {
            assert_eq!(said(LogFormat::Text, &event), format!("2026-11-25T08:00:00Z {text}"));
        }
    }

    #[test]
    fn lines_for_machines() {
        assert_eq!(
            said(LogFormat::Json, &key()),
            r#"{"time":"2026-11-25T08:00:00Z","level":"info","message":"context \"prod\": key \"k1\\u{1b}\" retired","event":"key","context":"prod","issuer":"https://i","kid":"k1\u001b","id":"AbC","action":"retire"}"#
        );
        assert_eq!(
            said(LogFormat::Json, &trouble()),
            r#"{"time":"2026-11-25T08:00:00Z","level":"warn","message":"context \"prod\": no\\u{a}answer","event":"trouble","about":{"kind":"context","name":"prod"},"error":"no\nanswer","hint":"look at:\nit"}"#
        );
        assert_eq!(
            said(LogFormat::Json, &Event::Stopped),
            r#"{"time":"2026-11-25T08:00:00Z","level":"info","message":"stopped","event":"stopped"}"#
        );
    }
}
