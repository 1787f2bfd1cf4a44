//! What one context shows: which tokens are requested, what they are used for, and that
//! later connections count.

use super::*;
use crate::cluster::service_account::ServiceAccount;
use crate::cluster::{Cluster, ClusterError};
use crate::command::mount::{EnrollmentError, Member, MountPlan, elements};
use crate::command::sync::evidence::{Mount, gather};
use crate::command::{Progress, Step};
use crate::keychain::element::MountKey;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::json;
use shared::Secret;
use std::sync::Mutex;

/// An API server that signs tokens with one key for the namespaces named.
struct Server {
    target: ClusterTarget,
    way: Authority,
    /// What each look at the connection shows; the last one stays.
    reached: Mutex<Vec<Reached>>,
    signs: u8,
    namespaces: &'static [&'static str],
    renewed: Vec<AuthorityId>,
}

impl Server {
    fn new(way: Authority, reached: &[Reached], signs: u8, namespaces: &'static [&'static str]) -> Self {
        let target = ClusterTarget {
            context: Some("c".into()),
            cluster: "c".into(),
            server: "https://s".into(),
            namespace: "team-a".into(),
        };
        let reached = Mutex::new(reached.iter().rev().copied().collect());
        Self { target, way, reached, signs, namespaces, renewed: vec![] }
    }
}

#[async_trait]
impl Cluster for Server {
    fn target(&self) -> &ClusterTarget {
        &self.target
    }
    async fn discovery_document(&self) -> Result<Vec<u8>, ClusterError> {
        unreachable!()
    }
    async fn key_set(&self) -> Result<Vec<u8>, ClusterError> {
        unreachable!()
    }
    async fn uid(&self) -> Result<String, ClusterError> {
        unreachable!()
    }
    async fn root_authorities(&self) -> Result<Vec<AuthorityId>, ClusterError> {
        Ok(self.renewed.clone())
    }
    fn reached(&self, _: &[Authority]) -> Reached {
        let mut reached = self.reached.lock().unwrap();
        if reached.len() > 1 { reached.pop().unwrap() } else { reached[0] }
    }
    fn way(&self) -> Option<Authority> {
        Some(self.way.clone())
    }
    fn trusted(&self) -> Vec<AuthorityId> {
        self.renewed.clone()
    }
    async fn token(&self, account: &ServiceAccount, audiences: &[String], _: i64) -> Result<Secret, ClusterError> {
        if !self.namespaces.contains(&account.namespace.as_str()) {
            let (at, account) = (Default::default(), account.clone());
            return Err(ClusterError::TokenForbidden { at, account, words: "no".into() });
        }
        let now = Timestamp::now().as_second();
        let text = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let claims = json!({"iss": "https://k", "sub": account.subject(), "aud": audiences, "iat": now, "nbf": now,
            "exp": now + 600, "kubernetes.io": {"namespace": account.namespace, "serviceaccount": {"name": account.name}}});
        let message = format!("{}.{}", text(json!({"alg": "EdDSA"})), text(claims));
        let pair = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&[self.signs; 32]).unwrap();
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()));
        Ok(Secret::new(format!("{message}.{signature}")))
    }
}

struct Silent;

impl Progress for Silent {
    fn step(&self, _: Step) {}
}

fn direct(authority: &[u8], name: &str) -> Authority {
    Authority::Direct { id: AuthorityId::of_spki(authority), name: name.into() }
}

fn url() -> Authority {
    Authority::Indirect { root: Root::System, url: "https://t".into(), name: None }
}

fn found(uid: Option<&str>, keys: &[u8]) -> Resolved {
    let mut cluster = seen("c", uid.unwrap_or("1"), keys, false).found.unwrap().cluster;
    if uid.is_none() {
        (cluster.owner.cluster_uid, cluster.source) = (None, KeySource::IssuerSite);
    }
    cluster
}

/// A mount where each of these is enrolled over its ways, and has signed with the key.
fn enrolled(clusters: &[(&Resolved, &[Authority], u8)]) -> Vec<MountKey> {
    let input = input(Scope::Current(None));
    let grounds: Vec<Grounds> = clusters
        .iter()
        .map(|(cluster, ways, signs)| {
            let mut grounds = Grounds::new(cluster, Evidence::NONE, vec![], ways.first().cloned());
            grounds.signer = Some(key(*signs).key.id());
            grounds.enroll(cluster, ways.to_vec());
            grounds
        })
        .collect();
    let members: Vec<Member<'_>> = clusters
        .iter()
        .zip(&grounds)
        .map(|((cluster, ..), grounds)| Member { cluster, name: "c", enroll: true, grounds, recent: None })
        .collect();
    let standing = MountSnapshot { document: None, now: input.now };
    let plan = MountPlan::make(standing, &members, &input.options, &Roles::none()).unwrap();
    assert!(plan.members.iter().all(Result::is_ok), "{:?}", plan.members);
    elements(Some(&plan.document))
}

async fn gathered(
    server: &Server,
    cluster: &Resolved,
    standing: &[MountKey],
    input: &SyncInput,
) -> Result<Grounds, Option<EnrollmentError>> {
    let mount = Mount { standing, now: input.now };
    gather(&Silent, input, server, cluster, "c", mount).await.map_err(|error| match error {
        MemberError::Chain { source, .. } => Some(source),
        _ => None,
    })
}

fn adopting() -> SyncInput {
    let mut input = input(Scope::Current(None));
    input.options.policy.adopt = true;
    input
}

/// Anyone who may edit one namespace gets the cluster's signature: that enrolls no cluster.
#[tokio::test]
async fn a_tenants_token_adopts_nothing_wherever_the_keys_are_read() {
    let by_hand = [MountKey::read(key(1).key.pem().trim())];
    for uid in [None, Some("1")] {
        let cluster = found(uid, &[1]);
        for (namespaces, enrolls) in [(&["team-a"][..], false), (&["team-a", "kube-system"], true)] {
            let server = Server::new(direct(b"ca", "api"), &[Reached::Unrecorded], 1, namespaces);
            let grounds = gathered(&server, &cluster, &by_hand, &adopting()).await.unwrap();
            assert_eq!(grounds.enrolls, enrolls, "{uid:?} {namespaces:?}");
        }
    }
}

/// The key that another cluster copied is added once a token is signed by it.
#[tokio::test]
async fn a_copied_key_needs_a_token_of_its_owner() {
    let (before, after) = (found(Some("1"), &[1]), found(Some("1"), &[1, 2]));
    let neighbor = found(Some("2"), &[7, 2]);
    let everywhere: &[&str] = &["team-a", "kube-system"];
    let api = [direct(b"ca", "api")];
    let standing = enrolled(&[(&before, &api, 1), (&neighbor, &[direct(b"x", "x")], 2)]);
    let input = input(Scope::Current(None));
    for (signs, namespaces, signer) in [(2, everywhere, Some(2)), (1, everywhere, Some(1)), (2, &[], None)] {
        let server = Server::new(api[0].clone(), &[Reached::Direct], signs, namespaces);
        let grounds = gathered(&server, &after, &standing, &input).await.unwrap();
        assert_eq!(grounds.signer, signer.map(|number| key(number).key.id()));
    }
    // Over an indirect way the same token does not show who answers, and says so.
    let standing = enrolled(&[(&before, &[url()], 1), (&neighbor, &[direct(b"x", "x")], 2)]);
    let server = Server::new(url(), &[Reached::Indirect], 2, everywhere);
    let error = gathered(&server, &after, &standing, &input).await.unwrap_err();
    assert!(matches!(error, Some(EnrollmentError::NoPossession { .. })), "{error:?}");
}

/// A certificate authority is renewed with overlap, but not for a name that another
/// cluster of the mount has too.
#[tokio::test]
async fn a_renewed_authority_is_recorded_for_a_name_of_ones_own() {
    let (prod, other) = (found(Some("1"), &[1]), found(Some("2"), &[2]));
    let input = input(Scope::Current(None));
    let new = AuthorityId::of_spki(b"new");
    for (name, record) in [("x", vec![Authority::Direct { id: new, name: "api".into() }]), ("api", vec![])] {
        let standing = enrolled(&[(&prod, &[direct(b"ca", "api")], 1), (&other, &[direct(b"x", name)], 2)]);
        let mut server = Server::new(direct(b"ca", "api"), &[Reached::Direct], 1, &[]);
        server.renewed = vec![new];
        let grounds = gathered(&server, &prod, &standing, &input).await.unwrap();
        assert_eq!(grounds.record, record, "{name}");
    }
}

/// The first answers came over the recorded way, a later one did not.
#[tokio::test]
async fn a_connection_that_changes_after_it_was_judged_ends_the_run() {
    let prod = found(Some("1"), &[1]);
    let standing = enrolled(&[(&prod, &[direct(b"ca", "api")], 1)]);
    let input = input(Scope::Current(None));
    let server = Server::new(direct(b"ca", "api"), &[Reached::Direct, Reached::Unrecorded], 1, &[]);
    let error = gathered(&server, &prod, &standing, &input).await.unwrap_err();
    assert_eq!(error, Some(EnrollmentError::Unsteady { context: "c".into() }));
}
