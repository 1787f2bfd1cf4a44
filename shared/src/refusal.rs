//! The errors with which Vault and OpenBao reject a JWT login: what each text means, and
//! whether a retry can help.
//!
//! Sources: hashicorp/vault-plugin-auth-jwt `path_login.go` and `claims.go`,
//! hashicorp/cap `jwt/jwt.go` and `jwt/keyset.go`; OpenBao carries the same
//! code. Texts are matched by their inner part, since the wrapping differs
//! between versions.

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No key on the mount verifies the signature. Heals when the keys are
    /// refreshed, so waiting can help.
    Signature,
    /// The token is expired.
    Expired,
    /// The token is not valid yet, or was issued in the future.
    NotYetValid,
    /// The login carried an empty token.
    EmptyToken,
    /// The mount has no configuration yet. Heals once set-up has run.
    NoConfiguration,
    /// The text sent is no JWT.
    NotAJwt,
    /// `aud` of the token and `bound_audiences` of the role share nothing.
    Audience,
    /// The role has no `bound_audiences` but the token has `aud`.
    RoleWithoutAudience,
    /// `iss` differs from the mount's `bound_issuer`.
    Issuer,
    /// `sub` differs from the role's `bound_subject`.
    Subject,
    /// A claim differs from the role's `bound_claims`.
    BoundClaim,
    /// The role does not exist.
    NoSuchRole,
    /// No role was given and the mount has no `default_role`.
    NoRole,
    /// The role is for OIDC, not for JWT logins.
    OidcRole,
    /// The signing algorithm is not in `jwt_supported_algs`.
    Algorithm,
    /// A claim the role needs (user claim, mappings, groups) is not in the token.
    ClaimMissing,
    /// 403: address not allowed, wrong namespace, or no such mount.
    Denied,
    /// 404: nothing is mounted at the path.
    NoSuchMount,
    /// Vault cannot serve now: sealed, standby, overloaded, broken.
    Unavailable,
    /// Something that is not in this catalogue.
    Other,
}

impl Refusal {
    /// Whether the same login can succeed later without anybody changing the
    /// role, the mount path or the pod.
    pub fn can_heal(self) -> bool {
        matches!(
            self,
            Self::Signature
                | Self::Expired
                | Self::NotYetValid
                | Self::EmptyToken
                | Self::NoConfiguration
                | Self::Unavailable
        )
    }
}

/// Inner texts, in an order where the first match is the right one.
const TEXTS: &[(&str, Refusal)] = &[
    ("no known key successfully validated the token signature", Refusal::Signature),
    ("failed to verify id token signature", Refusal::Signature),
    ("could not load configuration", Refusal::NoConfiguration),
    ("missing token", Refusal::EmptyToken),
    ("token is expired", Refusal::Expired),
    ("token not yet valid", Refusal::NotYetValid),
    ("token issued in the future", Refusal::NotYetValid),
    ("must have three parts", Refusal::NotAJwt),
    ("audience claim found in JWT but no audiences bound to the role", Refusal::RoleWithoutAudience),
    ("invalid audience (aud) claim", Refusal::Audience),
    ("invalid issuer (iss) claim", Refusal::Issuer),
    ("invalid subject (sub) claim", Refusal::Subject),
    ("error validating claims", Refusal::BoundClaim),
    ("role with oidc role_type is not allowed", Refusal::OidcRole),
    ("missing role", Refusal::NoRole),
    ("could not be found", Refusal::NoSuchRole),
    ("invalid algorithm (alg) header parameter", Refusal::Algorithm),
    ("not found in token", Refusal::ClaimMissing),
    ("no handler for route", Refusal::NoSuchMount),
];

/// Classes a refused login by its HTTP status and the texts of `errors`.
pub fn classify(status: u16, errors: &[String]) -> Refusal {
    match status {
        412 | 429 | 472 | 473 | 500 | 502..=599 => return Refusal::Unavailable,
        _ => {}
    }
    for (text, refusal) in TEXTS {
        if errors.iter().any(|e| e.contains(text)) {
            return *refusal;
        }
    }
    match status {
        403 => Refusal::Denied,
        404 => Refusal::NoSuchMount,
        _ => Refusal::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_seen_on_real_servers() {
        for (status, text, refusal) in [
            (
                400,
                "error validating token: error verifying token signature: no known key successfully validated the token signature",
                Refusal::Signature,
            ),
            (
                400,
                "error validating token: invalid audience (aud) claim: audience claim does not match any expected audience",
                Refusal::Audience,
            ),
            (400, "audience claim found in JWT but no audiences bound to the role", Refusal::RoleWithoutAudience),
            (400, "error validating token: invalid issuer (iss) claim", Refusal::Issuer),
            (400, "error validating token: invalid expiration time (exp) claim: token is expired", Refusal::Expired),
            (
                400,
                "error validating claims: claim \"sub\" does not match any associated bound claim values",
                Refusal::BoundClaim,
            ),
            (400, "role \"app\" could not be found", Refusal::NoSuchRole),
            (400, "missing role", Refusal::NoRole),
            (400, "could not load configuration", Refusal::NoConfiguration),
            (400, "claim \"/kubernetes.io/serviceaccount/uid\" not found in token", Refusal::ClaimMissing),
            (403, "permission denied", Refusal::Denied),
            (404, "no handler for route \"auth/nope/login\". route entry not found.", Refusal::NoSuchMount),
            (503, "Vault is sealed", Refusal::Unavailable),
            (429, "rate limit quota exceeded", Refusal::Unavailable),
            (501, "not implemented", Refusal::Other),
            (418, "teapot", Refusal::Other),
        ] {
            assert_eq!(classify(status, &[text.to_owned()]), refusal, "{status} {text}");
        }
    }

    #[test]
    fn only_what_heals_by_itself_is_waited_for() {
        for refusal in [Refusal::Signature, Refusal::Unavailable, Refusal::NoConfiguration, Refusal::Expired] {
            assert!(refusal.can_heal(), "{refusal:?}");
        }
        for refusal in [Refusal::Audience, Refusal::NoSuchRole, Refusal::Denied, Refusal::NotAJwt, Refusal::Other] {
            assert!(!refusal.can_heal(), "{refusal:?}");
        }
    }
}
