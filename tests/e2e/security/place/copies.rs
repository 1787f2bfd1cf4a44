//! Restored backups and snapshots: what `sync` and `status` report about them.

use super::scene::{SharedMount, cluster, entry, inhabit};
use harness::server::{Cluster, ClusterOptions, Issuer, Product};
use serde_json::{Value, json};

const OLD: &str = "https://place.svc";
const OWN: &str = "https://restored.place.svc";

fn restored(original: &Cluster, issuer: &str) -> Cluster {
    let options = ClusterOptions { issuer: Issuer::Url(issuer.to_owned()), ..ClusterOptions::default() };
    let restored = Cluster::restored_from(original, options).expect("a restored cluster starts");
    inhabit(&restored);
    restored
}

/// With the issuer of the original it claims to be it; with an issuer of its own it is a
/// cluster of its own, whose key is the original's all the same.
#[test]
fn a_restored_backup() {
    let original = cluster(OLD);
    let (same, own) = (restored(&original, OLD), restored(&original, OWN));
    let entries = [entry("a", &original), entry("restored", &same), entry("own", &own)];
    let key = original.signing_key().kid();
    let uid = original.uid().expect("a UID");
    for product in [Product::Vault, Product::OpenBao] {
        let place = SharedMount::new(product, None);
        place.enroll("a", &[], &entries);
        let another = "context \"restored\" claims to be cluster \"a\" (UID ";
        for words in [&["sync", "--context", "restored"][..], &["setup", "--context", "restored"]] {
            place.refused(1, words, &entries, &[another, "but is reached by another way", "it may be another cluster"]);
        }
        place.types(&["setup", "--context", "own", "--same-trust-domain"], &entries).ok();
        let both = format!(
            "key \"{key}\" belongs to both {OWN} (cluster {uid}) and {OLD} (cluster {uid}): one cluster is a copy of the other, and each can act as the other"
        );
        let ran = place.unchanged(&["sync", "--contexts", "a,own"], &entries);
        let other_way = format!("key \"{key}\" belongs to both {OLD} (cluster {uid}) and {OWN} (cluster {uid})");
        assert!(ran.stderr.contains(&both) || ran.stderr.contains(&other_way), "{}", ran.stderr);
        let status = place.types(&["status"], &entries).ok();
        assert!(status.stderr.contains(&both) || status.stderr.contains(&other_way), "{}", status.stderr);
        let document: Value =
            serde_json::from_str(&place.types(&["status", "-o", "json"], &entries).ok().stdout).expect("JSON");
        assert_eq!(document["copies"].as_array().map(Vec::len), Some(1));
        assert_eq!(document["copies"][0]["key"], json!(key));
        place.lets_in(&original);
        place.end(7);
    }
}
