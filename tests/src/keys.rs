//! Keys that sign service account tokens. They sign tokens as the API server does, and as
//! someone with a stolen key could.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::KeyPair;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::BoxedUint;
use rsa::pkcs8::{DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::traits::PublicKeyParts;
use serde_json::{Value, json};

/// How a cluster signs its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alg {
    /// RSA 2048, as most clusters do.
    #[default]
    Rs256,
    /// P-256.
    Es256,
}

impl Alg {
    /// Its name in JOSE (RFC 7518).
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

/// A key could not be made or used.
#[derive(Debug, thiserror::Error)]
#[error("{alg} key: {cause}", alg = .alg.name())]
pub struct KeyError {
    alg: Alg,
    cause: String,
}

/// One signing key of a cluster.
#[derive(Clone)]
pub struct SigningKey {
    alg: Alg,
    private: String,
    public: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("alg", &self.alg).field("kid", &self.kid()).finish_non_exhaustive()
    }
}

/// The DER inside a PEM block.
fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).unwrap_or_default()
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate(alg: Alg) -> Result<Self, KeyError> {
        let failed = |cause: &dyn std::fmt::Display| KeyError { alg, cause: cause.to_string() };
        match alg {
            Alg::Rs256 => {
                let key = rsa::PrivateKey::new(&mut rand::rng(), 2_048).map_err(|error| failed(&error))?;
                let private = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| failed(&error))?.to_string();
                let public = key.to_public_key().to_public_key_pem(LineEnding::LF).map_err(|error| failed(&error))?;
                Ok(Self { alg, private, public })
            }
            Alg::Es256 => {
                let key = KeyPair::generate().map_err(|error| failed(&error))?;
                Ok(Self { alg, private: key.serialize_pem(), public: key.public_key_pem() })
            }
        }
    }

    pub fn alg(&self) -> Alg {
        self.alg
    }

    /// The private key, PKCS#8 PEM.
    pub fn private_pem(&self) -> &str {
        &self.private
    }

    /// The public key, SPKI PEM: what belongs into `jwt_validation_pubkeys`.
    pub fn public_pem(&self) -> &str {
        &self.public
    }

    /// The key id as the API server computes it: the SHA-256 of the SPKI DER
    /// (keyIDFromPublicKey in k8s.io/kubernetes/pkg/serviceaccount).
    pub fn kid(&self) -> String {
        URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, &der(&self.public)))
    }

    /// The public key as the API server publishes it (RFC 7517, 7518).
    pub fn jwk(&self) -> Value {
        let mut jwk = json!({"use": "sig", "kid": self.kid(), "alg": self.alg.name()});
        let mut set = |name: &str, value: &[u8]| jwk[name] = json!(URL_SAFE_NO_PAD.encode(value));
        match self.alg {
            Alg::Rs256 => {
                // Neither number has leading zeros there.
                let number = |number: &BoxedUint| -> Vec<u8> {
                    number.to_be_bytes().iter().copied().skip_while(|byte| *byte == 0).collect()
                };
                if let Ok(key) = rsa::PublicKey::from_public_key_pem(&self.public) {
                    set("n", &number(key.n()));
                    set("e", &number(key.e()));
                }
                jwk["kty"] = json!("RSA");
            }
            Alg::Es256 => {
                // The SPKI ends in the point: x and y, 32 bytes each.
                let spki = der(&self.public);
                let (x, y) = spki[spki.len() - 64..].split_at(32);
                set("x", x);
                set("y", y);
                jwk["kty"] = json!("EC");
                jwk["crv"] = json!("P-256");
            }
        }
        jwk
    }

    /// A JWT over `claims` with the header the API server writes.
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn sign(&self, claims: &Value) -> Result<String, KeyError> {
        self.sign_with_header(&json!({"alg": self.alg.name(), "kid": self.kid()}), claims)
    }

    /// A JWT over `claims` with a given header.
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn sign_with_header(&self, header: &Value, claims: &Value) -> Result<String, KeyError> {
        let failed = |cause: String| KeyError { alg: self.alg, cause };
        let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let random = SystemRandom::new();
        let private = der(&self.private);
        let signature = match self.alg {
            Alg::Rs256 => {
                let key = RsaKeyPair::from_pkcs8(&private).map_err(|error| failed(error.to_string()))?;
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature)
                    .map_err(|error| failed(error.to_string()))?;
                signature
            }
            Alg::Es256 => {
                let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &private, &random)
                    .map_err(|error| failed(error.to_string()))?;
                key.sign(&random, message.as_bytes()).map_err(|error| failed(error.to_string()))?.as_ref().to_vec()
            }
        };
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
