//! `issuer`: how the cluster was identified, and what follows. Changes nothing.

use crate::cloud::kubeconfig_entry::Entry;
use crate::cloud::{CloudOverrides, Identity, Verdict, evidence, identify};
use crate::cluster::Cluster;
use crate::command::mount::grounds::without_weak_keys;
use crate::command::report::{CloudReport, ProofReport};
use crate::command::{Progress, patiently, prove_issuer};
use crate::issuer::request::IssuerOverrides;
use crate::issuer::resolve::resolve;
use crate::issuer::{CloudLookup, IssuerError, KeySource, NamedBy, Resolved, Sources};
use serde::Serialize;
use shared::jwt::DEFAULT_AUDIENCE;

/// What `issuer` was asked for, resolved.
#[derive(Clone, Debug)]
pub struct IssuerInput {
    pub entry: Entry,
    pub overrides: IssuerOverrides,
    /// A random audience, new for each run.
    pub nonce: String,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerReport {
    pub context: Option<String>,
    /// URL of the API server.
    pub server: String,
    /// What points to a cloud or a tool, the strongest first.
    pub evidence: Vec<EvidenceReport>,
    /// Whose the cluster is; `null` where the evidence contradicts itself.
    pub verdict: Option<Verdict>,
    /// Which two pieces cannot both be true.
    pub contradiction: Option<String>,
    /// The issuer, byte for byte.
    pub issuer: Option<String>,
    /// UID of the cluster, where it is part of whose keys they are.
    pub cluster_uid: Option<String>,
    /// What the cluster's cloud says; `null` where it was not asked.
    pub cloud: Option<CloudReport>,
    pub named_by: Option<NamedBy>,
    pub key_source: Option<KeySource>,
    pub site_unused: Option<String>,
    /// Why the API server's key set was not compared with the site's.
    #[serde(rename = "notCompared")]
    pub api_keys_unread: Option<String>,
    pub keys: Vec<PublishedKeyReport>,
    /// Keys that were left out, and why.
    pub skipped: Vec<String>,
    /// The way that the API server was reached over, as a mount records it.
    pub authority: Option<String>,
    /// The token that proved it; `null` where it is not proven.
    pub proof: Option<ProofReport>,
    pub unproven: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceReport {
    pub source: evidence::Source,
    pub found: String,
    /// EKS, AKS, GKE, or a tool.
    pub points_to: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedKeyReport {
    pub kid: Option<String>,
    pub alg: Option<String>,
    /// Its type with its size.
    #[serde(rename = "type")]
    pub kind: String,
    /// SHA-256 of the SPKI, base64url.
    pub fingerprint: String,
}

/// Why it ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// A token says something else.
    #[error(transparent)]
    Refuted(prove_issuer::IssuerProofError),
}

impl FindError {
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Issuer(error) => error.hint(),
            Self::Refuted(error) => error.hint(),
        }
    }
}

impl IssuerReport {
    /// What the kubeconfig alone says, and whether it contradicts itself.
    pub fn of_entry(entry: &Entry, given: &CloudOverrides) -> (Self, Option<FindError>) {
        let Identity { evidence: found, verdict: decided } = identify(entry, given);
        let row = |evidence: &evidence::CloudEvidence| EvidenceReport {
            source: evidence.source,
            found: evidence.found.clone(),
            points_to: evidence.claim.words(),
        };
        let report = Self {
            context: entry.context.clone(),
            server: entry.server.clone(),
            evidence: found.iter().map(row).collect(),
            contradiction: decided.as_ref().err().map(ToString::to_string),
            verdict: decided.as_ref().ok().cloned(),
            ..Self::default()
        };
        (report, decided.err().map(|why| IssuerError::Contradiction(why).into()))
    }

    fn tell(&mut self, resolved: &Resolved) {
        self.issuer = Some(resolved.owner.issuer.clone());
        self.cluster_uid = resolved.owner.cluster_uid.clone();
        self.cloud = CloudReport::of(&resolved.cloud);
        self.named_by = Some(resolved.named_by);
        self.key_source = Some(resolved.source);
        self.site_unused = resolved.site_unused.as_ref().map(ToString::to_string);
        self.api_keys_unread = resolved.api_keys_unread.clone();
        self.skipped = resolved.keys.skipped.iter().map(ToString::to_string).collect();
        let keys = resolved.keys.keys.iter().map(|published| PublishedKeyReport {
            kid: published.kid.clone(),
            alg: published.alg.clone(),
            kind: published.key.kind().to_string(),
            fingerprint: published.key.id().to_string(),
        });
        self.keys = keys.collect();
    }
}

/// Finds issuer and keys, and proves them where that can be done. What was
/// found before an error is in the report.
pub async fn run(
    cluster: &dyn Cluster,
    sources: Sources<'_>,
    progress: &dyn Progress,
    input: &IssuerInput,
) -> (IssuerReport, Option<FindError>) {
    let (mut report, contradiction) = IssuerReport::of_entry(&input.entry, &input.overrides.given);
    let mut overrides = input.overrides.clone();
    if contradiction.is_some() {
        // No cloud can be queried about two clusters; what the API server says is
        // there to be seen.
        overrides.ask = CloudLookup::OnlyIfNeeded;
    }
    let work = resolve(cluster, sources, &overrides, &[]);
    let found = patiently(progress, "reading the issuer and its keys", work).await;
    // For what a mount would be given.
    let resolved = match found.and_then(|resolved| without_weak_keys(resolved, &[])) {
        Ok(resolved) => resolved,
        Err(error) => return (report, contradiction.or(Some(error.into()))),
    };
    report.tell(&resolved);
    report.authority = cluster.way().map(|way| way.to_string());
    let audiences = [DEFAULT_AUDIENCE.to_owned(), input.nonce.clone()];
    let work = prove_issuer::ask(cluster, progress, &resolved, &[], &audiences, jiff::Timestamp::now());
    match patiently(progress, "asking for a token", work).await {
        Ok(proven) => {
            report.proof = Some(ProofReport { service_account: proven.account.to_string(), proof: proven.proof });
            (report, contradiction)
        }
        Err(error) => {
            report.unproven = Some(error.to_string());
            // That no token may be created contradicts nothing.
            let refuted = matches!(
                error,
                prove_issuer::IssuerProofError::Contradicted(_) | prove_issuer::IssuerProofError::NotPublished { .. }
            )
            .then_some(FindError::Refuted(error));
            (report, contradiction.or(refuted))
        }
    }
}
