//! What to do about each refusal of Vault's: above all, which policy line is missing.

use shared::text::one_line;
use std::time::Duration;

pub fn of_refusal(refused: &Refused) -> Option<String> {
    let namespace = refused.namespace.as_deref().map(one_line);
    if refused.says("namespace not found") {
        return Some("see which namespaces there are: vault namespace list".to_owned());
    }
    if refused.says("error checking jwks URL") || refused.says("error checking oidc discovery URL") {
        return Some(
            "Vault cannot read that address itself (its log says why): leave --keys out, and keep the keys fresh with 'kubectl vaultjwt sync --watch'"
                .to_owned(),
        );
    }
    match refused.status {
        403 => Some(denied(refused, namespace.as_deref())),
        400 | 404 if refused.says("no handler for route") || refused.says("path is already in use") => {
            let flag = namespace.map(|n| format!(" -namespace={n}")).unwrap_or_default();
            Some(format!("see what is mounted: vault auth list{flag}"))
        }
        429 => Some("wait a minute, then run the same command again".to_owned()),
        500..=599 => Some("look at Vault's log, then run the same command again".to_owned()),
        _ => None,
    }
}

fn denied(refused: &Refused, namespace: Option<&str>) -> String {
    // HCP has no root namespace: without one, every call is "permission denied".
    if namespace.is_none() && is_hcp(&refused.address) {
        return "HCP Vault has no root namespace: pass --vault-namespace admin".to_owned();
    }
    if refused.method == "POST" && refused.path.starts_with("auth/") && refused.path.ends_with("/login") {
        return "the role's token_bound_cidrs do not admit this address".to_owned();
    }
    if refused.path == "auth/token/revoke-self" {
        // Not the operator's token: the one that a login has just given.
        return "nothing to do: that token ends with its lease".to_owned();
    }
    if refused.says("invalid token") {
        return "the Vault token is expired, revoked or of another namespace: run 'vault login' (VAULT_TOKEN, if set, beats the token it stores)"
            .to_owned();
    }
    let line = policy_line(&refused.method, &refused.path);
    // A refusal by policy is a list of one; OpenBao says the bare words of a
    // token it does not know (both measured).
    if refused.errors.iter().any(|e| e == "permission denied") {
        return format!(
            "run 'vault login' if the Vault token is expired; if it is not, a policy of it must have:\n{line}"
        );
    }
    let inside = namespace.map(|n| format!(" (in namespace {n})")).unwrap_or_default();
    format!("a policy of the Vault token must have{inside}:\n{line}")
}

fn is_hcp(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| url.host_str().is_some_and(|h| h.ends_with(".hashicorp.cloud")))
}

/// The policy line (HCL) that lets a token send `method` to `path`, measured
/// on Vault 1.21.2 and OpenBao 2.7.2: `sys/auth/<mount>` and `auth/<mount>/config` are always
/// an update, a role is a create at first and an update after that.
pub fn policy_line(method: &str, path: &str) -> String {
    let segments: Vec<&str> = path.split('/').collect();
    let role = segments.first() == Some(&"auth") && segments.iter().rev().nth(1) == Some(&"role");
    let capabilities = match (method, path.starts_with("sys/auth/")) {
        ("LIST", _) => r#""list""#,
        ("DELETE", _) => r#""delete""#,
        ("GET", false) => r#""read""#,
        ("GET", true) => r#""read", "sudo""#,
        (_, true) => r#""update", "sudo""#,
        _ if role => r#""create", "update""#,
        _ => r#""update""#,
    };
    format!("path \"{}\" {{ capabilities = [{capabilities}] }}", one_line(path))
}

/// A refusal in Vault's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// `GET` or `POST`.
    pub method: String,
    /// The API path without `/v1/`, for example `sys/auth/jwt`.
    pub path: String,
    pub status: u16,
    /// Vault's texts, as sent.
    pub errors: Vec<String>,
    pub address: String,
    pub namespace: Option<String>,
    /// How long it asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vault refused {} {}", one_line(&self.method), one_line(&self.path))?;
        if let Some(namespace) = &self.namespace {
            write!(f, " in namespace \"{}\"", one_line(namespace))?;
        }
        write!(f, " ({})", self.status)?;
        match self.words() {
            words if words.is_empty() => f.write_str(" without saying why"),
            words => write!(f, ": {words}"),
        }
    }
}

impl Refused {
    /// Vault's texts on one line, escaped. Lists such as `1 error occurred:\n\t* permission
    /// denied\n\n` (hashicorp/go-multierror) are separated by `; `.
    pub fn words(&self) -> String {
        let heading = |line: &str| line.ends_with("error occurred:") || line.ends_with("errors occurred:");
        let lines = self.errors.iter().flat_map(|error| error.lines()).map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !heading(line));
        one_line(&lines.map(|line| line.trim_start_matches("* ")).collect::<Vec<_>>().join("; "))
    }

    pub fn says(&self, text: &str) -> bool {
        self.errors.iter().any(|error| error.contains(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(method: &str, path: &str, status: u16, error: &str) -> Refused {
        Refused {
            method: method.into(),
            path: path.into(),
            status,
            errors: vec![error.into()],
            address: "https://v:8200".into(),
            namespace: None,
            retry_after: None,
        }
    }

    #[test]
    fn the_missing_line_is_exact() {
        for (method, path, line) in [
            ("GET", "sys/auth", r#"path "sys/auth" { capabilities = ["read"] }"#),
            ("POST", "sys/auth/k8s/a", r#"path "sys/auth/k8s/a" { capabilities = ["update", "sudo"] }"#),
            ("GET", "auth/jwt/config", r#"path "auth/jwt/config" { capabilities = ["read"] }"#),
            ("LIST", "auth/jwt/role", r#"path "auth/jwt/role" { capabilities = ["list"] }"#),
            ("POST", "auth/jwt/config", r#"path "auth/jwt/config" { capabilities = ["update"] }"#),
            ("GET", "auth/jwt/role/app", r#"path "auth/jwt/role/app" { capabilities = ["read"] }"#),
            ("DELETE", "auth/jwt/role/app", r#"path "auth/jwt/role/app" { capabilities = ["delete"] }"#),
            ("POST", "auth/jwt/role/app", r#"path "auth/jwt/role/app" { capabilities = ["create", "update"] }"#),
        ] {
            assert_eq!(policy_line(method, path), line);
            let by_policy = refused(method, path, 403, "1 error occurred:\n\t* permission denied\n\n");
            assert_eq!(of_refusal(&by_policy), Some(format!("a policy of the Vault token must have:\n{line}")));
        }
        let mut inside = refused("GET", "sys/auth", 403, "1 error occurred:\n\t* permission denied\n\n");
        inside.namespace = Some("a/b".into());
        assert_eq!(
            of_refusal(&inside).as_deref(),
            Some(
                "a policy of the Vault token must have (in namespace a/b):\npath \"sys/auth\" { capabilities = [\"read\"] }"
            )
        );
    }

    #[test]
    fn a_token_that_is_not_known() {
        let vault = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n";
        assert_eq!(
            of_refusal(&refused("GET", "sys/auth", 403, vault)).as_deref(),
            Some(
                "the Vault token is expired, revoked or of another namespace: run 'vault login' (VAULT_TOKEN, if set, beats the token it stores)"
            )
        );
        assert_eq!(
            of_refusal(&refused("GET", "sys/auth", 403, "permission denied")).as_deref(),
            Some(
                "run 'vault login' if the Vault token is expired; if it is not, a policy of it must have:\npath \"sys/auth\" { capabilities = [\"read\"] }"
            )
        );
    }

    #[test]
    fn hcp_needs_a_namespace() {
        let mut hcp = refused("GET", "sys/auth", 403, "permission denied");
        hcp.address = "https://x.vault.11eb.aws.hashicorp.cloud:8200".into();
        assert_eq!(of_refusal(&hcp).as_deref(), Some("HCP Vault has no root namespace: pass --vault-namespace admin"));
        hcp.namespace = Some("admin".into());
        assert!(of_refusal(&hcp).is_some_and(|h| h.contains("policy")));
        hcp.namespace = None;
        hcp.address = "https://nothashicorp.cloud".into();
        assert!(of_refusal(&hcp).is_some_and(|h| h.contains("policy")));
    }

    #[test]
    fn the_other_refusals() {
        let no_route = "no handler for route \"auth/x/config\". route entry not found.";
        for (refused, hint) in [
            (
                refused("GET", "sys/auth", 404, "namespace not found"),
                Some("see which namespaces there are: vault namespace list"),
            ),
            (refused("GET", "auth/x/config", 404, no_route), Some("see what is mounted: vault auth list")),
            (
                refused("POST", "sys/auth/m", 400, "path is already in use at m/"),
                Some("see what is mounted: vault auth list"),
            ),
            (
                refused("POST", "auth/jwt/login", 403, "permission denied"),
                Some("the role's token_bound_cidrs do not admit this address"),
            ),
            (
                refused("POST", "auth/token/revoke-self", 403, "permission denied"),
                Some("nothing to do: that token ends with its lease"),
            ),
            (
                refused("GET", "sys/auth", 429, "request path \"sys/auth\": rate limit quota exceeded"),
                Some("wait a minute, then run the same command again"),
            ),
            (
                refused("GET", "sys/auth", 500, "local node not active but active cluster node not found"),
                Some("look at Vault's log, then run the same command again"),
            ),
            (refused("POST", "auth/jwt/config", 400, "error parsing public key"), None),
        ] {
            assert_eq!(of_refusal(&refused).as_deref(), hint, "{refused}");
        }
        let mut inside = refused("GET", "auth/x/config", 404, no_route);
        inside.namespace = Some("a".into());
        assert_eq!(of_refusal(&inside).as_deref(), Some("see what is mounted: vault auth list -namespace=a"));
    }
}
