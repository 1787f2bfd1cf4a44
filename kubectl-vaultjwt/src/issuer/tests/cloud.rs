//! What a cluster's cloud changes about issuer, keys and owner.

use super::fakes::{FakeClouds, FakeCluster, FakeSite, NoClouds, SET_A, SET_B, cluster, site};
use crate::cloud::evidence::Cloud;
use crate::cloud::overrides::ClusterId;
use crate::cloud::{CloudOverrides, Entry};
use crate::cloud_api::{CloudError, CloudErrorKind, Clouds, ClusterDescription};
use crate::cluster::ClusterError;
use crate::issuer::request::{CloudLookup, IssuerOverrides};
use crate::issuer::resolve::resolve;
use crate::issuer::{CloudAnswer, EndpointMismatch, IssuerError, KeySource, NamedBy, Resolved, Sources};
use crate::keychain::Owner;
use std::sync::atomic::AtomicU32;

const EKS: &str = "https://oidc.eks.eu-central-1.amazonaws.com/id/AB";
const ARN: &str = "arn:aws:eks:eu-central-1:123456789012:cluster/prod";
const HOST: &str = "0123456789abcdef0123456789abcdef.gr7.eu-central-1.eks.amazonaws.com";
const GKE: &str = "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c";

/// An entry that trusts the authority that [`says`] returns.
fn entry(name: &str, server: &str) -> Entry {
    let server = format!("https://{server}");
    Entry { cluster: Some(name.to_owned()), server, authorities: vec![vec![1]], ..Entry::default() }
}

/// A cluster with an EKS kubeconfig, whose API server claims `issuer`.
fn eks(issuer: &str, keys: &'static str, server: &str) -> FakeCluster {
    FakeCluster { entry: entry(ARN, server), ..cluster(issuer, keys) }
}

fn says(issuer: Option<&str>, host: &str) -> FakeClouds {
    let described = ClusterDescription {
        id: ARN.to_owned(),
        issuer: issuer.map(str::to_owned),
        no_issuer: issuer.is_none().then(|| "it is off".to_owned()),
        hosts: vec![host.to_owned()],
        authority: Some(vec![1]),
    };
    FakeClouds(Ok(described), AtomicU32::new(0))
}

fn refuses() -> FakeClouds {
    let error = CloudError {
        cloud: "EKS",
        cluster: "cluster \"prod\"".into(),
        trouble: CloudErrorKind::Expired,
        code: Some("ExpiredTokenException".into()),
        words: "it is over".into(),
        tried: Vec::new(),
        next: "aws sso login".into(),
    };
    FakeClouds(Err(error), AtomicU32::new(0))
}

fn eks_site() -> FakeSite {
    site(&[
        (
            "https://oidc.eks.eu-central-1.amazonaws.com/id/AB/.well-known/openid-configuration",
            r#"{"issuer":"https://oidc.eks.eu-central-1.amazonaws.com/id/AB","jwks_uri":"https://oidc.eks.eu-central-1.amazonaws.com/id/AB/keys"}"#,
        ),
        ("https://oidc.eks.eu-central-1.amazonaws.com/id/AB/keys", SET_A),
    ])
}

/// The site of [`GKE`].
fn gke_site() -> FakeSite {
    site(&[
        (
            "https://container.googleapis.com/v1/projects/p/locations/l/clusters/c/.well-known/openid-configuration",
            r#"{"issuer":"https://container.googleapis.com/v1/projects/p/locations/l/clusters/c","jwks_uri":"https://container.googleapis.com/v1/projects/p/locations/l/clusters/c/jwks"}"#,
        ),
        ("https://container.googleapis.com/v1/projects/p/locations/l/clusters/c/jwks", SET_A),
    ])
}

async fn found(
    cluster: &FakeCluster,
    site: &FakeSite,
    clouds: &dyn Clouds,
    overrides: &IssuerOverrides,
) -> Result<Resolved, IssuerError> {
    resolve(cluster, Sources { site, clouds }, overrides, &[]).await
}

fn lazy() -> IssuerOverrides {
    IssuerOverrides { ask: CloudLookup::OnlyIfNeeded, ..IssuerOverrides::default() }
}

#[tokio::test]
async fn the_cloud_names_the_issuer_and_is_asked_once() {
    let clouds = says(Some(EKS), HOST);
    let found = found(&eks(EKS, SET_A, HOST), &eks_site(), &clouds, &IssuerOverrides::default()).await.unwrap();
    assert_eq!((found.named_by, found.source, clouds.asked()), (NamedBy::Cloud, KeySource::IssuerSite, 1));
    assert_eq!(found.owner, Owner { issuer: EKS.into(), cluster_uid: None });
    assert!(matches!(found.cloud, CloudAnswer::Confirmed(_)), "{:?}", found.cloud);
}

#[tokio::test]
async fn a_refresh_asks_the_cloud_only_where_it_must() {
    let clouds = refuses();
    let ok = found(&eks(EKS, SET_A, HOST), &eks_site(), &clouds, &lazy()).await.unwrap();
    assert_eq!((ok.named_by, clouds.asked(), ok.cloud), (NamedBy::ApiServer, 0, CloudAnswer::NotAsked));
    // Its site cannot be reached: only the cloud can vouch for the API server.
    let error = found(&eks(EKS, SET_A, HOST), &FakeSite::default(), &clouds, &lazy()).await.unwrap_err();
    assert_eq!(clouds.asked(), 1);
    assert_eq!(
        error.to_string(),
        format!(
            "the keys of issuer \"{EKS}\" can only be taken from its own site, which could not be read: connection \
             refused; and EKS could not be asked about cluster \"prod\": ExpiredTokenException: it is over"
        )
    );
    assert_eq!(error.hint().as_deref(), Some("log in again: aws sso login"));
}

#[tokio::test]
async fn a_cloud_that_cannot_be_asked_leaves_the_api_server_to_name_the_issuer() {
    let clouds = refuses();
    let ok = found(&eks(EKS, SET_A, HOST), &eks_site(), &clouds, &IssuerOverrides::default()).await.unwrap();
    assert_eq!((ok.named_by, ok.source), (NamedBy::ApiServer, KeySource::IssuerSite));
    assert!(matches!(ok.cloud, CloudAnswer::Failed(_)), "{:?}", ok.cloud);
    // Where neither may be asked, it is the cloud that a person can log in to.
    let forbidden = FakeCluster { forbidden: true, ..eks(EKS, SET_A, HOST) };
    let error = found(&forbidden, &eks_site(), &clouds, &IssuerOverrides::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "EKS could not be asked about cluster \"prod\": ExpiredTokenException: it is over");
    assert_eq!(error.hint().as_deref(), Some("log in again: aws sso login"));
}

#[tokio::test]
async fn a_confirmed_clusters_keys_come_from_its_api_server_where_the_site_is_out_of_reach() {
    let nowhere = FakeSite::default();
    for overrides in [IssuerOverrides::default(), lazy()] {
        let ok = found(&eks(EKS, SET_A, HOST), &nowhere, &says(Some(EKS), HOST), &overrides).await.unwrap();
        assert_eq!(ok.source, KeySource::ApiServer);
        // The same owner as by its site.
        assert_eq!(ok.owner, Owner { issuer: EKS.into(), cluster_uid: None });
    }
    // Behind a tunnel nothing vouches for the API server.
    let tunnel = eks(EKS, SET_A, "127.0.0.1:8443");
    let error = found(&tunnel, &nowhere, &says(Some(EKS), HOST), &IssuerOverrides::default()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the keys of issuer \"{EKS}\" can only be taken from its own site, which could not be read: connection \
             refused; and the kubeconfig does not lead straight to {ARN}"
        )
    );
    // Nor where another authority is trusted at the same address.
    let clouds = says(Some(EKS), HOST);
    let mut cluster = eks(EKS, SET_A, HOST);
    for (authorities, confirmed) in
        [(vec![vec![1]], true), (vec![vec![2]], false), (vec![vec![1], vec![2]], false), (vec![], false)]
    {
        cluster.entry.authorities = authorities.clone();
        let ok = found(&cluster, &nowhere, &clouds, &IssuerOverrides::default()).await.is_ok();
        assert_eq!(ok, confirmed, "{authorities:?}");
    }
    // Nor where the cloud gives the cluster another issuer.
    let other = says(Some("https://oidc.eks.eu-central-1.amazonaws.com/id/CD"), HOST);
    let error = found(&eks(EKS, SET_A, HOST), &nowhere, &other, &lazy()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the keys of issuer \"{EKS}\" can only be taken from its own site, which could not be read: connection \
             refused; and {ARN} has issuer \"https://oidc.eks.eu-central-1.amazonaws.com/id/CD\""
        )
    );
    // Nor where no cloud can be queried.
    let error = found(&eks(EKS, SET_A, HOST), &nowhere, &NoClouds, &IssuerOverrides::default()).await.unwrap_err();
    assert!(error.to_string().ends_with("could not be read: connection refused"), "{error}");
}

/// The server has to be verified, or an attacker on the network path can hide the
/// issuer's site, and answer with other keys.
#[tokio::test]
async fn no_key_of_a_clouds_issuer_comes_over_a_connection_that_another_server_can_answer() {
    let nowhere = FakeSite::default();
    let straight = entry(ARN, HOST);
    let named = |name: &str| Entry { tls_server_name: Some(name.to_owned()), ..straight.clone() };
    let system = Entry { authorities: Vec::new(), ..straight.clone() };
    let other_host = HOST.replace("0123", "ffff");
    for (entry, gap) in [
        (straight.clone(), None),
        (named(HOST), None),
        (named(&format!("{}.", HOST.to_uppercase())), None),
        (named("kubernetes"), Some(EndpointMismatch::OtherName)),
        (named(&other_host), Some(EndpointMismatch::OtherName)),
        (system, Some(EndpointMismatch::OtherAuthority)),
    ] {
        for overrides in [IssuerOverrides::default(), lazy()] {
            let cluster = FakeCluster { entry: entry.clone(), ..cluster(EKS, SET_A) };
            let found_so = found(&cluster, &nowhere, &says(Some(EKS), HOST), &overrides).await;
            match (gap, found_so) {
                (None, Ok(found)) => assert_eq!(found.source, KeySource::ApiServer),
                (Some(gap), Err(error)) => {
                    assert!(error.to_string().ends_with(&format!("; and {}", gap.about(ARN))), "{error}");
                }
                (_, other) => panic!("{entry:?}: {other:?}"),
            }
        }
        // Where the site is read, its keys are the issuer's, and a token proves the rest.
        let cluster = FakeCluster { entry, ..cluster(EKS, SET_A) };
        let ok = found(&cluster, &eks_site(), &says(Some(EKS), HOST), &IssuerOverrides::default()).await.unwrap();
        assert_eq!(ok.source, KeySource::IssuerSite);
        assert_eq!(matches!(ok.cloud, CloudAnswer::Confirmed(_)), gap.is_none(), "{:?}", ok.cloud);
    }
    // Nor where AWS does not return the authority, or none that can be read.
    let mut silent = says(Some(EKS), HOST);
    if let Ok(described) = &mut silent.0 {
        described.authority = None;
    }
    let error = found(&eks(EKS, SET_A, HOST), &nowhere, &silent, &lazy()).await.unwrap_err();
    assert!(
        error.to_string().ends_with(&format!("; and the certificate authority of {ARN} is not told by its cloud")),
        "{error}"
    );
}

/// Inside a VPC a pod reaches neither the issuer's site nor the endpoint's name.
#[tokio::test]
async fn a_pod_is_known_by_the_authority_that_the_kubelet_gives_it() {
    let given = CloudOverrides { cluster: Some(ClusterId::read(ARN)), ..CloudOverrides::default() };
    let pod = |authorities: &[u8]| Entry {
        server: "https://10.100.0.1:443".into(),
        authorities: authorities.iter().map(|byte| vec![*byte]).collect(),
        in_pod: true,
        ..Entry::default()
    };
    let tunnel = Entry { in_pod: false, ..pod(&[1]) };
    let words = format!("; and nothing shows that this pod runs in {ARN}");
    let straight = format!("; and the kubeconfig does not lead straight to {ARN}");
    for (entry, authority, refused) in [
        (pod(&[1]), Some(vec![1]), None),
        (pod(&[2]), Some(vec![1]), Some(&words)),
        (pod(&[1, 2]), Some(vec![1]), Some(&words)),
        (pod(&[1]), None, Some(&words)),
        (tunnel, Some(vec![1]), Some(&straight)),
    ] {
        let mut clouds = says(Some(EKS), HOST);
        if let Ok(described) = &mut clouds.0 {
            described.authority = authority;
        }
        let cluster = FakeCluster { entry, ..cluster(EKS, SET_A) };
        let overrides = IssuerOverrides { given: given.clone(), ..lazy() };
        match (found(&cluster, &FakeSite::default(), &clouds, &overrides).await, refused) {
            (Ok(found), None) => assert_eq!(found.source, KeySource::ApiServer),
            (Err(error), Some(words)) => assert!(error.to_string().ends_with(words.as_str()), "{error}"),
            (other, _) => panic!("{other:?}"),
        }
    }
}

/// ARM returns a host and no authority, so an attacker's is as good as any.
#[tokio::test]
async fn the_keys_of_azures_issuers_come_from_their_site_alone() {
    let host = "prod-rg-1.hcp.eastus.azmk8s.io";
    let issuer = "https://eastus.oic.prod-aks.azure.com/t/c/";
    let described = ClusterDescription {
        id: "/subscriptions/s".into(),
        issuer: Some(issuer.into()),
        no_issuer: None,
        hosts: vec![host.into()],
        authority: None,
    };
    let clouds = FakeClouds(Ok(described), AtomicU32::new(0));
    let system = Entry { authorities: Vec::new(), ..entry("prod", host) };
    for entry in [entry("prod", host), system] {
        let cluster = FakeCluster { entry, ..cluster(issuer, SET_B) };
        for (overrides, asked) in [(lazy(), 0), (IssuerOverrides::default(), 1)] {
            let before = clouds.asked();
            let error = found(&cluster, &FakeSite::default(), &clouds, &overrides).await.unwrap_err();
            // Azure's answer would change nothing, so it is neither requested nor reported.
            assert_eq!(clouds.asked() - before, asked);
            assert_eq!(
                error.to_string(),
                format!(
                    "the keys of issuer \"{issuer}\" can only be taken from its own site, which could not be read: \
                     connection refused"
                )
            );
            assert_eq!(
                error.hint().as_deref(),
                Some("run this where the issuer's URL can be reached (a proxy is taken from HTTPS_PROXY)")
            );
        }
    }
}

#[tokio::test]
async fn what_the_cloud_and_the_api_server_say_must_be_the_same() {
    let error =
        found(&eks("https://else", SET_A, HOST), &eks_site(), &says(Some(EKS), HOST), &IssuerOverrides::default())
            .await
            .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the cluster's cloud names the issuer \"{EKS}\", but the API server says \"https://else\": they are not \
             the same cluster"
        )
    );
    assert_eq!(
        error.hint().as_deref(),
        Some("say which issuer is right with --issuer; see what led here: kubectl vaultjwt issuer")
    );
    // One slash is another issuer.
    let slash = format!("{EKS}/");
    let error =
        found(&eks(&slash, SET_A, HOST), &eks_site(), &says(Some(EKS), HOST), &IssuerOverrides::default()).await;
    assert!(matches!(error, Err(IssuerError::Differ { .. })));
}

#[tokio::test]
async fn a_kubeconfig_that_is_a_mix_of_two_clusters() {
    let elsewhere = "ffffffffffffffffffffffffffffffff.gr7.eu-central-1.eks.amazonaws.com";
    let mixed = eks(EKS, SET_A, elsewhere);
    let error = found(&mixed, &eks_site(), &says(Some(EKS), HOST), &IssuerOverrides::default()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("the kubeconfig leads to \"{elsewhere}\", but {ARN} is at \"{HOST}\""));
    assert_eq!(
        error.hint().as_deref(),
        Some("write the entry anew with the cloud's own command, or say which cluster it is with --cloud-cluster")
    );
    let contradictory =
        FakeCluster { entry: entry("arn:aws:eks:us-east-1:123456789012:cluster/prod", HOST), ..cluster(EKS, SET_A) };
    let error =
        found(&contradictory, &eks_site(), &says(Some(EKS), HOST), &IssuerOverrides::default()).await.unwrap_err();
    assert!(error.to_string().ends_with("differ in the region"), "{error}");
    let hint = "say which is right with --aws-region, or correct the entry: kubectl config view --minify";
    assert_eq!(error.hint().as_deref(), Some(hint));
    // A flag decides.
    let given = CloudOverrides { aws_region: Some("eu-central-1".into()), ..CloudOverrides::default() };
    let decided = IssuerOverrides { given, ..IssuerOverrides::default() };
    assert!(found(&contradictory, &eks_site(), &says(Some(EKS), HOST), &decided).await.is_ok());
    let given = CloudOverrides { cloud: Some(Cloud::Generic), ..CloudOverrides::default() };
    let clouds = says(Some(EKS), HOST);
    let generic = IssuerOverrides { given, ..IssuerOverrides::default() };
    assert!(found(&contradictory, &eks_site(), &clouds, &generic).await.is_ok());
}

#[tokio::test]
async fn a_cluster_whose_cloud_gives_it_no_issuer_is_known_by_its_api_server() {
    let clouds = says(None, HOST);
    let inside = eks("https://kubernetes.default.svc", SET_A, HOST);
    let ok = found(&inside, &FakeSite::default(), &clouds, &IssuerOverrides::default()).await.unwrap();
    assert_eq!((ok.named_by, ok.owner.cluster_uid.as_deref()), (NamedBy::ApiServer, Some("uid-1")));
    assert_eq!(ok.cloud.described().and_then(|d| d.no_issuer.as_deref()), Some("it is off"));
}

#[tokio::test]
async fn gkes_names_stand_for_an_issuer_if_its_site_agrees() {
    let name = "gke_p_l_c";
    let forbidden = FakeCluster { forbidden: true, entry: entry(name, "1.2.3.4"), ..cluster("https://else", SET_A) };
    let open = FakeCluster { entry: entry(name, "1.2.3.4"), ..cluster(GKE, SET_A) };
    for cluster in [&forbidden, &open] {
        let ok = found(cluster, &gke_site(), &NoClouds, &IssuerOverrides::default()).await.unwrap();
        assert_eq!(
            (ok.owner.issuer.as_str(), ok.named_by, ok.source),
            (GKE, NamedBy::Kubeconfig, KeySource::IssuerSite)
        );
    }
    // Without the site nothing is believed, not even the API server's keys.
    let error = found(&forbidden, &FakeSite::default(), &NoClouds, &IssuerOverrides::default()).await.unwrap_err();
    assert!(matches!(error, IssuerError::CloudIssuer { .. }), "{error}");
    // Another cluster's keys under that name.
    let another = FakeCluster { keys: SET_B, ..forbidden };
    let error = found(&another, &gke_site(), &NoClouds, &IssuerOverrides::default()).await.unwrap_err();
    assert!(matches!(error, IssuerError::Disjoint { .. }), "{error}");
    // A renamed context.
    let renamed = FakeCluster { entry: entry(name, "1.2.3.4"), ..cluster("https://kubernetes.default.svc", SET_A) };
    let error = found(&renamed, &gke_site(), &NoClouds, &IssuerOverrides::default()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the names in the kubeconfig stand for the issuer \"{GKE}\", but the API server says \
             \"https://kubernetes.default.svc\": they are not the same cluster"
        )
    );
    // Who is enrolled already was proven then; names are not looked at.
    let ok = found(&renamed, &gke_site(), &NoClouds, &lazy()).await.unwrap();
    assert_eq!(ok.named_by, NamedBy::ApiServer);
    let given = CloudOverrides {
        cluster: Some(ClusterId::read("projects/p/locations/l/clusters/c")),
        ..CloudOverrides::default()
    };
    let by_flag = IssuerOverrides { given, ..IssuerOverrides::default() };
    let nameless = FakeCluster { entry: entry("x", "1.2.3.4"), ..cluster(GKE, SET_A) };
    let ok = found(&nameless, &gke_site(), &NoClouds, &by_flag).await.unwrap();
    assert_eq!(ok.named_by, NamedBy::Kubeconfig);
}

#[tokio::test]
async fn where_nobody_may_be_asked_a_token_names_the_issuer() {
    let forbidden = FakeCluster { forbidden: true, token: Some(EKS), ..cluster("https://else", SET_A) };
    let ok = found(&forbidden, &eks_site(), &NoClouds, &IssuerOverrides::default()).await.unwrap();
    assert_eq!((ok.owner.issuer.as_str(), ok.named_by), (EKS, NamedBy::Token));
    let silent = FakeCluster { token: None, ..forbidden };
    let error = found(&silent, &eks_site(), &NoClouds, &IssuerOverrides::default()).await.unwrap_err();
    assert!(matches!(error, IssuerError::Cluster(ClusterError::DiscoveryForbidden { .. })), "{error}");
    let by_flag = IssuerOverrides { issuer: Some(EKS.into()), ..IssuerOverrides::default() };
    let ok = found(&silent, &eks_site(), &NoClouds, &by_flag).await.unwrap();
    assert_eq!(ok.named_by, NamedBy::Flag);
}
