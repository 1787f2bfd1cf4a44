//! Reads Azure Resource Manager: subscriptions, and managed clusters by name or all of a
//! subscription. One stable api-version, bounded answers; the token is never sent to
//! another host.

use crate::cloud::aks::{AksName, resource_id};
use crate::cloud_api::error::{CloudErrorKind, Refusal};
use crate::http::cause::innermost;
use crate::http::{self, retry_after};
use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::Secret;
use shared::text::one_line;
use std::time::Duration;
use url::Url;

/// The version of `Microsoft.ContainerService` that is asked for: stable, and
/// with an official example (azure-rest-api-specs, 2025-10-01).
const CLUSTERS: &str = "2025-10-01";
/// The version of `Microsoft.Resources` that lists subscriptions.
const SUBSCRIPTIONS: &str = "2022-12-01";

/// Largest answer: a page of clusters has some hundred KiB.
const LARGEST: usize = 8 * 1024 * 1024;
/// Bound on one request.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a request is sent again where Azure asks for it, and the longest
/// pause that it may ask for.
const RETRIES: u32 = 2;
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Most pages of one list.
const PAGES: usize = 200;

/// A managed cluster, as far as it concerns us.
#[derive(Clone, Debug, Deserialize)]
pub struct ManagedCluster {
    #[serde(default)]
    pub id: String,
    #[serde(default)]
    properties: Properties,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Properties {
    fqdn: Option<String>,
    #[serde(rename = "privateFQDN")]
    private_fqdn: Option<String>,
    #[serde(rename = "oidcIssuerProfile")]
    oidc: Option<OidcIssuerProfile>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct OidcIssuerProfile {
    enabled: Option<bool>,
    /// The API writes the first spelling, az the second.
    #[serde(rename = "issuerURL", alias = "issuerUrl")]
    issuer: Option<String>,
}

impl ManagedCluster {
    pub fn issuer(&self) -> Option<String> {
        let oidc = self.properties.oidc.as_ref().filter(|oidc| oidc.enabled != Some(false))?;
        oidc.issuer.clone().filter(|issuer| !issuer.is_empty())
    }

    /// Hosts of its API server, in lower case.
    pub fn hosts(&self) -> Vec<String> {
        let both = [&self.properties.fqdn, &self.properties.private_fqdn];
        both.into_iter().flatten().map(|host| host.to_ascii_lowercase()).collect()
    }

    /// Its subscription, resource group and name.
    pub fn names(&self) -> Option<(String, AksName)> {
        let claim = resource_id(&self.id)?;
        Some((claim.subscription?, claim.names.into_iter().next()?))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    #[serde(default = "Vec::new")]
    value: Vec<T>,
    next_link: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    subscription_id: String,
}

/// ARM's form of an error (Azure REST API guidelines).
#[derive(Default, Deserialize)]
struct Failure {
    #[serde(default)]
    error: FailureBody,
}

#[derive(Default, Deserialize)]
struct FailureBody {
    code: Option<String>,
    message: Option<String>,
}

/// The Resource Manager of one of Azure's clouds.
pub struct Arm {
    endpoint: &'static str,
    token: Secret,
    client: reqwest::Client,
}

impl Arm {
    pub fn new(endpoint: &'static str, token: Secret) -> Result<Self, Refusal> {
        let client = http::over_https(PATIENCE, reqwest::redirect::Policy::none()).build().map_err(unreachable)?;
        Ok(Self { endpoint, token, client })
    }

    pub async fn managed_cluster(&self, subscription: &str, name: &AksName) -> Result<ManagedCluster, Refusal> {
        let path = [
            "subscriptions",
            subscription,
            "resourceGroups",
            &name.resource_group,
            "providers",
            "Microsoft.ContainerService",
            "managedClusters",
            &name.name,
        ];
        self.get(self.url(&path, CLUSTERS)?).await
    }

    pub async fn managed_clusters(&self, subscription: &str) -> Result<Vec<ManagedCluster>, Refusal> {
        let path = ["subscriptions", subscription, "providers", "Microsoft.ContainerService", "managedClusters"];
        self.list(self.url(&path, CLUSTERS)?).await
    }

    /// The ids of all subscriptions that can be seen.
    pub async fn subscriptions(&self) -> Result<Vec<String>, Refusal> {
        let all: Vec<Subscription> = self.list(self.url(&["subscriptions"], SUBSCRIPTIONS)?).await?;
        Ok(all.into_iter().map(|subscription| subscription.subscription_id).collect())
    }

    /// Names come from a kubeconfig: each is one segment, whatever is in it.
    fn url(&self, path: &[&str], version: &str) -> Result<Url, Refusal> {
        let unusable = || Refusal::new(CloudErrorKind::Unreachable, format!("\"{}\" is no URL", self.endpoint));
        let mut url = Url::parse(self.endpoint).map_err(|_| unusable())?;
        url.path_segments_mut().map_err(|()| unusable())?.extend(path);
        url.query_pairs_mut().append_pair("api-version", version);
        Ok(url)
    }

    async fn list<T: DeserializeOwned>(&self, first: Url) -> Result<Vec<T>, Refusal> {
        let mut all = Vec::new();
        let mut url = first.clone();
        for _ in 0..PAGES {
            let page: Page<T> = self.get(url).await?;
            all.extend(page.value);
            let Some(link) = page.next_link.filter(|link| !link.is_empty()) else { break };
            // The token is for this host.
            let Some(next) = Url::parse(&link).ok().filter(|next| next.origin() == first.origin()) else {
                let words = format!("its list goes on at another host: \"{}\"", one_line(&link));
                return Err(Refusal::new(CloudErrorKind::Unreachable, words));
            };
            url = next;
        }
        Ok(all)
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, Refusal> {
        let mut left = RETRIES;
        loop {
            let (status, body, pause) = self.send(url.clone()).await?;
            if status.is_success() {
                let wrong = |_| Refusal::new(CloudErrorKind::Busy, "its answer is not what its API describes");
                return serde_json::from_slice(&body).map_err(wrong);
            }
            let passing = matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504);
            let wait = pause.unwrap_or(Duration::from_secs(1));
            if !passing || left == 0 || wait > LONGEST_PAUSE {
                return Err(refusal(status, &body, pause));
            }
            left -= 1;
            tokio::time::sleep(wait).await;
        }
    }

    async fn send(&self, url: Url) -> Result<(StatusCode, Vec<u8>, Option<Duration>), Refusal> {
        let request = self.client.get(url).bearer_auth(self.token.expose());
        let mut response = request.send().await.map_err(unreachable)?;
        let (status, pause) = (response.status(), retry_after::of(response.headers()));
        let too_large = || Refusal::new(CloudErrorKind::Busy, format!("its answer is larger than {LARGEST} bytes"));
        let body = http::body(&mut response, LARGEST).await.map_err(unreachable)?.ok_or_else(too_large)?;
        Ok((status, body, pause))
    }
}

fn unreachable(error: reqwest::Error) -> Refusal {
    Refusal::new(CloudErrorKind::Unreachable, innermost(&error))
}

fn refusal(status: StatusCode, body: &[u8], pause: Option<Duration>) -> Refusal {
    let said: Failure = serde_json::from_slice(body).unwrap_or_default();
    let trouble = match status.as_u16() {
        401 => CloudErrorKind::Expired,
        403 => CloudErrorKind::Denied,
        404 => CloudErrorKind::NotFound,
        _ => CloudErrorKind::Busy,
    };
    let words = match (said.error.message, pause) {
        (Some(words), _) => words,
        (None, Some(pause)) => {
            format!("HTTP {}, asks to be left alone for {}", status.as_u16(), shared::duration::short(pause))
        }
        (None, None) => format!("HTTP {}", status.as_u16()),
    };
    Refusal { code: said.error.code, ..Refusal::new(trouble, words) }
}
