//! A cluster, a site and a cloud that answer from a table.

use crate::cloud::{Entry, Verdict};
use crate::cloud_api::{CloudError, Clouds, ClusterDescription};
use crate::cluster::kubeconfig::KubeconfigError;
use crate::cluster::service_account::ServiceAccount;
use crate::cluster::{Cluster, ClusterError, ClusterTarget};
use crate::issuer::{IssuerSite, SiteError};
use crate::keychain::authority::{Authority, AuthorityId};
use crate::keychain::evidence::Reached;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared::Secret;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use url::Url;

/// Two published vectors of RFC 8037 and RFC 8032, as sets of one key.
pub const SET_A: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"5TdiJTDNM5LkT2PznG0vy3HVhij1aaPMximmmjXjvxY"}]}"#;
pub const SET_B: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"b","x":"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"}]}"#;

pub struct FakeCluster {
    pub target: ClusterTarget,
    pub discovery: String,
    pub keys: &'static str,
    pub uid_unreadable: bool,
    pub forbidden: bool,
    pub entry: Entry,
    /// `iss` of its tokens, where it gives any.
    pub token: Option<&'static str>,
}

#[async_trait]
impl Cluster for FakeCluster {
    fn target(&self) -> &ClusterTarget {
        &self.target
    }
    fn entry(&self) -> Option<&Entry> {
        Some(&self.entry)
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
    async fn root_authorities(&self) -> Result<Vec<AuthorityId>, ClusterError> {
        Ok(Vec::new())
    }
    fn reached(&self, recorded: &[Authority]) -> Reached {
        if recorded.is_empty() { Reached::Unrecorded } else { Reached::Direct }
    }
    fn way(&self) -> Option<Authority> {
        Some(Authority::Direct { id: AuthorityId::of_spki(b"fake"), name: "api.example.com".into() })
    }
    fn trusted(&self) -> Vec<AuthorityId> {
        Vec::new()
    }
    async fn token(&self, account: &ServiceAccount, _: &[String], _: i64) -> Result<Secret, ClusterError> {
        let Some(issuer) = self.token else {
            let (at, account) = (Default::default(), account.clone());
            return Err(ClusterError::TokenForbidden { at, account, words: "no".into() });
        };
        let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"iss":"{issuer}"}}"#));
        Ok(Secret::new(format!("e30.{claims}.AA")))
    }
}

#[derive(Default)]
pub struct FakeSite(pub BTreeMap<&'static str, &'static str>);

#[async_trait]
impl IssuerSite for FakeSite {
    async fn get(&self, url: &Url) -> Result<Vec<u8>, SiteError> {
        match self.0.get(url.as_str()) {
            Some(body) => Ok(body.as_bytes().to_vec()),
            None => Err(SiteError::Transport("connection refused".to_owned())),
        }
    }
}

pub fn cluster(issuer: &str, keys: &'static str) -> FakeCluster {
    let target =
        ClusterTarget { context: None, cluster: "c".into(), server: "https://s".into(), namespace: "default".into() };
    let internal = "https://ip-10-0-0-1.compute.internal/openid/v1/jwks";
    FakeCluster {
        target,
        discovery: format!(r#"{{"issuer":"{issuer}","jwks_uri":"{internal}"}}"#),
        keys,
        uid_unreadable: false,
        forbidden: false,
        entry: Entry::default(),
        token: None,
    }
}

pub fn site(pages: &[(&'static str, &'static str)]) -> FakeSite {
    FakeSite(pages.iter().copied().collect())
}

pub struct NoClouds;

#[async_trait]
impl Clouds for NoClouds {
    async fn describe(&self, _: &Verdict) -> Result<Option<ClusterDescription>, CloudError> {
        Ok(None)
    }
}

/// A cloud with one answer, and how often it was asked.
pub struct FakeClouds(pub Result<ClusterDescription, CloudError>, pub AtomicU32);

impl FakeClouds {
    pub fn asked(&self) -> u32 {
        self.1.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Clouds for FakeClouds {
    async fn describe(&self, _: &Verdict) -> Result<Option<ClusterDescription>, CloudError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.clone().map(Some)
    }
}
