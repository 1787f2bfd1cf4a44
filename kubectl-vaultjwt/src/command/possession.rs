//! Requests the token that shows whether an API server has the private key of an enrolled
//! cluster. It is never the only evidence (`keychain::evidence`): it can be relayed.

use crate::cluster::Cluster;
use crate::command::prove_issuer::LIFETIME;
use crate::command::{Progress, Step};
use crate::issuer::possession::{account, is_unbound, keys};
use crate::issuer::proof::{self, ProofRequest};
use crate::issuer::{KeySource, Resolved, is_managed};
use crate::keychain::Owner;
use crate::keychain::element::MountKey;
use crate::keychain::evidence::Reached;
use crate::keychain::jwk::PublishedKey;
use crate::keychain::key_id::KeyId;
use crate::keychain::key_proof::KeyProof;
use jiff::Timestamp;

/// What is requested, and of whom.
#[derive(Clone, Copy)]
pub struct PossessionRequest<'a> {
    /// The cluster that the API server claims to be.
    pub owner: &'a Owner,
    pub elements: &'a [MountKey],
    pub reached: Reached,
    /// A random audience, new for each run.
    pub nonce: &'a str,
}

/// The key of the owner that signed a fresh token of kube-system, or why none did.
pub async fn show(
    cluster: &dyn Cluster,
    progress: &dyn Progress,
    request: PossessionRequest<'_>,
) -> Result<KeyId, String> {
    let ours = request.elements.iter().filter(|element| element.is_of(request.owner));
    signer(cluster, progress, request, keys(ours, request.reached != Reached::Unrecorded)).await
}

/// The same for any keys: those that the API server publishes, say.
pub async fn signer(
    cluster: &dyn Cluster,
    progress: &dyn Progress,
    request: PossessionRequest<'_>,
    keys: Vec<PublishedKey>,
) -> Result<KeyId, String> {
    let account = account();
    let audiences = [request.nonce.to_owned()];
    let token = cluster.token(&account, &audiences, LIFETIME).await.map_err(|error| error.to_string())?;
    let claim = ProofRequest {
        issuer: &request.owner.issuer,
        keys: &keys,
        subject: &account.subject(),
        audiences: &audiences,
        now: Timestamp::now(),
    };
    let proof = proof::check(&token, claim).map_err(|error| error.to_string())?;
    if !is_unbound(&token) {
        return Err(format!("the token of service account \"{account}\" is bound to a pod, node or secret"));
    }
    progress.step(Step::Detail(format!("a token of service account \"{account}\" is signed by a key of the cluster")));
    Ok(proof.key)
}

/// Unmanaged keys that are known to be the cluster's: all that its provider publishes,
/// else the one that signs tokens of kube-system. Anyone can publish a copy of a key at a
/// URL of their own. `adopts`: for the message only.
pub async fn adoptable(
    cluster: &dyn Cluster,
    progress: &dyn Progress,
    request: PossessionRequest<'_>,
    resolved: &Resolved,
    adopts: bool,
) -> Vec<KeyId> {
    if resolved.source == KeySource::IssuerSite && is_managed(&resolved.owner.issuer) {
        return resolved.keys.keys.iter().map(|published| published.key.id()).collect();
    }
    match signer(cluster, progress, request, resolved.keys.keys.clone()).await {
        Ok(key) => vec![key],
        Err(why) => {
            let what = if adopts { "is adopted" } else { "counts as this cluster's" };
            progress.step(Step::Skipped(format!("no unmanaged key {what}: {why}")));
            Vec::new()
        }
    }
}

/// Whether the owner was enrolled without verification, so that the user's word can
/// replace a token again.
pub fn is_trusted(elements: &[MountKey], owner: &Owner) -> bool {
    let proofs = || {
        let marks = elements.iter().filter_map(MountKey::provenance).filter(|mark| mark.owner == *owner);
        marks.filter_map(|mark| mark.proof)
    };
    // A file whose keys a token verified needed no word.
    let by_file = proofs().any(|proof| proof == KeyProof::File) && !proofs().any(KeyProof::is_own);
    by_file || proofs().any(|proof| proof == KeyProof::Trusted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain::plan::tests::key;
    use crate::keychain::provenance::Provenance;

    #[test]
    fn whose_word_may_be_taken_again() {
        let owner = Owner { issuer: "https://i".into(), cluster_uid: Some("u1".into()) };
        let elements = |proofs: &[KeyProof]| -> Vec<MountKey> {
            let mark = |proof: &KeyProof| Provenance {
                owner: owner.clone(),
                kid: String::new(),
                alg: String::new(),
                cluster: String::new(),
                added: "2026-11-24T12:00:00Z".into(),
                retired: None,
                proof: Some(*proof),
                authorities: Vec::new(),
                previous_issuers: Vec::new(),
                unknown: Default::default(),
            };
            (1..).zip(proofs).map(|(number, proof)| MountKey::write(&key(number), &mark(proof))).collect()
        };
        for (proofs, trusted) in [
            (&[KeyProof::Trusted][..], true),
            (&[KeyProof::File, KeyProof::File], true),
            (&[KeyProof::File, KeyProof::Way], true),
            // A token verified one of the file's keys.
            (&[KeyProof::File, KeyProof::Token], false),
            (&[KeyProof::Token, KeyProof::Listed], false),
        ] {
            assert_eq!(is_trusted(&elements(proofs), &owner), trusted, "{proofs:?}");
        }
    }
}
