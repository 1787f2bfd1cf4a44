//! The proxy of a connection: `VAULT_PROXY_ADDR`, else the usual variables as Go's programs
//! read them (golang.org/x/net/http/httpproxy): by the address's scheme, and `NO_PROXY`
//! with domains, addresses and networks. The HTTP client's own reading knows no networks,
//! and takes a domain without its subdomains.

use crate::connection::address::Address;
use ipnet::IpNet;
use shared::Secret;
use std::net::IpAddr;
use thiserror::Error;
use ureq::{Proxy, ProxyProtocol};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxySetting {
    pub given_by: String,
    /// Its URL, which may hold a password.
    pub url: Secret,
}

#[derive(Debug, PartialEq, Eq, Error)]
#[error("could not read {given_by}: {why}")]
pub struct ProxyError {
    given_by: String,
    why: &'static str,
}

pub fn from_environment(address: &Address, environment: impl Fn(&str) -> Option<String>) -> Option<ProxySetting> {
    // In capitals first, as in Go. An empty one is none.
    let variable = |name: &str| {
        [name.to_owned(), name.to_lowercase()].into_iter().find_map(|name| {
            let value = environment(&name).filter(|value| !value.is_empty())?;
            Some((name, value))
        })
    };
    let (given_by, url) = variable(if address.is_https() { "HTTPS_PROXY" } else { "HTTP_PROXY" })?;
    let without = variable("NO_PROXY").map(|(_, list)| list).unwrap_or_default();
    let direct = address.socket().is_some() || is_direct(address.host(), address.port(), &without);
    (!direct).then(|| ProxySetting { given_by, url: Secret::new(url) })
}

/// Whether a host is asked without a proxy: it is this machine, or `list`
/// (`NO_PROXY`) has it.
fn is_direct(host: &str, port: u16, list: &str) -> bool {
    let ip: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || ip.is_some_and(|ip| ip.is_loopback()) {
        return true;
    }
    list.split(',').map(|entry| entry.trim().to_lowercase()).any(|entry| has(&entry, host, ip, port))
}

fn has(entry: &str, host: &str, ip: Option<IpAddr>, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let Ok(network) = entry.parse::<IpNet>() {
        return ip.is_some_and(|ip| network.contains(&ip));
    }
    let (name, only) = match entry.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => (name, digits.parse().ok()),
        _ => (entry, None),
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    if only.is_some_and(|only: u16| only != port) {
        return false;
    }
    if let Ok(address) = name.parse::<IpAddr>() {
        return ip == Some(address);
    }
    // A domain is itself and what is below it, with a point before it only that.
    match name.strip_prefix("*.").or_else(|| name.strip_prefix('.')) {
        Some("") => false,
        Some(domain) => below(host, domain),
        None => !name.is_empty() && (host == name || below(host, name)),
    }
}

fn below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

pub fn usable(given: &ProxySetting) -> Result<Proxy, ProxyError> {
    let bad = |why| ProxyError { given_by: given.given_by.clone(), why };
    // The address may hold a password: it is not shown.
    let proxy = Proxy::new(given.url.expose()).map_err(|_| bad("it is not the URL of an HTTP proxy"))?;
    // Without this the client would go past the proxy.
    match proxy.protocol() {
        ProxyProtocol::Http | ProxyProtocol::Https => Ok(proxy),
        _ => Err(bad("only HTTP proxies are supported, not SOCKS")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(address: &str, variables: &[(&str, &str)]) -> Option<(String, String)> {
        let environment = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let given = from_environment(&Address::parse(address).unwrap(), environment)?;
        Some((given.given_by, given.url.expose().to_owned()))
    }

    #[test]
    fn by_the_scheme_of_the_address() {
        let both = [("HTTPS_PROXY", "http://s"), ("HTTP_PROXY", "http://p"), ("https_proxy", "http://small")];
        let given = |given_by: &str, url: &str| Some((given_by.to_owned(), url.to_owned()));
        assert_eq!(used("https://vault", &both), given("HTTPS_PROXY", "http://s"));
        assert_eq!(used("http://vault", &both), given("HTTP_PROXY", "http://p"));
        assert_eq!(used("https://vault", &both[2..]), given("https_proxy", "http://small"));
        assert_eq!(used("https://vault", &[("HTTPS_PROXY", ""), both[2]]), given("https_proxy", "http://small"));
        assert_eq!(used("https://vault", &[("HTTP_PROXY", "http://p"), ("ALL_PROXY", "http://p")]), None);
        assert_eq!(used("unix:///run/vault.sock", &both), None);
        for own in ["https://localhost:8200", "https://127.0.0.1", "https://127.8.0.1", "https://[::1]:8200"] {
            assert_eq!(used(own, &both), None, "{own}");
        }
    }

    #[test]
    fn hosts_without_a_proxy() {
        for (list, direct, through) in [
            ("*", &["https://vault", "https://10.0.0.1"][..], &[][..]),
            ("example.com", &["https://example.com", "https://v.example.com"], &["https://notexample.com"]),
            (".example.com", &["https://v.example.com", "https://a.b.example.com"], &["https://example.com"]),
            ("*.example.com", &["https://v.example.com"], &["https://example.com"]),
            ("a, .svc ,.cluster.local", &["https://vault.ns.svc", "https://a"], &["https://vault.svc.x"]),
            ("VAULT.example", &["https://vault.EXAMPLE"], &[]),
            (
                "10.0.0.0/8,fd00::/8",
                &["https://10.1.2.3:8200", "https://[fd00::1]"],
                &["https://11.0.0.1", "https://ten"],
            ),
            ("10.0.0.1", &["https://10.0.0.1:8200"], &["https://10.0.0.11"]),
            ("vault:8200", &["https://vault:8200"], &["https://vault", "https://vault:8201"]),
            ("10.0.0.1:443", &["https://10.0.0.1"], &["https://10.0.0.1:8200"]),
            ("[fd00::1]:8200,fd00::2", &["https://[fd00::1]:8200", "https://[fd00::2]"], &["https://[fd00::1]"]),
            (",., ,*.,/8", &[], &["https://vault", "https://10.0.0.1"]),
        ] {
            let variables = [("HTTPS_PROXY", "http://s"), ("NO_PROXY", list)];
            for address in direct {
                assert_eq!(used(address, &variables), None, "{list}: {address}");
            }
            for address in through {
                assert!(used(address, &variables).is_some(), "{list}: {address}");
            }
        }
    }

    #[test]
    fn what_cannot_be_used_is_not_passed_by() {
        let usable =
            |url: &str| usable(&ProxySetting { given_by: "HTTPS_PROXY".into(), url: Secret::new(url) }).map(drop);
        assert_eq!(usable("proxy:3128"), Ok(()));
        assert_eq!(usable("http://user:secret@proxy:3128"), Ok(()));
        for (url, why) in [
            ("socks5://proxy:1080", "only HTTP proxies are supported, not SOCKS"),
            ("http://", "it is not the URL of an HTTP proxy"),
        ] {
            assert_eq!(usable(url).unwrap_err().to_string(), format!("could not read HTTPS_PROXY: {why}"));
        }
    }
}
