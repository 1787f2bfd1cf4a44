//! Vault's address: what is typed, what is refused and why, and the URL that requests start
//! from.

use shared::text::one_line;
use std::path::PathBuf;
use url::Url;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultAddress {
    /// The URL that `/v1/…` is added to. A path in it is kept.
    pub url: Url,
    /// As the user gave it, without slashes at its end.
    pub shown: String,
    /// The socket to dial where the address is `unix://…`; the URL then replaces it, as in
    /// Vault's own client.
    pub socket: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// None is given. The vault CLI would take https://127.0.0.1:8200; a
    /// program that changes what Vault trusts asks instead.
    #[error("no Vault address is given")]
    Missing,
    #[error("the Vault address \"{shown}\" cannot be used: {why}")]
    Bad {
        /// The text, escaped and without a password.
        shown: String,
        why: String,
        instead: Option<String>,
    },
}

impl AddressError {
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing => {
                "set VAULT_ADDR (for example https://vault.example.com:8200) or pass --vault-addr".to_owned()
            }
            Self::Bad { instead: Some(instead), .. } => format!("write it as {instead}"),
            Self::Bad { instead: None, .. } => "give an address like https://vault.example.com:8200".to_owned(),
        })
    }
}

pub fn parse(typed: &str) -> Result<VaultAddress, AddressError> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Err(AddressError::Missing);
    }
    let shown = one_line(&without_password(typed));
    let bad = |why: &str, instead: Option<String>| {
        Err(AddressError::Bad { shown: shown.clone(), why: why.to_owned(), instead })
    };
    let Some((scheme, rest)) = typed.split_once("://") else {
        // `vault:8200` would be a URL with the scheme `vault`.
        return bad("it has no scheme", Some(format!("https://{shown}")));
    };
    if scheme.eq_ignore_ascii_case("unix") {
        return unix(typed, rest);
    }
    let url = match Url::parse(typed) {
        Ok(url) => url,
        Err(error) => return bad(&error.to_string(), None),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return bad(&format!("its scheme is \"{}\", not https, http or unix", url.scheme()), None);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad("it holds a user name or password, which Vault does not take", None);
    }
    for (part, there) in [("query", url.query().is_some()), ("fragment", url.fragment().is_some())] {
        if there {
            return bad(&format!("it has a {part}"), None);
        }
    }
    let path = url.path().trim_end_matches('/');
    if path.ends_with("/v1") || path == "/ui" || path.starts_with("/ui/") {
        // Both are often copied from a browser or a curl command.
        return bad(&format!("\"{path}\" is not part of it"), Some(url[..url::Position::BeforePath].to_owned()));
    }
    Ok(VaultAddress { shown: typed.trim_end_matches('/').to_owned(), url, socket: None })
}

/// `unix:///path`: HTTP over a socket, with the host `localhost`
/// (Vault `api/client.go` `ParseAddress`).
fn unix(typed: &str, path: &str) -> Result<VaultAddress, AddressError> {
    let bad = |why: &str, instead: Option<&str>| {
        Err(AddressError::Bad { shown: one_line(typed), why: why.to_owned(), instead: instead.map(str::to_owned) })
    };
    if cfg!(not(unix)) {
        return bad("unix sockets are not supported on this system", None);
    }
    if !path.starts_with('/') || path.len() < 2 {
        return bad("it has no absolute path", Some("unix:///path/of/the/socket"));
    }
    match Url::parse("http://localhost/") {
        Ok(url) => Ok(VaultAddress { url, shown: typed.to_owned(), socket: Some(PathBuf::from(path)) }),
        Err(error) => bad(&error.to_string(), None),
    }
}

/// The text with what may be a password blanked: an error must not show it.
fn without_password(typed: &str) -> String {
    let start = typed.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = typed.split_at(start);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}***{}", &rest[at..]),
        None => typed.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(typed: &str) -> (String, String) {
        let error = parse(typed).unwrap_err();
        (error.to_string(), error.hint().unwrap_or_default())
    }

    #[test]
    fn addresses_that_are_used() {
        for (typed, url, shown) in [
            ("https://vault.example.com:8200", "https://vault.example.com:8200/", "https://vault.example.com:8200"),
            (" http://[::1]:8200/ ", "http://[::1]:8200/", "http://[::1]:8200"),
            ("https://gw.example.com/vault/", "https://gw.example.com/vault/", "https://gw.example.com/vault"),
        ] {
            let address = parse(typed).unwrap();
            assert_eq!((address.url.as_str(), address.shown.as_str(), address.socket), (url, shown, None));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_is_dialled_as_localhost() {
        let address = parse("unix:///run/vault.sock").unwrap();
        assert_eq!(address.url.as_str(), "http://localhost/");
        assert_eq!(address.socket, Some("/run/vault.sock".into()));
        assert_eq!(
            text("unix://vault.sock"),
            (
                "the Vault address \"unix://vault.sock\" cannot be used: it has no absolute path".into(),
                "write it as unix:///path/of/the/socket".into()
            )
        );
    }

    #[test]
    fn none_is_asked_for() {
        assert_eq!(
            text("  "),
            (
                "no Vault address is given".into(),
                "set VAULT_ADDR (for example https://vault.example.com:8200) or pass --vault-addr".into()
            )
        );
    }

    #[test]
    fn bad_ones_are_quoted_with_the_reason() {
        let general = "give an address like https://vault.example.com:8200";
        for (typed, message, hint) in [
            ("vault:8200", "\"vault:8200\" cannot be used: it has no scheme", "write it as https://vault:8200"),
            ("ftp://v", "\"ftp://v\" cannot be used: its scheme is \"ftp\", not https, http or unix", general),
            ("https://", "\"https://\" cannot be used: empty host", general),
            ("https://v:99999", "\"https://v:99999\" cannot be used: invalid port number", general),
            ("https://v/?a=b", "\"https://v/?a=b\" cannot be used: it has a query", general),
            ("https://v/#a", "\"https://v/#a\" cannot be used: it has a fragment", general),
            ("https://v/v1/", "\"https://v/v1/\" cannot be used: \"/v1\" is not part of it", "write it as https://v"),
            (
                "https://v/ui/vault",
                "\"https://v/ui/vault\" cannot be used: \"/ui/vault\" is not part of it",
                "write it as https://v",
            ),
        ] {
            assert_eq!(text(typed), (format!("the Vault address {message}"), hint.to_owned()));
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        for typed in ["https://me:pa@ss@v", "me:pa@ss@v:8200", "https://me:pa@ss@v v"] {
            let (message, hint) = text(typed);
            assert!(message.contains("***@v") && !message.contains("pa@") && !hint.contains("pa@"), "{message} {hint}");
        }
        assert_eq!(
            text("https://me:pw@v").0,
            "the Vault address \"https://***@v\" cannot be used: it holds a user name or password, which Vault does not take"
        );
    }
}
