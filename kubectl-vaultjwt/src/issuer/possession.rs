//! Whether a token shows that the server that answers has rights in kube-system of a
//! cluster: unbound, of a service account there. A tenant of the cluster can get tokens of
//! other namespaces, and those bound to a pod, node, or secret.

use crate::cluster::service_account::ServiceAccount;
use crate::keychain::element::MountKey;
use crate::keychain::jwk::PublishedKey;
use crate::keychain::key_proof::KeyProof;
use serde_json::Value;
use shared::{Secret, jwt};

/// The service account whose token is requested: every cluster has it.
pub fn account() -> ServiceAccount {
    ServiceAccount { namespace: "kube-system".to_owned(), name: "default".to_owned() }
}

/// Whether a token, whose signature was verified, is bound to nothing that a tenant
/// can create.
pub fn is_unbound(token: &Secret) -> bool {
    let Ok(parts) = jwt::segments(token.expose()) else { return false };
    let Ok(claims) = serde_json::from_slice::<Value>(&parts.claims) else { return false };
    let Some(kubernetes) = claims.get("kubernetes.io").and_then(Value::as_object) else { return false };
    kubernetes.get("namespace").and_then(Value::as_str) == Some("kube-system")
        && ["pod", "node", "secret"].iter().all(|name| kubernetes.get(*name).is_none_or(Value::is_null))
}

/// The keys among `elements`, all of one owner, that such a token may be signed with.
/// Towards a way that is not recorded a key that was only listed counts for nothing:
/// anyone can list another's public key.
pub fn keys<'a>(elements: impl Iterator<Item = &'a MountKey>, way_is_recorded: bool) -> Vec<PublishedKey> {
    let mut keys = Vec::new();
    for element in elements {
        let (Some(key), Some(mark)) = (&element.key, element.provenance()) else { continue };
        if way_is_recorded || mark.proof != Some(KeyProof::Listed) {
            let alg = (!mark.alg.is_empty()).then(|| mark.alg.clone());
            keys.push(PublishedKey { key: key.as_ref().clone(), kid: mark.kid(), alg });
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    #[test]
    fn only_unbound_tokens_of_kube_system() {
        for (claims, unbound) in [
            (r#"{"kubernetes.io":{"namespace":"kube-system","serviceaccount":{"name":"default"}}}"#, true),
            (r#"{"kubernetes.io":{"namespace":"kube-system","pod":null}}"#, true),
            (r#"{"kubernetes.io":{"namespace":"kube-system","pod":{"name":"p"}}}"#, false),
            (r#"{"kubernetes.io":{"namespace":"kube-system","node":{"name":"n"}}}"#, false),
            (r#"{"kubernetes.io":{"namespace":"kube-system","secret":{"name":"s"}}}"#, false),
            (r#"{"kubernetes.io":{"namespace":"team-a"}}"#, false),
            (r#"{"kubernetes.io":[]}"#, false),
            (r#"{"sub":"system:serviceaccount:kube-system:default"}"#, false),
        ] {
            let token = Secret::new(format!("e30.{}.AA", URL_SAFE_NO_PAD.encode(claims)));
            assert_eq!(is_unbound(&token), unbound, "{claims}");
        }
        assert!(!is_unbound(&Secret::new("no JWT")));
    }
}
