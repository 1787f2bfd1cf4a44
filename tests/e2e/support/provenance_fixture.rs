//! Keys on a mount as `setup` writes them, for owners without a real cluster.

use harness::keys::{Alg, SigningKey};

/// A key with provenance.
pub struct ManagedKey<'a> {
    pub issuer: &'a str,
    pub uid: Option<&'a str>,
    pub kid: &'a str,
    pub cluster: &'a str,
    pub retired: Option<&'a str>,
}

impl ManagedKey<'_> {
    /// The entry of the key list, for a new P-256 key.
    pub fn element(&self) -> String {
        let mut text =
            format!("vaultjwt/v2\nissuer: {}\nkid: {}\nalg: ES256\ncluster: {}\n", self.issuer, self.kid, self.cluster);
        if let Some(uid) = self.uid {
            text.push_str(&format!("cluster-uid: {uid}\n"));
        }
        text.push_str("added: 2026-01-01T00:00:00Z\n");
        if let Some(retired) = self.retired {
            text.push_str(&format!("retired: {retired}\n"));
        }
        text.push_str("proof: token\nauthority-1: roots https://api.example.com\n");
        (text + &unmanaged()).trim().to_owned()
    }
}

/// A new P-256 key without provenance.
pub fn unmanaged() -> String {
    SigningKey::generate(Alg::Es256).expect("a key").public_pem().to_owned()
}
