//! The claims of a JWT for messages about a login that failed. Never the token itself.

use shared::duration;
use shared::jwt::{Claims, Header};
use shared::text::one_line;
use std::time::Duration;

/// The parts of a JWT that decide a login, unverified.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecodedJwt {
    pub header: Header,
    pub claims: Claims,
}

impl DecodedJwt {
    /// One line: iss, sub, aud, kid, and exp against the local clock `now`
    /// (seconds since the epoch).
    pub fn line(&self, now: i64) -> String {
        let quoted = |value: &Option<String>| value.as_deref().map_or("none".to_owned(), quote);
        let aud = self.audiences();
        let exp = match self.claims.exp {
            None => "none".to_owned(),
            Some(exp) => {
                // `as` saturates; an absurd exp stays absurd, not wrong.
                let exp = exp as i64;
                let apart = duration::short(Duration::from_secs(exp.abs_diff(now)));
                let side = if exp >= now { "from now" } else { "ago" };
                format!("{exp} ({apart} {side} by this clock)")
            }
        };
        format!(
            "iss {}, sub {}, aud {aud}, kid {}, exp {exp}",
            quoted(&self.claims.iss),
            quoted(&self.claims.sub),
            quoted(&self.header.kid),
        )
    }

    pub fn audiences(&self) -> String {
        match self.claims.aud.all() {
            [] => "none".to_owned(),
            all => all.iter().map(|a| quote(a)).collect::<Vec<_>>().join(", "),
        }
    }

    /// `namespace:name` of the service account the token is for, when the
    /// subject has Kubernetes' form and only characters that a shell keeps.
    pub fn service_account(&self) -> Option<&str> {
        let account = self.claims.sub.as_deref()?.strip_prefix("system:serviceaccount:")?;
        let (namespace, name) = account.split_once(':')?;
        let plain = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
        };
        (plain(namespace) && plain(name)).then_some(account)
    }
}

fn quote(value: &str) -> String {
    format!("\"{}\"", one_line(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::jwt::Audience;

    fn decoded() -> DecodedJwt {
        DecodedJwt {
            header: Header { alg: Some("RS256".into()), kid: Some("k1".into()) },
            claims: Claims {
                iss: Some("https://issuer/".into()),
                sub: Some("system:serviceaccount:shop:web".into()),
                aud: Audience::Many(vec!["vault".into(), "a\u{1b}b".into()]),
                exp: Some(1_000.0),
                ..Claims::default()
            },
        }
    }

    #[test]
    fn the_line_names_what_a_login_turns_on() {
        let known = "iss \"https://issuer/\", sub \"system:serviceaccount:shop:web\", \
             aud \"vault\", \"a\\u{1b}b\", kid \"k1\", exp 1000";
        assert_eq!(decoded().line(1_192), format!("{known} (3m12s ago by this clock)"));
        assert_eq!(decoded().line(700), format!("{known} (5m from now by this clock)"));
        assert_eq!(DecodedJwt::default().line(0), "iss none, sub none, aud none, kid none, exp none");
    }

    #[test]
    fn only_a_plain_service_account_goes_into_a_command() {
        assert_eq!(decoded().service_account(), Some("shop:web"));
        for sub in ["web", "system:serviceaccount:shop", "system:serviceaccount:shop:$(id)", "system:serviceaccount::a"]
        {
            let mut other = decoded();
            other.claims.sub = Some(sub.into());
            assert_eq!(other.service_account(), None, "{sub}");
        }
    }
}
