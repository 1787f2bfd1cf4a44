//! Decides on a redirect: where to follow it to, or why not. A standby of a Vault cluster
//! answers with the active node's address; nothing else that redirects is Vault.

use url::Url;

/// Where the request goes next; `None` where the answer is no redirect.
///
/// Followed is only what a standby sends (Vault `http/handler.go`
/// `respondStandby`): the same API path at another address. A login page in
/// front of Vault redirects to a path of its own, and gets no token.
pub fn next(from: &Url, api_path: &str, status: u16, location: Option<&str>) -> Result<Option<Url>, &'static str> {
    match status {
        // Method and body are kept for all four.
        301 | 302 | 307 | 308 => {}
        300..=399 => return Err("this kind of redirect is not Vault's"),
        _ => return Ok(None),
    }
    let location = location.ok_or("it does not say where to")?;
    let to = from.join(location).map_err(|_| "its target is not a URL")?;
    match (from.scheme(), to.scheme()) {
        ("https", "http") => return Err("it leads from https to http"),
        (_, "http" | "https") => {}
        _ => return Err("it leads to something that is not http or https"),
    }
    if !to.username().is_empty() || to.password().is_some() {
        return Err("its target holds a user name or password");
    }
    if !to.path().ends_with(api_path) || to.query().is_some() {
        return Err("it leads to another path, as a login page or proxy in front of Vault would");
    }
    Ok(Some(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/v1/sys/auth";

    fn decide(from: &str, status: u16, location: Option<&str>) -> Result<Option<String>, &'static str> {
        next(&Url::parse(from).unwrap(), PATH, status, location).map(|url| url.map(String::from))
    }

    #[test]
    fn only_redirects_are_redirects() {
        for status in [200, 204, 400, 403, 404, 503] {
            assert_eq!(decide("https://a/v1/sys/auth", status, Some("https://b/v1/sys/auth")), Ok(None));
        }
    }

    #[test]
    fn the_active_nodes_address_is_followed() {
        for (from, status, to) in [
            ("https://a:8200/v1/sys/auth", 307, "https://b:8200/v1/sys/auth"),
            ("https://a/v1/sys/auth", 308, "https://a:8200/v1/sys/auth"),
            ("http://a/v1/sys/auth", 301, "https://a/v1/sys/auth"),
            ("http://a/v1/sys/auth", 302, "http://b/prefix/v1/sys/auth"),
        ] {
            assert_eq!(decide(from, status, Some(to)), Ok(Some(to.to_owned())));
        }
        assert_eq!(
            decide("https://a/v1/sys/auth", 307, Some("//b/v1/sys/auth")),
            Ok(Some("https://b/v1/sys/auth".into()))
        );
    }

    #[test]
    fn everything_else_is_refused_with_the_reason() {
        let from = "https://a/v1/sys/auth";
        for (status, location, why) in [
            (303, Some("https://b/v1/sys/auth"), "this kind of redirect is not Vault's"),
            (304, None, "this kind of redirect is not Vault's"),
            (307, None, "it does not say where to"),
            (307, Some("https://"), "its target is not a URL"),
            (307, Some("http://b/v1/sys/auth"), "it leads from https to http"),
            (307, Some("ftp://b/v1/sys/auth"), "it leads to something that is not http or https"),
            (307, Some("https://u:p@b/v1/sys/auth"), "its target holds a user name or password"),
            (
                302,
                Some("https://sso.example.com/login?rd=/v1/sys/auth"),
                "it leads to another path, as a login page or proxy in front of Vault would",
            ),
            (
                302,
                Some("https://b/v1/sys/auth?x=1"),
                "it leads to another path, as a login page or proxy in front of Vault would",
            ),
        ] {
            assert_eq!(decide(from, status, location), Err(why), "{location:?}");
        }
    }
}
