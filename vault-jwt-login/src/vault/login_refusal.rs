//! A refused login: Vault's words, and the one command or setting that fixes it.

use crate::files::jwt_claims::DecodedJwt;
use crate::vault::api_error::or_no_reason;
use crate::vault::target::Target;
use shared::refusal::Refusal;
use shared::text::one_line;
use std::fmt;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct LoginRefusal {
    pub target: Target,
    pub status: u16,
    /// What Vault said, on one line, safe to show; perhaps nothing.
    pub words: String,
    pub class: Refusal,
    pub retry_after: Option<Duration>,
    /// From the request to the response.
    pub took: Duration,
    pub decoded: DecodedJwt,
}

/// A server error, or a connection that is cut, after this long is a timeout: that of a load
/// balancer, or of Vault itself (`max_request_duration`, 90 s). Vault may complete the login all
/// the same.
pub const LATE: Duration = Duration::from_secs(10);

impl fmt::Display for LoginRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target { address, namespace, mount, role } = &self.target;
        let what = if self.class == Refusal::Unavailable { "cannot take the login now" } else { "refused the login" };
        write!(f, "Vault at \"{address}\" {what} (status {}, mount \"{mount}\"", self.status)?;
        if let Some(role) = role {
            write!(f, ", role \"{role}\"")?;
        }
        if let Some(namespace) = namespace {
            write!(f, ", namespace \"{namespace}\"")?;
        }
        write!(f, "): {}", or_no_reason(&self.words))
    }
}

impl std::error::Error for LoginRefusal {}

impl LoginRefusal {
    /// Whether it stands for a response that did not come in time.
    pub fn is_a_timeout(&self) -> bool {
        self.class == Refusal::Unavailable && self.status >= 500 && self.took >= LATE
    }

    pub fn hint(&self) -> Option<String> {
        if self.words.contains("HTTP request to an HTTPS server") {
            return Some(format!(
                "write https:// for http:// in --vault-addr or VAULT_ADDR (now \"{}\")",
                self.target.address
            ));
        }
        let keys = self.setup();
        let role = self.role();
        let see = self.read_role();
        Some(match self.class {
            Refusal::Signature => format!(
                "the mount has no key that signed this token; if it is the mount of another cluster, name this \
                 cluster's own with --mount; if not, with this pod's cluster as current context run: {keys}"
            ),
            Refusal::NoConfiguration => format!("the mount is not set up yet; run: {keys}"),
            Refusal::NoSuchMount => format!(
                "look at --mount and --vault-namespace ({}); if they are right, run: {keys}",
                self.namespace()
            ),
            Refusal::NoSuchRole => format!(
                "look at --role and --vault-namespace ({}), or create the role: {keys}{}",
                self.namespace(),
                self.role_flags()
            ),
            Refusal::NoRole => "name a role with --role or VAULT_ROLE; the mount has no default_role".to_owned(),
            Refusal::OidcRole => format!("{role} is for OIDC; name one for JWT logins with --role or VAULT_ROLE"),
            // From here on the role exists, and a set-up would replace its lists: none is proposed
            // that would put this token's values in place of those that others log in with.
            Refusal::Audience => format!(
                "project the token with an audience of the role (serviceAccountToken.audience); this one is for {}; \
                 see: {see}",
                self.decoded.audiences()
            ),
            Refusal::RoleWithoutAudience => format!(
                "{role} has no audience; add --audience <AUDIENCE> and --replace-role to the kubectl vaultjwt setup \
                 call that made it, and project the token with the same (serviceAccountToken.audience); see: {see}"
            ),
            Refusal::Issuer => {
                "the mount's bound_issuer is another one; log in on the mount of this cluster, with --mount".to_owned()
            }
            Refusal::Subject | Refusal::BoundClaim => format!(
                "{role} does not take this service account; add --service-account {} and --replace-role to the kubectl \
                 vaultjwt setup call that made the role, with all the others it has ({see})",
                self.service_account()
            ),
            Refusal::ClaimMissing => {
                format!("{role} reads a claim this token lacks; look at user_claim and claim_mappings: {see}")
            }
            Refusal::Algorithm => {
                format!("the mount's jwt_supported_algs lacks this token's algorithm; add this cluster's keys: {keys}")
            }
            Refusal::Expired => {
                "use a projected token, which the kubelet renews; if this is one, compare this node's clock with Vault's"
                    .to_owned()
            }
            Refusal::NotYetValid => "compare the clocks of the API server's node and of Vault".to_owned(),
            Refusal::EmptyToken | Refusal::NotAJwt => {
                "name the file that holds the token alone with --jwt-file or VAULT_JWT_FILE".to_owned()
            }
            // Also what a mount that does not exist answers.
            Refusal::Denied => format!(
                "look at --vault-namespace ({}), --mount and the role's token_bound_cidrs; if there is no such mount yet run: {keys}",
                self.namespace()
            ),
            Refusal::Unavailable => match self.status {
                429 => "raise the rate limit quota of this mount, or log in less often".to_owned(),
                _ => "check Vault: vault status".to_owned(),
            },
            Refusal::Other => return None,
        })
    }

    fn namespace(&self) -> String {
        self.target.namespace.as_ref().map_or("now the root namespace".to_owned(), |name| format!("now \"{name}\""))
    }

    /// The command that puts this cluster's keys on the mount.
    fn setup(&self) -> String {
        let mut command = format!("kubectl vaultjwt setup --mount {}", self.target.mount);
        if let Some(namespace) = self.target.namespace.as_deref().filter(|name| is_plain(name)) {
            command += &format!(" --vault-namespace {namespace}");
        }
        command
    }

    /// What makes that command create the role too.
    fn role_flags(&self) -> String {
        let audience = match self.decoded.claims.aud.all() {
            [] => String::new(),
            [first, ..] => format!(" --audience {}", plain_or(Some(first), "<AUDIENCE>")),
        };
        let role = plain_or(self.target.role.as_deref(), "<ROLE>");
        format!(" --role {role} --service-account {} --policy <POLICY>{audience}", self.service_account())
    }

    fn role(&self) -> String {
        self.target.role.as_ref().map_or("the role".to_owned(), |role| format!("role \"{}\"", one_line(role)))
    }

    fn service_account(&self) -> &str {
        plain_or(self.decoded.service_account(), "<NAMESPACE>:<NAME>")
    }

    fn read_role(&self) -> String {
        let namespace = match self.target.namespace.as_deref() {
            Some(name) => format!("-namespace={} ", plain_or(Some(name), "<NAMESPACE>")),
            None => String::new(),
        };
        let role = plain_or(self.target.role.as_deref(), "<ROLE>");
        format!("vault read {namespace}auth/{}/role/{role}", self.target.mount)
    }
}

/// `value` for a command; one that a shell would read differently is left for
/// the reader to fill in.
fn plain_or<'a>(value: Option<&'a str>, gap: &'a str) -> &'a str {
    value.filter(|value| is_plain(value)).unwrap_or(gap)
}

/// Whether a shell takes `value` as one word, as it is.
fn is_plain(value: &str) -> bool {
    !value.is_empty()
        && !value.starts_with('-')
        && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/@".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::address::Address;
    use shared::jwt::{Audience, Claims, Header};
    use shared::mount::MountPath;

    fn refusal(status: u16, words: &str, class: Refusal) -> LoginRefusal {
        LoginRefusal {
            target: Target {
                address: Address::parse("https://vault:8200").unwrap(),
                namespace: None,
                mount: MountPath::parse("jwt").unwrap(),
                role: Some("app".into()),
            },
            status,
            words: words.into(),
            class,
            retry_after: None,
            took: Duration::ZERO,
            decoded: DecodedJwt {
                header: Header::default(),
                claims: Claims {
                    sub: Some("system:serviceaccount:shop:web".into()),
                    aud: Audience::One("vault".into()),
                    ..Claims::default()
                },
            },
        }
    }

    #[test]
    fn the_text_holds_where_as_what_and_vaults_words() {
        let mut plain = refusal(400, "role \"app\" could not be found", Refusal::NoSuchRole);
        assert_eq!(
            plain.to_string(),
            "Vault at \"https://vault:8200\" refused the login (status 400, mount \"jwt\", role \"app\"): \
             role \"app\" could not be found"
        );
        plain.target.role = None;
        plain.target.namespace = Some("admin/team".into());
        plain.words.clear();
        assert_eq!(
            plain.to_string(),
            "Vault at \"https://vault:8200\" refused the login (status 400, mount \"jwt\", namespace \"admin/team\"): \
             no reason given"
        );
        assert_eq!(
            refusal(503, "Vault is sealed", Refusal::Unavailable).to_string(),
            "Vault at \"https://vault:8200\" cannot take the login now (status 503, mount \"jwt\", role \"app\"): \
             Vault is sealed"
        );
    }

    #[test]
    fn the_hint_is_a_command_to_paste() {
        let keys = "kubectl vaultjwt setup --mount jwt";
        for (class, hint) in [
            (
                Refusal::Signature,
                format!(
                    "the mount has no key that signed this token; if it is the mount of another cluster, name this \
                     cluster's own with --mount; if not, with this pod's cluster as current context run: {keys}"
                ),
            ),
            (Refusal::NoConfiguration, format!("the mount is not set up yet; run: {keys}")),
            (
                Refusal::NoSuchMount,
                format!(
                    "look at --mount and --vault-namespace (now the root namespace); if they are right, run: {keys}"
                ),
            ),
            (
                Refusal::NoSuchRole,
                format!(
                    "look at --role and --vault-namespace (now the root namespace), or create the role: {keys} \
                     --role app --service-account shop:web --policy <POLICY> --audience vault"
                ),
            ),
            (
                Refusal::Denied,
                format!(
                    "look at --vault-namespace (now the root namespace), --mount and the role's token_bound_cidrs; if \
                     there is no such mount yet run: {keys}"
                ),
            ),
        ] {
            assert_eq!(refusal(400, "x", class).hint(), Some(hint), "{class:?}");
        }
    }

    #[test]
    fn what_a_role_of_others_refuses_does_not_replace_its_lists() {
        let account = "role \"app\" does not take this service account; add --service-account shop:web and \
                       --replace-role to the kubectl vaultjwt setup call that made the role, with all the others it has (vault read auth/jwt/role/app)";
        for (class, hint) in [
            (
                Refusal::Audience,
                "project the token with an audience of the role (serviceAccountToken.audience); this one is for \
                 \"vault\"; see: vault read auth/jwt/role/app",
            ),
            (
                Refusal::RoleWithoutAudience,
                "role \"app\" has no audience; add --audience <AUDIENCE> and --replace-role to the kubectl vaultjwt \
                 setup call that made it, and project the token with the same (serviceAccountToken.audience); see: vault read \
                 auth/jwt/role/app",
            ),
            (Refusal::Subject, account),
            (Refusal::BoundClaim, account),
            (
                Refusal::ClaimMissing,
                "role \"app\" reads a claim this token lacks; look at user_claim and claim_mappings: vault read \
                 auth/jwt/role/app",
            ),
            (Refusal::OidcRole, "role \"app\" is for OIDC; name one for JWT logins with --role or VAULT_ROLE"),
        ] {
            let hint_given = refusal(400, "x", class).hint();
            assert_eq!(hint_given.as_deref(), Some(hint), "{class:?}");
        }
    }

    #[test]
    fn the_role_is_read_in_its_namespace() {
        let mut other = refusal(400, "x", Refusal::Audience);
        other.target.namespace = Some("admin/team".into());
        other.target.role = None;
        other.decoded.claims.aud = Audience::Many(vec!["a".into(), "b".into()]);
        assert_eq!(
            other.hint().as_deref(),
            Some(
                "project the token with an audience of the role (serviceAccountToken.audience); this one is for \"a\", \
                 \"b\"; see: vault read -namespace=admin/team auth/jwt/role/<ROLE>"
            )
        );
    }

    #[test]
    fn a_token_cannot_put_words_into_the_command() {
        let mut odd = refusal(400, "x", Refusal::NoSuchRole);
        odd.target.role = Some("a b".into());
        odd.target.namespace = Some("team".into());
        odd.decoded.claims.sub = Some("system:serviceaccount:shop:web;id".into());
        odd.decoded.claims.aud = Audience::Many(vec!["$(id)".into(), "vault".into()]);
        assert_eq!(
            odd.hint().as_deref(),
            Some(
                "look at --role and --vault-namespace (now \"team\"), or create the role: kubectl vaultjwt setup --mount \
                 jwt --vault-namespace team --role <ROLE> --service-account <NAMESPACE>:<NAME> --policy <POLICY> \
                 --audience <AUDIENCE>"
            )
        );
        odd.class = Refusal::BoundClaim;
        odd.target.namespace = Some("a b".into());
        assert_eq!(
            odd.hint().as_deref(),
            Some(
                "role \"a b\" does not take this service account; add --service-account <NAMESPACE>:<NAME> and \
                 --replace-role to the kubectl vaultjwt setup call that made the role, with all the others it has (vault read \
                 -namespace=<NAMESPACE> auth/jwt/role/<ROLE>)"
            )
        );
    }

    #[test]
    fn http_to_a_tls_port_is_told() {
        let mut plain = refusal(400, "Client sent an HTTP request to an HTTPS server.", Refusal::Other);
        plain.target.address = Address::parse("http://vault:8200").unwrap();
        assert_eq!(
            plain.hint().as_deref(),
            Some("write https:// for http:// in --vault-addr or VAULT_ADDR (now \"http://vault:8200\")")
        );
    }
}
