//! Vault's address: as typed, as the URL of a request, and which redirects are followed.

use shared::mount::MountPath;
use shared::text::one_line;
use std::path::{Path, PathBuf};
use thiserror::Error;
use ureq::http::Uri;

/// A usable address: `http` or `https`, a host, perhaps a path; or `unix` and
/// a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    origin: Origin,
    /// Everything before `/v1`, without a slash at its end.
    base: String,
    socket: Option<PathBuf>,
}

/// Scheme, host and port; what "the same server" means.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    https: bool,
    host: String,
    port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// `vault:8200`.
    #[error("the address of Vault \"{0}\" does not begin with http:// or https://")]
    NoScheme(String),
    /// `ftp://vault` and others.
    #[error("the address of Vault \"{0}\" has another scheme than http, https and unix")]
    Scheme(String),
    /// `unix://vault.sock`.
    #[error("the address of Vault \"{0}\" has no absolute path")]
    Socket(String),
    /// `https://user:password@vault`; not shown.
    #[error("the address of Vault holds a user name or password")]
    Credentials,
    /// `https://vault?x=y`.
    #[error("the address of Vault \"{0}\" holds a query or a fragment")]
    Query(String),
    #[error("the address of Vault \"{0}\" is not a URL")]
    Unreadable(String),
}

impl AddressError {
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoScheme(typed) => {
                format!("write it as \"https://{}\" in --vault-addr or VAULT_ADDR", one_line(typed))
            }
            Self::Credentials => "leave them out of --vault-addr or VAULT_ADDR; a login needs none".to_owned(),
            Self::Socket(_) => "give --vault-addr or VAULT_ADDR the form unix:///path/of/the/socket".to_owned(),
            Self::Scheme(_) | Self::Query(_) | Self::Unreadable(_) => {
                "give --vault-addr or VAULT_ADDR the form https://host:8200".to_owned()
            }
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RedirectError {
    #[error("a redirect without a usable location")]
    Unreadable,
    #[error("a redirect to unencrypted \"{0}\"")]
    Downgrade(String),
    #[error("a redirect to another server, \"{0}\"")]
    OtherServer(String),
    #[error("a second redirect")]
    Second,
}

impl Address {
    pub fn parse(typed: &str) -> Result<Self, AddressError> {
        let typed = typed.trim();
        let shown = || one_line(typed);
        if typed.contains('@') {
            return Err(AddressError::Credentials);
        }
        let Some((scheme, rest)) = typed.split_once("://") else {
            return Err(AddressError::NoScheme(shown()));
        };
        if scheme.eq_ignore_ascii_case("unix") {
            return match rest.strip_prefix('/') {
                // A socket has no host; a request needs one, and an address needs no resolver
                // (Vault's client and kubectl's say localhost).
                Some(path) if !path.is_empty() => Ok(Self {
                    origin: Origin { https: false, host: "127.0.0.1".to_owned(), port: 80 },
                    base: "http://127.0.0.1".to_owned(),
                    socket: Some(PathBuf::from(rest)),
                }),
                _ => Err(AddressError::Socket(shown())),
            };
        }
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(AddressError::Scheme(shown()));
        }
        if typed.contains(['?', '#']) {
            return Err(AddressError::Query(shown()));
        }
        let uri: Uri = typed.parse().map_err(|_| AddressError::Unreadable(shown()))?;
        let origin = Origin::of(&uri).ok_or_else(|| AddressError::Unreadable(shown()))?;
        let base = format!("{origin}{}", uri.path().trim_end_matches('/'));
        Ok(Self { origin, base, socket: None })
    }

    pub fn login_url(&self, mount: &MountPath) -> String {
        self.url(&format!("auth/{mount}/login"))
    }

    /// Where a request for this path of the API is sent.
    pub fn url(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.base)
    }

    pub fn is_https(&self) -> bool {
        self.origin.https
    }

    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// The host without brackets or port.
    pub fn host(&self) -> &str {
        &self.origin.host
    }

    /// The port, that of the scheme where none is given.
    pub fn port(&self) -> u16 {
        self.origin.port
    }

    /// The URL to send the login to again, once, when the server answers with
    /// a redirect: the same scheme, host and port only, since the request
    /// carries a credential.
    pub fn follow(&self, location: Option<&str>) -> Result<String, RedirectError> {
        let location = location.ok_or(RedirectError::Unreadable)?;
        if location.starts_with('/') && !location.starts_with("//") {
            return Ok(format!("{}{location}", self.origin));
        }
        let uri: Uri = location.parse().map_err(|_| RedirectError::Unreadable)?;
        let target = Origin::of(&uri).ok_or(RedirectError::Unreadable)?;
        if self.origin.https && !target.https {
            return Err(RedirectError::Downgrade(one_line(&target.to_string())));
        }
        if target != self.origin {
            return Err(RedirectError::OtherServer(one_line(&target.to_string())));
        }
        let path = uri.path_and_query().map_or("/", |p| p.as_str());
        Ok(format!("{}{path}", self.origin))
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.socket {
            Some(path) => write!(f, "unix://{}", one_line(&path.to_string_lossy())),
            None => f.write_str(&self.base),
        }
    }
}

impl Origin {
    fn of(uri: &Uri) -> Option<Self> {
        let https = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = authority.host();
        if host.is_empty() || authority.as_str().contains('@') {
            return None;
        }
        let port = match &authority.as_str()[host.len()..] {
            "" if https => 443,
            "" => 80,
            // `Uri` takes any digits; a port it cannot use would silently become the default.
            _ => authority.port_u16()?,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        Some(Self { https, host, port })
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (scheme, usual) = if self.https { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://")?;
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?
        } else {
            f.write_str(&self.host)?
        }
        if self.port == usual { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login_url(typed: &str) -> Result<String, String> {
        let mount = MountPath::parse("k8s/prod").unwrap();
        Address::parse(typed).map(|a| a.login_url(&mount)).map_err(|e| e.to_string())
    }

    #[test]
    fn the_login_goes_below_the_address() {
        for (typed, url) in [
            ("https://vault:8200", "https://vault:8200/v1/auth/k8s/prod/login"),
            ("https://vault:8200/", "https://vault:8200/v1/auth/k8s/prod/login"),
            ("HTTPS://Vault", "https://vault/v1/auth/k8s/prod/login"),
            ("https://gw.example/vault/", "https://gw.example/vault/v1/auth/k8s/prod/login"),
            ("http://[::1]:8200", "http://[::1]:8200/v1/auth/k8s/prod/login"),
            ("https://[fd00::1]", "https://[fd00::1]/v1/auth/k8s/prod/login"),
            ("https://vault.example.", "https://vault.example./v1/auth/k8s/prod/login"),
            ("unix:///run/vault.sock", "http://127.0.0.1/v1/auth/k8s/prod/login"),
        ] {
            assert_eq!(login_url(typed), Ok(url.to_owned()), "{typed}");
        }
        assert_eq!(Address::parse("https://[::1]:8200").unwrap().host(), "::1");
        let socket = Address::parse("unix:///run/vault.sock").unwrap();
        assert_eq!((socket.socket(), socket.is_https()), (Some(Path::new("/run/vault.sock")), false));
        assert_eq!(socket.to_string(), "unix:///run/vault.sock");
        assert_eq!(socket.follow(Some("/v1/x")).as_deref(), Ok("http://127.0.0.1/v1/x"));
        assert!(socket.follow(Some("http://vault/v1/x")).is_err());
    }

    #[test]
    fn addresses_that_cannot_be_used() {
        for (typed, error, hint) in [
            (
                "vault:8200",
                "the address of Vault \"vault:8200\" does not begin with http:// or https://",
                "write it as \"https://vault:8200\" in --vault-addr or VAULT_ADDR",
            ),
            (
                "ftp://vault",
                "the address of Vault \"ftp://vault\" has another scheme than http, https and unix",
                "give --vault-addr or VAULT_ADDR the form https://host:8200",
            ),
            (
                "unix://vault.sock",
                "the address of Vault \"unix://vault.sock\" has no absolute path",
                "give --vault-addr or VAULT_ADDR the form unix:///path/of/the/socket",
            ),
            (
                "https://root:hvs.secret@vault",
                "the address of Vault holds a user name or password",
                "leave them out of --vault-addr or VAULT_ADDR; a login needs none",
            ),
            (
                "https://vault/#top",
                "the address of Vault \"https://vault/#top\" holds a query or a fragment",
                "give --vault-addr or VAULT_ADDR the form https://host:8200",
            ),
            (
                "https://vault:99999",
                "the address of Vault \"https://vault:99999\" is not a URL",
                "give --vault-addr or VAULT_ADDR the form https://host:8200",
            ),
            (
                "https://",
                "the address of Vault \"https://\" is not a URL",
                "give --vault-addr or VAULT_ADDR the form https://host:8200",
            ),
        ] {
            let refused = Address::parse(typed).unwrap_err();
            assert_eq!((refused.to_string().as_str(), refused.hint().as_deref()), (error, Some(hint)));
        }
    }

    #[test]
    fn one_server_may_redirect_to_itself_only() {
        let address = Address::parse("https://vault/base").unwrap();
        for (location, follow) in [
            (Some("/v1/x"), Ok("https://vault/v1/x")),
            (Some("https://vault/v1/x?y"), Ok("https://vault/v1/x?y")),
            (Some("https://VAULT:443/v1/x"), Ok("https://vault/v1/x")),
            (Some("https://vault:8200/v1/x"), Err("a redirect to another server, \"https://vault:8200\"")),
            (Some("https://other/v1/x"), Err("a redirect to another server, \"https://other\"")),
            (Some("http://vault/v1/x"), Err("a redirect to unencrypted \"http://vault\"")),
            (Some("http://vault:443/v1/x"), Err("a redirect to unencrypted \"http://vault:443\"")),
            (Some("https://vault@other/x"), Err("a redirect without a usable location")),
            (Some("//other/v1/x"), Err("a redirect without a usable location")),
            (Some("ftp://vault/x"), Err("a redirect without a usable location")),
            (Some("x"), Err("a redirect without a usable location")),
            (None, Err("a redirect without a usable location")),
        ] {
            let got = address.follow(location).map_err(|e| e.to_string());
            assert_eq!(got, follow.map(str::to_owned).map_err(str::to_owned), "{location:?}");
        }
    }
}
