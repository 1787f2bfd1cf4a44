//! What every HTTP client of the plugin needs: its settings, bodies of bounded size, why a
//! request failed (`cause`), and how long a server asks to wait (`retry_after`).

pub mod cause;
pub mod retry_after;

use reqwest::redirect::Policy;
use std::time::Duration;

pub const USER_AGENT: &str = concat!("kubectl-vaultjwt/", env!("CARGO_PKG_VERSION"));

/// A client of sites that are only spoken to over HTTPS; `patience` is the bound on one
/// request.
pub fn over_https(patience: Duration, redirect: Policy) -> reqwest::ClientBuilder {
    reqwest::Client::builder().https_only(true).redirect(redirect).timeout(patience).user_agent(USER_AGENT)
}

/// The body of an answer; `None` where it is larger than `largest` bytes.
pub async fn body(response: &mut reqwest::Response, largest: usize) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > largest {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}
