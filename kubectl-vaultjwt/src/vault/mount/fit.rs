//! Decides whether an existing role accepts the tokens of an issuer. Pure.

use crate::vault::Document;
use crate::vault::mount::role::{binds_by_pattern, bound_claim, is_for_oidc};

/// How a role accepts the tokens of one issuer, as far as `iss` decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    Exact,
    /// It is bound to a list of issuers that has this one.
    Listed,
    /// A pattern of its bound claim matches.
    Pattern(String),
    Unbound,
}

/// How `role` accepts tokens of `issuer`; `None` where its `iss` keeps them
/// out. What else it is bound to is not asked: a cluster can issue tokens for
/// any service account and audience (vault-plugin-auth-jwt `claims.go`
/// `validateBoundClaims`: all claims must match, one value of each is enough;
/// a name that begins with `/` is a JSON pointer).
pub fn fit(role: &Document, issuer: &str) -> Option<Fit> {
    if is_for_oidc(role) {
        return None;
    }
    let by_pattern = binds_by_pattern(role);
    let mut fit = Fit::Unbound;
    for name in ["iss", "/iss"] {
        let bound = bound_claim(role, name);
        if bound.is_empty() {
            continue;
        }
        let matches = |value: &&String| if by_pattern { glob(value, issuer) } else { *value == issuer };
        let matching = bound.iter().find(matches)?;
        fit = match matching {
            pattern if by_pattern && pattern.contains('*') => Fit::Pattern(pattern.clone()),
            _ if bound.len() > 1 => Fit::Listed,
            _ => Fit::Exact,
        };
    }
    Some(fit)
}

/// Whether `pattern` matches the whole of `text`; `*` stands for anything
/// (`ryanuber/go-glob`, which has no other sign and no escape).
fn glob(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        let Some(at) = left.find(part) else { return false };
        left = left.get(at + part.len()..).unwrap_or_default();
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(role: Value) -> Option<Fit> {
        fit(role.as_object().unwrap(), "https://a.svc")
    }

    fn bound(iss: Value) -> Option<Fit> {
        of(json!({"role_type": "jwt", "bound_claims_type": "string", "bound_claims": {"iss": iss}}))
    }

    fn pattern(iss: Value) -> Option<Fit> {
        of(json!({"role_type": "jwt", "bound_claims_type": "glob", "bound_claims": {"iss": iss}}))
    }

    #[test]
    fn an_exact_issuer_and_a_list() {
        for (iss, expected) in [
            (json!("https://a.svc"), Some(Fit::Exact)),
            (json!(["https://a.svc"]), Some(Fit::Exact)),
            (json!(["https://b.svc", "https://a.svc"]), Some(Fit::Listed)),
            (json!("https://b.svc"), None),
            (json!(["https://b.svc", "https://a.svc/"]), None),
            // Without patterns, a star is a star.
            (json!("https://*"), None),
            (json!("*"), None),
            (json!("HTTPS://a.svc"), None),
        ] {
            assert_eq!(bound(iss.clone()), expected, "{iss}");
        }
    }

    #[test]
    fn a_pattern() {
        let by = |pattern: &str| Some(Fit::Pattern(pattern.to_owned()));
        for (iss, expected) in [
            (json!("https://*"), by("https://*")),
            (json!(["https://b.svc", "*.svc"]), by("*.svc")),
            (json!("https://a.svc"), Some(Fit::Exact)),
            (json!(["https://a.svc", "https://b*"]), Some(Fit::Listed)),
            (json!("https://b*"), None),
        ] {
            assert_eq!(pattern(iss.clone()), expected, "{iss}");
        }
    }

    #[test]
    fn nothing_about_the_issuer_keeps_nobody_out() {
        for role in [
            json!({"role_type": "jwt"}),
            json!({"role_type": "jwt", "bound_claims": null}),
            json!({"role_type": "jwt", "bound_subject": "system:serviceaccount:shop:app"}),
            json!({"role_type": "jwt", "bound_claims": {"sub": "x"}}),
            json!({"role_type": "jwt", "bound_claims": {"iss": []}}),
        ] {
            assert_eq!(of(role.clone()), Some(Fit::Unbound), "{role}");
        }
        // OIDC roles take no tokens (vault-plugin-auth-jwt `path_login.go`).
        assert_eq!(of(json!({"role_type": "oidc"})), None);
    }

    #[test]
    fn a_json_pointer_binds_the_issuer_too_and_both_must_match() {
        for (claims, expected) in [
            (json!({"/iss": "https://a.svc"}), Some(Fit::Exact)),
            (json!({"/iss": "https://b.svc"}), None),
            (json!({"iss": "https://a.svc", "/iss": "https://b.svc"}), None),
            (json!({"iss": "https://b.svc", "/iss": "https://a.svc"}), None),
        ] {
            assert_eq!(of(json!({"role_type": "jwt", "bound_claims": claims})), expected, "{claims}");
        }
    }

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "x", true),
            ("**", "x", true),
            ("", "", true),
            ("", "x", false),
            ("a*", "a", true),
            ("a*", "ba", false),
            ("*a", "ba", true),
            ("*a", "ab", false),
            ("*b*", "abc", true),
            ("*b*d*", "abcde", true),
            ("*d*b*", "abcde", false),
            ("a*c", "abc", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("ab*bc", "abc", false),
            ("?", "x", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
