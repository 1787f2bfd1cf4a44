//! A cluster that claims to be another one: a real API server with an authority of its own
//! that shows everything that can be copied from the victim: its issuer, its public keys, and
//! the UID of its `kube-system` namespace.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::cluster::{Cluster, ClusterOptions, Issuer};
use super::{ServerError, success};
use crate::http::Http;
use crate::keys::SigningKey;
use crate::process::locked;

#[derive(Debug, Clone)]
pub struct CopyOptions {
    /// Is the victim's UID written over its own?
    pub uid: bool,
    /// Are the victim's public keys published beside its own?
    pub keys: bool,
    /// DNS names in the certificate of its API server.
    pub server_names: Vec<String>,
}

impl Default for CopyOptions {
    fn default() -> Self {
        Self { uid: true, keys: true, server_names: Vec::new() }
    }
}

impl Cluster {
    /// Starts a cluster with the issuer of `victim` that shows what `options`
    /// say. It signs with a key of its own.
    ///
    /// # Errors
    /// A server does not become ready, or etcd refuses.
    pub fn copy_of(victim: &Cluster, options: &CopyOptions) -> Result<Self, ServerError> {
        let copy = Self::start(ClusterOptions {
            issuer: Issuer::Url(victim.issuer()),
            server_names: options.server_names.clone(),
            ..ClusterOptions::default()
        })?;
        if options.keys {
            copy.publish_beside(&victim.signing_keys());
        }
        if options.uid {
            copy.take_the_uid_of(victim)?;
        } else if options.keys {
            copy.restart_api_server()?;
        }
        Ok(copy)
    }

    /// Starts a cluster that was restored from a backup of `original`: with its UID and its
    /// signing keys, private halves included, and a certificate authority of its own.
    ///
    /// # Errors
    /// A server does not become ready, or etcd refuses.
    pub fn restored_from(original: &Cluster, options: ClusterOptions) -> Result<Self, ServerError> {
        let restored = Self::start(options)?;
        {
            let mut keys = locked(&restored.keys);
            let mut of_original = original.signing_keys();
            if let Some(newest) = of_original.pop() {
                (keys.newest, keys.older) = (newest, of_original);
            }
        }
        restored.take_the_uid_of(original)?;
        Ok(restored)
    }

    /// Publishes these keys too, and restarts the API server. It does not have
    /// their private halves.
    ///
    /// # Errors
    /// The API server does not come back.
    pub fn publish_copies(&self, keys: &[SigningKey]) -> Result<(), ServerError> {
        self.publish_beside(keys);
        self.restart_api_server()
    }

    /// Writes the UID of `victim` over its own, in etcd, and restarts the API
    /// server, which keeps namespaces in memory.
    ///
    /// # Errors
    /// etcd refuses, or the API server does not come back.
    pub fn take_the_uid_of(&self, victim: &Cluster) -> Result<(), ServerError> {
        let (own, wanted) = (self.uid()?, victim.uid()?);
        self.stop_api_server();
        let etcd = Http::new(self.store.address.clone(), None, None)?;
        let key = STANDARD.encode(format!("{}/namespaces/kube-system", self.store.prefix));
        let read = etcd.send("POST", "/v3/kv/range", &[], Some(&json!({ "key": key })))?;
        let read = success("reading kube-system from etcd", read)?.json();
        let value = read["kvs"][0]["value"].as_str().and_then(|value| STANDARD.decode(value).ok());
        let replaced = value.and_then(|value| in_place(value, own.as_bytes(), wanted.as_bytes()));
        let Some(value) = replaced else {
            return Err(ServerError::Refused { what: "the UID in etcd".to_owned(), status: 0, body: read.to_string() });
        };
        let put = json!({"key": key, "value": STANDARD.encode(value)});
        success("writing kube-system to etcd", etcd.send("POST", "/v3/kv/put", &[], Some(&put))?)?;
        self.restart_api_server()
    }
}

/// `value` with every `old` replaced by `new` of the same length: the object
/// is a protobuf message, whose lengths must stay right.
fn in_place(mut value: Vec<u8>, old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let mut found = false;
    if old.is_empty() || old.len() != new.len() {
        return None;
    }
    for at in 0..value.len().saturating_sub(old.len() - 1) {
        if value[at..].starts_with(old) {
            value[at..at + new.len()].copy_from_slice(new);
            found = true;
        }
    }
    found.then_some(value)
}

#[cfg(test)]
mod tests {
    use super::in_place;

    #[test]
    fn lengths_stay_right() {
        assert_eq!(in_place(b"k8s\0aab".to_vec(), b"aa", b"cd").as_deref(), Some(&b"k8s\0cdb"[..]));
        assert_eq!(in_place(b"aa-aa".to_vec(), b"aa", b"cd").as_deref(), Some(&b"cd-cd"[..]));
        for (old, new) in [("x", "y"), ("aa", "longer"), ("", "")] {
            assert_eq!(in_place(b"aa".to_vec(), old.as_bytes(), new.as_bytes()), None, "{old}");
        }
    }
}
