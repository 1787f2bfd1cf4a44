//! The events of a watcher: one for each change, and none while nothing changes. The
//! renderer decides how they look.

use crate::keychain::action::KeyAction;
use serde::Serialize;
use shared::text::one_line;
use std::fmt;
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Event {
    Started {
        contexts: usize,
        mount: String,
        /// Seconds between two polls of an API server.
        interval: u64,
        /// Seconds between two polls of an issuer's own site.
        issuer_interval: u64,
    },
    Key {
        context: String,
        issuer: String,
        /// UID of the cluster, where it is part of whose key it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        cluster_uid: Option<String>,
        /// kid, where there is one.
        kid: Option<String>,
        /// SHA-256 of the SPKI, base64url.
        id: String,
        action: KeyAction,
    },
    /// Something does not work, since now or still.
    Trouble {
        about: About,
        error: String,
        /// The one thing to do about it.
        hint: Option<String>,
    },
    Recovered {
        about: About,
        /// For how many seconds it did not.
        seconds: u64,
        failures: u32,
    },
    /// A token of its own was had by a login.
    LoggedIn {
        /// By what, for people.
        with: String,
        /// Whether the first way was refused.
        fallback: bool,
        /// Seconds that the token lives, where it ends.
        ttl: Option<u64>,
    },
    /// Something that should be known, reported once.
    Note { text: String },
    /// A newer token was found where the last one came from.
    TokenFound,
    /// The run ends, because it was asked to.
    Stopped,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", content = "name", rename_all = "camelCase")]
pub enum About {
    /// One context's cluster, by the context's name.
    Context(String),
    Mount(String),
    Vault,
    /// The run's own token.
    Token,
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Context(name) => write!(f, "context \"{}\"", one_line(name)),
            Self::Mount(path) => write!(f, "auth mount \"{}/\"", one_line(path)),
            Self::Vault => f.write_str("vault"),
            Self::Token => f.write_str("own token"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Info,
    /// One cluster is not served.
    Warn,
    Error,
}

impl Event {
    pub fn level(&self) -> Level {
        match self {
            Self::Trouble { about: About::Context(_), .. } => Level::Warn,
            Self::Trouble { .. } => Level::Error,
            Self::LoggedIn { fallback: true, .. } | Self::Note { .. } => Level::Warn,
            _ => Level::Info,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { contexts, mount, interval, issuer_interval } => {
                let clusters = if *contexts == 1 { "1 cluster".to_owned() } else { format!("{contexts} clusters") };
                write!(f, "watching {clusters} on auth mount \"{}/\", every {}", one_line(mount), short(*interval))?;
                match issuer_interval == interval {
                    true => Ok(()),
                    false => write!(f, " (issuers' own sites every {})", short(*issuer_interval)),
                }
            }
            Self::Key { context, kid, id, action, .. } => {
                let key = kid.as_deref().unwrap_or(id);
                write!(f, "context \"{}\": key \"{}\" {}", one_line(context), one_line(key), done(*action))
            }
            Self::Trouble { about, error, .. } => write!(f, "{about}: {}", one_line(error)),
            Self::Recovered { about, seconds, failures } => {
                let times = if *failures == 1 { "1 failure".to_owned() } else { format!("{failures} failures") };
                write!(f, "{about}: works again after {} ({times})", short(*seconds))
            }
            Self::LoggedIn { with, fallback, ttl } => {
                let how = if *fallback { " (fallback)" } else { "" };
                write!(f, "logged in with {}{how}", one_line(with))?;
                match ttl {
                    Some(ttl) => write!(f, ", for {}", short(*ttl)),
                    None => Ok(()),
                }
            }
            Self::Note { text } => f.write_str(&one_line(text)),
            Self::TokenFound => f.write_str("own token: a new one was found"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

fn short(seconds: u64) -> String {
    shared::duration::short(Duration::from_secs(seconds))
}

fn done(action: KeyAction) -> &'static str {
    match action {
        KeyAction::Add => "added",
        KeyAction::Adopt => "adopted",
        KeyAction::Return => "is published again",
        KeyAction::Retire => "retired",
        KeyAction::Remove => "removed",
        KeyAction::Keep | KeyAction::KeepUnmanaged | KeyAction::KeepRetired => "kept",
        KeyAction::Withhold | KeyAction::Wait => "not added",
    }
}

pub trait Journal: Send + Sync {
    fn tell(&self, event: &Event);
}
