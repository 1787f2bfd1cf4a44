//! Asks the active node of an HA cluster for an answer. A change is planned on what was
//! read, and a standby can answer with older state (measured on `OpenBao` 2.7.2: up to 100
//! ms after a write).
//!
//! No header is sent before a server shows that its standbys answer by themselves: they,
//! and only they, send `X-Vault-Index`. Vault's community edition refuses the headers (400,
//! "disabled in configuration"), and needs none: its standbys forward everything. So the
//! first request of a run may be answered by a standby; it only informs, and no change is
//! planned on it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

const INDEX: HeaderName = HeaderName::from_static("x-vault-index");
const INCONSISTENT: HeaderName = HeaderName::from_static("x-vault-inconsistent");
const FORWARD: HeaderName = HeaderName::from_static("x-vault-forward");

#[derive(Debug, Default)]
pub struct ActiveNode(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    how: How,
    /// The server's configuration forbids to ask for the active node.
    forbidden: bool,
}

#[derive(Debug, Default)]
enum How {
    /// All nodes answer alike, or nothing is known yet.
    #[default]
    Any,
    /// `OpenBao`: a standby forwards what asks for an index it has not reached,
    /// and no node reaches this one. (`X-Vault-Forward` it does not know.)
    Beyond(HeaderValue),
    /// Vault Enterprise: the header that its own client has for this; where it
    /// is forbidden, at least this run's own writes must be in the answer.
    Forward(HeaderValue),
}

impl ActiveNode {
    pub fn learn(&self, headers: &HeaderMap) {
        let Some(index) = headers.get(INDEX) else { return };
        self.0.lock().how = beyond(index).map_or_else(|| How::Forward(index.clone()), How::Beyond);
    }

    /// Puts the headers on a request.
    pub fn ask(&self, headers: &mut HeaderMap) {
        let known = self.0.lock();
        match &known.how {
            How::Any => {}
            How::Beyond(_) if known.forbidden => {}
            How::Beyond(index) => {
                headers.insert(INDEX, index.clone());
                headers.insert(INCONSISTENT, HeaderValue::from_static("forward-active-node"));
            }
            // A standby that has not reached the index says 412, and is asked again.
            How::Forward(index) if known.forbidden => {
                headers.insert(INDEX, index.clone());
            }
            How::Forward(_) => {
                headers.insert(FORWARD, HeaderValue::from_static("active-node"));
            }
        }
    }

    /// Whether the server refused a request for its headers alone: then none
    /// of them is sent again, and the request can be.
    pub fn refused(&self, status: u16, body: &[u8]) -> bool {
        let body = String::from_utf8_lossy(body);
        let about_us = body.contains("forwarding via header X-Vault-") || body.contains("X-Vault-Index");
        let mut known = self.0.lock();
        let asked = !known.forbidden && !matches!(known.how, How::Any);
        if status != 400 || !about_us || !asked {
            return false;
        }
        known.forbidden = true;
        true
    }
}

/// An index of the same cluster that is never reached. `OpenBao`'s are base64
/// of `{"cluster":"…","value":"40"}` (measured on 2.7.2).
fn beyond(index: &HeaderValue) -> Option<HeaderValue> {
    let decoded = STANDARD.decode(index.as_bytes()).ok()?;
    let index: Value = serde_json::from_slice(&decoded).ok()?;
    let cluster = index.get("cluster")?.as_str()?;
    let beyond = json!({"cluster": cluster, "value": u64::MAX.to_string()}).to_string();
    HeaderValue::from_str(&STANDARD.encode(beyond)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(node: &ActiveNode) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        node.ask(&mut headers);
        headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
    }

    fn told(index: &str) -> ActiveNode {
        let node = ActiveNode::default();
        let headers = HeaderMap::from_iter([(INDEX, HeaderValue::from_str(index).unwrap())]);
        node.learn(&headers);
        node
    }

    #[test]
    fn where_no_standby_answers_nothing_is_asked() {
        let node = ActiveNode::default();
        node.learn(&HeaderMap::new());
        assert_eq!(asked(&node), []);
        assert!(!node.refused(400, b"forwarding via header X-Vault-Forward disabled in configuration"));
    }

    #[test]
    fn openbao_is_asked_for_more_than_a_standby_has() {
        let node = told(&STANDARD.encode(r#"{"cluster":"c1","value":"40"}"#));
        let beyond = STANDARD.encode(r#"{"cluster":"c1","value":"18446744073709551615"}"#);
        assert_eq!(
            asked(&node),
            [("x-vault-index".into(), beyond), ("x-vault-inconsistent".into(), "forward-active-node".into())]
        );
        assert!(node.refused(400, br#"{"errors":["failed to decode \"X-Vault-Index\""]}"#));
        assert_eq!(asked(&node), []);
    }

    #[test]
    fn vault_enterprise_is_asked_to_forward_and_where_it_may_not_for_our_own_writes() {
        let node = told("v1:abc");
        assert_eq!(asked(&node), [("x-vault-forward".into(), "active-node".into())]);
        assert!(!node.refused(400, b"error parsing public key"));
        let words = br#"{"errors":["forwarding via header X-Vault-Forward disabled in configuration"]}"#;
        assert!(!node.refused(403, words) && node.refused(400, words) && !node.refused(400, words));
        assert_eq!(asked(&node), [("x-vault-index".into(), "v1:abc".into())]);
        node.learn(&HeaderMap::from_iter([(INDEX, HeaderValue::from_static("v1:def"))]));
        assert_eq!(asked(&node), [("x-vault-index".into(), "v1:def".into())]);
    }
}
