//! Messages on stderr: for people, or one JSON object per line with the same `time`, `level`
//! and `message` as the log of `kubectl vaultjwt sync --watch`.

use crate::files::jwt_claims::DecodedJwt;
use serde::{Serialize, Serializer};
use shared::text::one_line;
use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A line, and one more for each of what helps.
    #[default]
    Text,
    Json,
}

impl Format {
    /// As typed. `standard` is the word of Vault Agent's `VAULT_LOG_FORMAT`.
    pub fn parse(typed: &str) -> Option<Self> {
        match typed {
            "text" | "standard" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Info,
    /// A retry may fix it.
    Warn,
    /// The end of the run.
    Error,
}

#[derive(Debug, Serialize)]
pub struct Message<'a> {
    pub level: Level,
    /// What happened, on one line, safe to show.
    #[serde(rename = "message")]
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "claims")]
    pub jwt: Option<&'a DecodedJwt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl<'a> Message<'a> {
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        Self { level, text: text.into(), jwt: None, hint: None }
    }

    pub fn info(text: impl Into<String>) -> Self {
        Self::new(Level::Info, text)
    }

    pub fn warn(text: impl Into<String>) -> Self {
        Self::new(Level::Warn, text)
    }

    pub fn hint(self, hint: impl Into<Option<String>>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    pub fn jwt(self, jwt: Option<&'a DecodedJwt>) -> Self {
        Self { jwt, ..self }
    }

    /// Whole lines for stderr. `now` is the local clock, in seconds since the epoch.
    pub fn shown(&self, format: Format, now: i64) -> String {
        match format {
            Format::Text => {
                let label = match self.level {
                    Level::Info => "",
                    Level::Warn => "warning: ",
                    Level::Error => "error: ",
                };
                let mut lines = format!("{label}{}\n", self.text);
                if let Some(jwt) = self.jwt {
                    lines += &format!("token: {}\n", jwt.line(now));
                }
                if let Some(hint) = &self.hint {
                    lines += &format!("hint: {hint}\n");
                }
                lines
            }
            Format::Json => {
                let time = UNIX_EPOCH + Duration::from_secs(now.max(0).unsigned_abs());
                let line = Line { time: humantime::format_rfc3339_seconds(time).to_string(), message: self };
                // Texts and numbers: nothing in it can fail.
                serde_json::to_string(&line).unwrap_or_default() + "\n"
            }
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    message: &'a Message<'a>,
}

/// What of a token's claims is logged: the members of [`DecodedJwt::line`].
#[derive(Serialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Vec<String>,
    kid: Option<String>,
    exp: Option<i64>,
}

fn claims<S: Serializer>(jwt: &Option<&DecodedJwt>, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(jwt) = jwt else { return serializer.serialize_none() };
    let safe = |value: &Option<String>| value.as_deref().map(one_line);
    Claims {
        iss: safe(&jwt.claims.iss),
        sub: safe(&jwt.claims.sub),
        aud: jwt.claims.aud.all().iter().map(|one| one_line(one)).collect(),
        kid: safe(&jwt.header.kid),
        exp: jwt.claims.exp.map(|exp| exp as i64),
    }
    .serialize(serializer)
}

/// Whole lines to stderr. Not the print macros: they panic when nobody
/// listens, and a login must not end for that.
pub fn put(lines: &str) {
    drop(std::io::stderr().write_all(lines.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::jwt;

    fn decoded() -> DecodedJwt {
        DecodedJwt {
            header: jwt::Header { alg: None, kid: Some("k1\u{1b}".into()) },
            claims: jwt::Claims {
                iss: Some("https://i".into()),
                aud: jwt::Audience::One("vault".into()),
                exp: Some(1_000.5),
                ..jwt::Claims::default()
            },
        }
    }

    #[test]
    fn for_people() {
        let decoded = decoded();
        let message = Message::new(Level::Error, "no").jwt(Some(&decoded)).hint("look".to_owned());
        assert_eq!(
            message.shown(Format::Text, 990),
            "error: no\n\
             token: iss \"https://i\", sub none, aud \"vault\", kid \"k1\\u{1b}\", exp 1000 (10s from now by this clock)\n\
             hint: look\n"
        );
        assert_eq!(Message::warn("hm").shown(Format::Text, 0), "warning: hm\n");
        assert_eq!(Message::info("done").shown(Format::Text, 0), "done\n");
    }

    #[test]
    fn for_machines() {
        let decoded = decoded();
        let message = Message::new(Level::Error, "no \"role\"").jwt(Some(&decoded)).hint("look".to_owned());
        assert_eq!(
            message.shown(Format::Json, 1_795_600_000),
            "{\"time\":\"2026-11-25T09:46:40Z\",\"level\":\"error\",\"message\":\"no \\\"role\\\"\",\
             \"jwt\":{\"iss\":\"https://i\",\"sub\":null,\"aud\":[\"vault\"],\"kid\":\"k1\\\\u{1b}\",\"exp\":1000},\
             \"hint\":\"look\"}\n"
        );
        assert_eq!(
            Message::info("done").shown(Format::Json, -5),
            "{\"time\":\"1970-01-01T00:00:00Z\",\"level\":\"info\",\"message\":\"done\"}\n"
        );
    }

    #[test]
    fn formats_by_name() {
        for (typed, format) in [
            ("text", Some(Format::Text)),
            ("standard", Some(Format::Text)),
            ("json", Some(Format::Json)),
            ("JSON", None),
            ("", None),
        ] {
            assert_eq!(Format::parse(typed), format, "{typed}");
        }
    }
}
