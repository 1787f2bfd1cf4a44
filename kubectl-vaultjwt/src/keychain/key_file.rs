//! A file with public keys: a JWKS, or PEM blocks as kubeadm has them in `sa.pub`. Pure.

use crate::keychain::jwk::{KEYS_AT_MOST, KeySet, KeySetError, PublishedKey, Skipped};
use crate::keychain::key::PublicKey;

/// Why a file has no usable keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error(transparent)]
    Set(#[from] KeySetError),
    #[error("it is neither a JWKS nor PEM")]
    Form,
    /// What must not leave the cluster.
    #[error("it has a private key (PEM block \"{0}\")")]
    Private(String),
}

/// Reads the keys of a file.
pub fn read(content: &[u8]) -> Result<KeySet, KeyFileError> {
    let text = std::str::from_utf8(content).map_err(|_| KeyFileError::Form)?;
    if text.trim_start().starts_with('{') {
        return Ok(KeySet::parse(content)?);
    }
    let blocks = pem::parse_many(text).map_err(|_| KeyFileError::Form)?;
    if let Some(private) = blocks.iter().find(|block| block.tag().contains("PRIVATE")) {
        return Err(KeyFileError::Private(private.tag().to_owned()));
    }
    if blocks.is_empty() {
        return Err(KeyFileError::Form);
    }
    if blocks.len() > KEYS_AT_MOST {
        return Err(KeySetError::TooMany(blocks.len()).into());
    }
    let keys = blocks.iter().map(|block| match PublicKey::from_spki(block.contents()) {
        Ok(key) => Ok(PublishedKey { key, kid: None, alg: None }),
        Err(why) => Err(Skipped { kid: None, why: format!("PEM block \"{}\": {why}", block.tag()) }),
    });
    Ok(KeySet::sorted(keys, Vec::new())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keychain::plan::tests::key;

    const PRIVATE: &str = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n";

    #[test]
    fn both_forms() {
        let (one, two) = (key(1).key, key(2).key);
        let pem = format!("{}{}{}", one.pem(), two.pem(), one.pem());
        let ids = |set: KeySet| set.keys.iter().map(|key| key.key.id()).collect::<Vec<_>>();
        assert_eq!(ids(read(pem.as_bytes()).unwrap()), [one.id(), two.id()]);
        let jwks = br#" {"keys":[{"kty":"OKP","crv":"Ed25519","x":"5TdiJTDNM5LkT2PznG0vy3HVhij1aaPMximmmjXjvxY"}]}"#;
        assert_eq!(read(jwks).unwrap().keys.len(), 1);
        let skipped = format!("{}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", one.pem());
        assert_eq!(read(skipped.as_bytes()).unwrap().skipped.len(), 1);
    }

    #[test]
    fn what_is_refused() {
        let key = key(1).key.pem();
        for (content, words) in [
            (&b""[..], "it is neither a JWKS nor PEM"),
            (b"\xff", "it is neither a JWKS nor PEM"),
            (b"keys: []", "it is neither a JWKS nor PEM"),
            (b"{", "it is not a JWKS: EOF while parsing an object at line 1 column 1"),
            (br#"{"keys":[]}"#, "it holds no key that Vault can verify with"),
            ((PRIVATE.to_owned() + &key).as_bytes(), "it has a private key (PEM block \"RSA PRIVATE KEY\")"),
            (key.repeat(101).as_bytes(), "it holds 101 keys, more than 100"),
        ] {
            assert_eq!(read(content).unwrap_err().to_string(), words);
        }
    }
}
