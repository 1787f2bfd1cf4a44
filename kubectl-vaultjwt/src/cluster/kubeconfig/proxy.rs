//! Decides whether requests go through a proxy: `proxy-url` of the cluster entry, else the
//! environment as Go's `http.ProxyFromEnvironment` reads it. This is not left to kube,
//! which compares `NO_PROXY` with the proxy in place of the server.

use crate::cluster::kubeconfig::connection::{Env, named};
use crate::cluster::kubeconfig::credentials::Names;
use crate::cluster::kubeconfig::entries::parse_url;
use crate::cluster::kubeconfig::error::KubeconfigError;
use hyper_util::client::proxy::matcher::Matcher;
use kube::config::Cluster;

pub fn choose(
    cluster: &Cluster,
    server: &http::Uri,
    env: Env<'_>,
    names: &Names<'_>,
) -> Result<Option<http::Uri>, KubeconfigError> {
    let of_entry = cluster.proxy_url.clone().map(|url| ("proxy-url", url));
    let Some((what, typed)) = of_entry.or_else(|| from_environment(server, env)) else { return Ok(None) };
    let accepted =
        |url: &http::Uri| matches!(url.scheme_str(), Some("http" | "https" | "socks5")) && url.host().is_some();
    let (url, _) = parse_url(what, &typed, names, accepted, "it is not an http, https or socks5 URL")?;
    Ok(Some(url))
}

fn from_environment(server: &http::Uri, env: Env<'_>) -> Option<(&'static str, String)> {
    let upper_or_lower = |name: &str| named(env, name).or_else(|| named(env, &name.to_lowercase()));
    let proxy = upper_or_lower("HTTPS_PROXY")?;
    let host = server.host()?.trim_matches(['[', ']']);
    let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if host == "localhost" || loopback {
        return None;
    }
    let matcher =
        Matcher::builder().all("http://somewhere.invalid").no(upper_or_lower("NO_PROXY").unwrap_or_default()).build();
    matcher.intercept(server).map(|_| ("HTTPS_PROXY", proxy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::kubeconfig::entries::STRAY_AT;
    use crate::cluster::kubeconfig::error::KubeconfigFiles;

    fn chosen(proxy_url: Option<&str>, server: &str, pairs: &[(&str, &str)]) -> Result<Option<String>, String> {
        let cluster = Cluster { proxy_url: proxy_url.map(str::to_owned), ..Cluster::default() };
        let env = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let names = Names { cluster: "c", user: "u", files: &KubeconfigFiles::default() };
        choose(&cluster, &server.parse().unwrap(), &env, &names)
            .map(|url| url.map(|url| url.to_string()))
            .map_err(|e| e.to_string())
    }

    #[test]
    fn the_environment_counts_unless_no_proxy_names_the_server() {
        let proxy = ("HTTPS_PROXY", "http://proxy:3128");
        let used = Ok(Some("http://proxy:3128/".to_owned()));
        for (server, pairs, expected) in [
            ("https://k8s.example:6443", &[proxy][..], used.clone()),
            ("https://k8s.example:6443", &[("https_proxy", "proxy:3128")], used.clone()),
            ("https://k8s.example:6443", &[("HTTP_PROXY", "http://proxy:3128")], Ok(None)),
            ("https://k8s.example:6443", &[proxy, ("NO_PROXY", "k8s.example")], Ok(None)),
            ("https://k8s.example:6443", &[proxy, ("no_proxy", ".example")], Ok(None)),
            ("https://k8s.example:6443", &[proxy, ("NO_PROXY", "*")], Ok(None)),
            ("https://k8s.example:6443", &[proxy, ("NO_PROXY", "proxy")], used.clone()),
            ("https://10.1.2.3", &[proxy, ("NO_PROXY", "10.0.0.0/8")], Ok(None)),
            ("https://127.0.0.1:6443", &[proxy], Ok(None)),
            ("https://localhost:6443", &[proxy], Ok(None)),
            ("https://[::1]:6443", &[proxy], Ok(None)),
        ] {
            assert_eq!(chosen(None, server, pairs), expected, "{server} {pairs:?}");
        }
    }

    #[test]
    fn the_entry_wins_over_the_environment_and_no_proxy() {
        let environment = [("HTTPS_PROXY", "http://other"), ("NO_PROXY", "*")];
        let found = chosen(Some("socks5://127.0.0.1:1080"), "https://k8s.example", &environment);
        assert_eq!(found, Ok(Some("socks5://127.0.0.1:1080/".into())));
    }

    #[test]
    fn unusable_proxies_are_shown_without_their_password() {
        assert_eq!(
            chosen(Some("ftp://me:hunter2@proxy"), "https://k8s.example", &[]),
            Err("proxy-url \"ftp://proxy\" of cluster \"c\" cannot be used: it is not an http, https or socks5 URL"
                .into())
        );
        // A password that is not encoded: what is before its '/' would be the host.
        for password in ["hunter/2", "hunter?2", "hunter#2", "hun@ter/2", "/hunter2"] {
            let url = format!("http://me:{password}@proxy:3128");
            for (what, said) in [
                ("proxy-url", chosen(Some(&url), "https://k8s.example", &[])),
                ("HTTPS_PROXY", chosen(None, "https://k8s.example", &[("HTTPS_PROXY", &url)])),
                ("HTTPS_PROXY", chosen(None, "https://k8s.example", &[("HTTPS_PROXY", &url["http://".len()..])])),
            ] {
                let wanted = format!("{what} \"http://proxy:3128\" of cluster \"c\" cannot be used: {STRAY_AT}");
                assert_eq!(said, Err(wanted), "{url}");
            }
        }
    }
}
