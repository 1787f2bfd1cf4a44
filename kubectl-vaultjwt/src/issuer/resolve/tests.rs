//! Which issuer, which keys, and which owner: with a cluster and a site that answer from a
//! table.

use super::*;
use crate::issuer::tests::fakes::{FakeCluster, FakeSite, NoClouds, SET_A, SET_B, cluster, site};

async fn found(cluster: &FakeCluster, site: &FakeSite, overrides: &IssuerOverrides) -> Result<Resolved, IssuerError> {
    resolve(cluster, Sources { site, clouds: &NoClouds }, overrides, &[]).await
}

async fn words(cluster: &FakeCluster, site: &FakeSite) -> String {
    found(cluster, site, &IssuerOverrides::default()).await.unwrap_err().to_string()
}

#[tokio::test]
async fn an_internal_issuer_is_owned_by_the_cluster() {
    let resolved =
        found(&cluster("https://kubernetes.default.svc", SET_A), &FakeSite::default(), &IssuerOverrides::default())
            .await
            .unwrap();
    assert_eq!(resolved.owner.cluster_uid.as_deref(), Some("uid-1"));
    assert_eq!(resolved.source, KeySource::ApiServer);
    assert_eq!(resolved.site_unused, Some(SiteUnused::None("its host exists only inside the cluster")));
}

#[tokio::test]
async fn an_issuer_with_a_site_is_its_own_owner() {
    let pages = site(&[
        ("https://i/.well-known/openid-configuration", r#"{"issuer":"https://i/","jwks_uri":"https://i/keys"}"#),
        ("https://i/keys", SET_A),
    ]);
    let resolved = found(&cluster("https://i/", SET_A), &pages, &IssuerOverrides::default()).await.unwrap();
    assert_eq!(resolved.owner, Owner { issuer: "https://i/".into(), cluster_uid: None });
    assert_eq!(resolved.source, KeySource::IssuerSite);
}

#[tokio::test]
async fn an_api_server_that_claims_anothers_issuer_is_refused() {
    let pages = site(&[
        ("https://i/.well-known/openid-configuration", r#"{"issuer":"https://i","jwks_uri":"https://i/keys"}"#),
        ("https://i/keys", SET_A),
    ]);
    assert_eq!(
        words(&cluster("https://i", SET_B), &pages).await,
        "the key set at \"https://i/keys\" and this API server have no key in common: the key set is out of date, or \
         issuer \"https://i\" is not this cluster's"
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
    let resolved =
        found(&cluster("https://i", SET_A), &FakeSite::default(), &IssuerOverrides::default()).await.unwrap();
    assert_eq!(resolved.keys.keys[0].kid.as_deref(), Some("a"));
    assert_eq!(resolved.site_unused, Some(SiteUnused::Unreadable("connection refused".into())));
}

#[tokio::test]
async fn the_flags_decide() {
    let overrides = IssuerOverrides {
        issuer: Some("https://k.svc".into()),
        cluster_uid: Some("mine".into()),
        ..IssuerOverrides::default()
    };
    let secretive = FakeCluster { uid_unreadable: true, ..cluster("https://i", SET_A) };
    let resolved = found(&secretive, &FakeSite::default(), &overrides).await.unwrap();
    assert_eq!(resolved.owner, Owner { issuer: "https://k.svc".into(), cluster_uid: Some("mine".into()) });
    // A UID by hand is for where it cannot be read, not in place of the cluster's own.
    let error = found(&cluster("https://i", SET_A), &FakeSite::default(), &overrides).await.unwrap_err();
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
    let overrides = IssuerOverrides { site_required: true, ..IssuerOverrides::default() };
    let error = found(&cluster("https://i", SET_A), &FakeSite::default(), &overrides).await.unwrap_err();
    assert_eq!(error.to_string(), "the site of issuer \"https://i\" could not be read: connection refused");
    assert_eq!(
        error.hint().as_deref(),
        Some("check that the issuer URL can be reached from here (HTTPS_PROXY), and --issuer-ca-cert")
    );
}

/// Both keys of the vectors.
const BOTH: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"5TdiJTDNM5LkT2PznG0vy3HVhij1aaPMximmmjXjvxY"},{"kty":"OKP","crv":"Ed25519","kid":"b","x":"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"}]}"#;

fn owner(uid: Option<&str>) -> Owner {
    Owner { issuer: "https://i".into(), cluster_uid: uid.map(str::to_owned) }
}

fn pages(keys: &'static str) -> FakeSite {
    site(&[
        ("https://i/.well-known/openid-configuration", r#"{"issuer":"https://i","jwks_uri":"https://i/keys"}"#),
        ("https://i/keys", keys),
    ])
}

/// Owner and source of a cluster with UID `uid-1`, where `enrolled` are on the mount.
async fn form(
    site: &FakeSite,
    keys_from: Option<KeysFrom>,
    enrolled: &[Owner],
) -> Result<(Owner, KeySource), IssuerError> {
    let overrides = IssuerOverrides { keys_from, ..IssuerOverrides::default() };
    let cluster = cluster("https://i", SET_A);
    let resolved = resolve(&cluster, Sources { site, clouds: &NoClouds }, &overrides, enrolled).await?;
    Ok((resolved.owner, resolved.source))
}

#[tokio::test]
async fn an_enrolled_cluster_keeps_its_form() {
    use KeySource::{ApiServer, IssuerSite};
    let (up, down) = (pages(SET_A), FakeSite::default());
    let (mine, by_issuer, neighbor) = (owner(Some("uid-1")), owner(None), owner(Some("uid-2")));
    for (site, enrolled, expected) in [
        (&up, vec![], (by_issuer.clone(), IssuerSite)),
        (&down, vec![], (mine.clone(), ApiServer)),
        (&up, vec![mine.clone()], (mine.clone(), ApiServer)),
        (&down, vec![by_issuer.clone()], (by_issuer.clone(), ApiServer)),
        (&up, vec![neighbor.clone()], (by_issuer.clone(), IssuerSite)),
        (&down, vec![neighbor.clone()], (mine.clone(), ApiServer)),
        (&up, vec![neighbor.clone(), by_issuer.clone(), mine.clone()], (mine.clone(), ApiServer)),
        (&down, vec![neighbor, by_issuer.clone()], (by_issuer.clone(), ApiServer)),
    ] {
        assert_eq!(form(site, None, &enrolled).await.unwrap(), expected, "{enrolled:?}");
    }
    // A flag changes it.
    for enrolled in [&[][..], std::slice::from_ref(&mine), std::slice::from_ref(&by_issuer)] {
        let api = form(&up, Some(KeysFrom::ApiServer), enrolled).await.unwrap();
        assert_eq!(api, (mine.clone(), ApiServer));
        let site = form(&up, Some(KeysFrom::Issuer), enrolled).await.unwrap();
        assert_eq!(site, (by_issuer.clone(), IssuerSite));
        let error = form(&down, Some(KeysFrom::Issuer), enrolled).await.unwrap_err();
        assert_eq!(error.to_string(), "the site of issuer \"https://i\" could not be read: connection refused");
    }
}

#[tokio::test]
async fn who_may_be_enrolled_by_a_uid_that_cannot_be_read_is_not_enrolled_twice() {
    let secretive = FakeCluster { uid_unreadable: true, ..cluster("https://i", SET_A) };
    let (site, overrides) = (pages(SET_A), IssuerOverrides::default());
    let sources = Sources { site: &site, clouds: &NoClouds };
    let error = resolve(&secretive, sources, &overrides, &[owner(Some("uid-1"))]).await.unwrap_err();
    assert!(matches!(error, IssuerError::Uid(_)), "{error}");
    let by_hand = IssuerOverrides { cluster_uid: Some("uid-1".into()), ..IssuerOverrides::default() };
    let resolved = resolve(&secretive, sources, &by_hand, &[owner(Some("uid-1"))]).await.unwrap();
    assert_eq!(resolved.owner, owner(Some("uid-1")));
    let resolved = resolve(&secretive, sources, &overrides, &[owner(Some("uid-1")), owner(None)]).await.unwrap();
    assert_eq!(resolved.owner, owner(None));
}

#[tokio::test]
async fn keys_of_a_file() {
    let file = || Some(KeysFrom::File(KeySet::parse(SET_B.as_bytes()).unwrap()));
    let found = form(&pages(SET_A), file(), &[]).await.unwrap();
    assert_eq!(found, (owner(Some("uid-1")), KeySource::File));
    let overrides = IssuerOverrides { keys_from: file(), ..IssuerOverrides::default() };
    let eks = cluster("https://oidc.eks.eu-west-1.amazonaws.com/id/AB", SET_A);
    let error = self::found(&eks, &FakeSite::default(), &overrides).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "issuer \"https://oidc.eks.eu-west-1.amazonaws.com/id/AB\" is a cloud's: its keys come from its URL, or from an \
         API server that the cloud vouches for, and not from a file"
    );
}

#[tokio::test]
async fn how_the_two_key_sets_differ() {
    let resolved = found(&cluster("https://i", BOTH), &pages(SET_A), &IssuerOverrides::default()).await.unwrap();
    let lag = resolved.lag("c", |_| false).unwrap();
    // What is on the mount is not refused.
    assert_eq!(resolved.lag("c", |_| true), None);
    assert_eq!((lag.url.as_str(), &lag.keys[..]), ("https://i/keys", &["b".to_owned()][..]));
    assert!(resolved.difference.site_only.is_empty());
    let resolved = found(&cluster("https://i", SET_A), &pages(BOTH), &IssuerOverrides::default()).await.unwrap();
    assert_eq!((resolved.lag("c", |_| false), resolved.difference.site_only.len()), (None, 1));
}
