//! Which issuer, which keys, whose: with a cluster and a site that answer
//! from a table.

use super::*;
use crate::cluster::kubeconfig::KubeconfigError;
use crate::cluster::{ServiceAccount, Target};
use crate::issuer::SiteError;
use async_trait::async_trait;
use shared::Secret;
use std::collections::BTreeMap;

/// Two published vectors of RFC 8037 and RFC 8032, as sets of one key.
const SET_A: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const SET_B: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"b","x":"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"}]}"#;

struct FakeCluster {
    target: Target,
    discovery: String,
    keys: &'static str,
    uid_unreadable: bool,
    forbidden: bool,
    implied: Option<&'static str>,
}

#[async_trait]
impl Cluster for FakeCluster {
    fn target(&self) -> &Target {
        &self.target
    }
    fn implied_issuer(&self) -> Option<String> {
        self.implied.map(str::to_owned)
    }
    async fn discovery_document(&self) -> Result<Vec<u8>, ClusterError> {
        if self.forbidden {
            let (at, path) = (Default::default(), "/.well-known/openid-configuration");
            return Err(ClusterError::DiscoveryForbidden { at, path, words: "no".into() });
        }
        Ok(self.discovery.clone().into_bytes())
    }
    async fn key_set(&self) -> Result<Vec<u8>, ClusterError> {
        Ok(self.keys.as_bytes().to_vec())
    }
    async fn uid(&self) -> Result<String, ClusterError> {
        if self.uid_unreadable {
            return Err(KubeconfigError::Missing { looked_at: "nowhere".into() }.into());
        }
        Ok("uid-1".to_owned())
    }
    async fn token(&self, _: &ServiceAccount, _: &[String], _: i64) -> Result<Secret, ClusterError> {
        panic!("no token is asked for here")
    }
}

#[derive(Default)]
struct FakeSite(BTreeMap<&'static str, &'static str>);

#[async_trait]
impl IssuerSite for FakeSite {
    async fn get(&self, url: &Url) -> Result<Vec<u8>, SiteError> {
        match self.0.get(url.as_str()) {
            Some(body) => Ok(body.as_bytes().to_vec()),
            None => Err(SiteError::Transport("connection refused".to_owned())),
        }
    }
}

fn cluster(issuer: &str, keys: &'static str) -> FakeCluster {
    let target = Target { context: None, cluster: "c".into(), server: "https://s".into(), namespace: "default".into() };
    let internal = "https://ip-10-0-0-1.compute.internal/openid/v1/jwks";
    FakeCluster {
        target,
        discovery: format!(r#"{{"issuer":"{issuer}","jwks_uri":"{internal}"}}"#),
        keys,
        uid_unreadable: false,
        forbidden: false,
        implied: None,
    }
}

fn site(pages: &[(&'static str, &'static str)]) -> FakeSite {
    FakeSite(pages.iter().copied().collect())
}

async fn words(cluster: &FakeCluster, site: &FakeSite) -> String {
    resolve(cluster, site, &Wishes::default()).await.unwrap_err().to_string()
}

#[tokio::test]
async fn an_internal_issuer_is_owned_by_the_cluster() {
    let found = resolve(&cluster("https://kubernetes.default.svc", SET_A), &FakeSite::default(), &Wishes::default())
        .await
        .unwrap();
    assert_eq!(found.owner.cluster_uid.as_deref(), Some("uid-1"));
    assert_eq!(found.source, KeySource::ApiServer);
    assert_eq!(found.site_unused, Some(SiteUnused::None("its host exists only inside the cluster")));
}

#[tokio::test]
async fn an_issuer_with_a_site_is_its_own_owner() {
    let pages = site(&[
        ("https://i/.well-known/openid-configuration", r#"{"issuer":"https://i/","jwks_uri":"https://i/keys"}"#),
        ("https://i/keys", SET_A),
    ]);
    let found = resolve(&cluster("https://i/", SET_A), &pages, &Wishes::default()).await.unwrap();
    assert_eq!(found.owner, Owner { issuer: "https://i/".into(), cluster_uid: None });
    assert_eq!(found.source, KeySource::IssuerSite);
}

#[tokio::test]
async fn an_api_server_that_claims_anothers_issuer_is_refused() {
    let pages = site(&[
        ("https://i/.well-known/openid-configuration", r#"{"issuer":"https://i","jwks_uri":"https://i/keys"}"#),
        ("https://i/keys", SET_A),
    ]);
    assert_eq!(
        words(&cluster("https://i", SET_B), &pages).await,
        "issuer \"https://i\" and this API server publish no common key: they are not the same cluster"
    );
}

#[tokio::test]
async fn a_clouds_issuer_is_not_taken_from_an_api_server() {
    for issuer in [
        "https://oidc.eks.eu-west-1.amazonaws.com/id/AB",
        "https://westeurope.oic.prod-aks.azure.com/t/u/",
        "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c",
    ] {
        assert_eq!(
            words(&cluster(issuer, SET_A), &FakeSite::default()).await,
            format!(
                "the keys of issuer \"{issuer}\" can only be taken from its own site, which could not be read: connection refused"
            )
        );
    }
}

#[tokio::test]
async fn a_site_that_names_another_issuer_is_refused() {
    let pages = site(&[(
        "https://i/.well-known/openid-configuration",
        r#"{"issuer":"https://j","jwks_uri":"https://j/keys"}"#,
    )]);
    assert_eq!(
        words(&cluster("https://i", SET_A), &pages).await,
        "the discovery document at \"https://i/.well-known/openid-configuration\" names issuer \"https://j\", not \"https://i\""
    );
}

#[tokio::test]
async fn an_internal_jwks_uri_of_the_api_server_is_never_followed() {
    // FakeSite would answer any URL with a refusal; the set comes from the raw path.
    let found = resolve(&cluster("https://i", SET_A), &FakeSite::default(), &Wishes::default()).await.unwrap();
    assert_eq!(found.keys.keys[0].kid.as_deref(), Some("a"));
    assert_eq!(found.site_unused, Some(SiteUnused::Unreadable("connection refused".into())));
}

#[tokio::test]
async fn the_flags_decide() {
    let wishes = Wishes { issuer: Some("https://k.svc".into()), cluster_uid: Some("mine".into()), ..Wishes::default() };
    let secretive = FakeCluster { uid_unreadable: true, ..cluster("https://i", SET_A) };
    let found = resolve(&secretive, &FakeSite::default(), &wishes).await.unwrap();
    assert_eq!(found.owner, Owner { issuer: "https://k.svc".into(), cluster_uid: Some("mine".into()) });
    // A UID by hand is for where it cannot be read, not in place of the cluster's own.
    let error = resolve(&cluster("https://i", SET_A), &FakeSite::default(), &wishes).await.unwrap_err();
    assert_eq!(error.to_string(), "this cluster's UID (of namespace kube-system) is \"uid-1\", not \"mine\"");
    assert_eq!(error.hint().as_deref(), Some("leave --cluster-uid out: it is for where the UID cannot be read"));
}

#[tokio::test]
async fn claims_that_cannot_be_used() {
    let site = FakeSite::default();
    assert_eq!(words(&cluster("", SET_A), &site).await, "issuer \"\" is not usable: it is empty");
    let html = FakeCluster { discovery: "<html>".into(), ..cluster("", SET_A) };
    assert_eq!(
        words(&html, &site).await,
        "the discovery document of the API server is not usable: expected value at line 1 column 1"
    );
    assert_eq!(
        words(&cluster("https://k.svc", r#"{"keys":[]}"#), &site).await,
        "the key set of the API server is not usable: it holds no key that Vault can verify with"
    );
}

#[tokio::test]
async fn a_site_that_was_asked_for_is_not_passed_over() {
    let wishes = Wishes { site_required: true, ..Wishes::default() };
    let error = resolve(&cluster("https://i", SET_A), &FakeSite::default(), &wishes).await.unwrap_err();
    assert_eq!(error.to_string(), "the site of issuer \"https://i\" could not be read: connection refused");
    assert_eq!(
        error.hint().as_deref(),
        Some("check --issuer-ca-cert, or leave it out to take the keys from the API server")
    );
}

#[test]
fn only_hosts_that_nobody_else_can_own_are_managed() {
    for (issuer, managed) in [
        ("https://oidc.eks.eu-west-1.amazonaws.com/id/A", true),
        ("https://oidc.eks.cn-north-1.amazonaws.com.cn/id/A", true),
        ("https://oidc-eks.eu-west-1.api.aws/id/A", true),
        ("https://westus2.oic.prod-aks.azure.com/t/c/", true),
        ("https://container.googleapis.com/v1/projects/p/locations/l/clusters/c", true),
        ("https://oidc.eks.evil.example/id/1", false),
        ("https://oidc.eks.eu-west-1.amazonaws.com.evil.example/id/1", false),
        ("https://oidc.eks.bucket.s3.eu-west-1.amazonaws.com/id/1", false),
        ("https://oidc.eks.eu-west-1.amazonaws.com:8443/id/1", false),
        ("https://a.b.oic.prod-aks.azure.com/", false),
        ("http://container.googleapis.com/v1", false),
        ("https://oidc.prod-aks.azure.com.evil.example/", false),
    ] {
        assert_eq!(is_managed(issuer), managed, "{issuer}");
    }
}

const GKE: &str = "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c";

/// The site of [`GKE`].
fn gke_site() -> FakeSite {
    FakeSite(BTreeMap::from([
        (
            "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c/.well-known/openid-configuration",
            r#"{"issuer":"https://container.googleapis.com/v1/projects/p/locations/l/clusters/c","jwks_uri":"https://container.googleapis.com/v1/projects/p/locations/l/clusters/c/jwks"}"#,
        ),
        ("https://container.googleapis.com/v1/projects/p/locations/l/clusters/c/jwks", SET_A),
    ]))
}

#[tokio::test]
async fn where_the_api_server_may_not_be_asked_gkes_names_will_do_if_the_site_agrees() {
    let forbidden = FakeCluster { forbidden: true, implied: Some(GKE), ..cluster("https://else", SET_A) };
    let found = resolve(&forbidden, &gke_site(), &Wishes::default()).await.unwrap();
    assert_eq!(
        (found.owner.issuer.as_str(), found.named_by, found.source),
        (GKE, NamedBy::Kubeconfig, KeySource::IssuerSite)
    );
    // Without the site nothing is believed, not even the API server's keys.
    let error = resolve(&forbidden, &FakeSite::default(), &Wishes::default()).await.unwrap_err();
    assert!(matches!(error, IssuerError::CloudIssuer { .. }), "{error}");
    // Another cluster's keys under that name.
    let another = FakeCluster { keys: SET_B, ..forbidden };
    let error = resolve(&another, &gke_site(), &Wishes::default()).await.unwrap_err();
    assert!(matches!(error, IssuerError::Disjoint(_)), "{error}");
}

#[tokio::test]
async fn what_the_api_server_says_beats_names() {
    let says = FakeCluster { implied: Some(GKE), ..cluster("https://kubernetes.default.svc", SET_A) };
    let found = resolve(&says, &gke_site(), &Wishes::default()).await.unwrap();
    assert_eq!((found.owner.issuer.as_str(), found.named_by), ("https://kubernetes.default.svc", NamedBy::ApiServer));
    let nameless = FakeCluster { forbidden: true, ..cluster("https://else", SET_A) };
    let error = resolve(&nameless, &gke_site(), &Wishes::default()).await.unwrap_err();
    assert!(matches!(error, IssuerError::Cluster(ClusterError::DiscoveryForbidden { .. })), "{error}");
    let by_flag = Wishes { issuer: Some(GKE.into()), ..Wishes::default() };
    let found = resolve(&nameless, &gke_site(), &by_flag).await.unwrap();
    assert_eq!(found.named_by, NamedBy::Flag);
}
