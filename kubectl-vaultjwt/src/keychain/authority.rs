//! A way to a cluster's API server, as it is recorded with the cluster's keys:
//! which certificate authority vouches for the server, and for which name.
//! Pure: text to type and back; `cluster::way` verifies handshakes against it.
//!
//! ```text
//! authority-1: sha256:4f2a… api.production.example.com
//! authority-2: pod sha256:4f2a…
//! authority-3: sha256:77c0… https://rancher.example.com/k8s/clusters/c-1
//! authority-4: roots https://api.edge.example.com:6443
//! authority-5: roots https://203.0.113.4 api.edge.example.com
//! ```

use crate::keychain::evidence::Reached;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Authorities that one owner may have on a mount. Each is a line of text in the
/// mount's one storage entry.
pub const AUTHORITIES_AT_MOST: usize = 8;
/// Longest URL that is recorded, in bytes.
const URL_AT_MOST: usize = 512;

/// Identity of a certificate authority: SHA-256 of its SubjectPublicKeyInfo.
/// A renewed certificate of the same key is the same authority.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthorityId([u8; 32]);

impl AuthorityId {
    /// Of a SubjectPublicKeyInfo in DER (RFC 5280 section 4.1.2.7).
    pub fn of_spki(spki: &[u8]) -> Self {
        Self(Sha256::digest(spki).into())
    }
}

impl fmt::Display for AuthorityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for AuthorityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorityId({self})")
    }
}

impl FromStr for AuthorityId {
    type Err = AuthorityError;

    fn from_str(text: &str) -> Result<Self, AuthorityError> {
        let digest = text.strip_prefix("sha256:").and_then(|digest| URL_SAFE_NO_PAD.decode(digest).ok());
        let digest = digest.and_then(|digest| digest.try_into().ok());
        digest.map(Self).ok_or(AuthorityError)
    }
}

/// The root that certificates lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Root {
    Authority(AuthorityId),
    /// One of the roots of the operating system.
    System,
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authority(id) => write!(f, "{id}"),
            Self::System => f.write_str("roots"),
        }
    }
}

impl FromStr for Root {
    type Err = AuthorityError;

    fn from_str(text: &str) -> Result<Self, AuthorityError> {
        if text == "roots" { Ok(Self::System) } else { text.parse().map(Self::Authority) }
    }
}

/// A recorded way to an API server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Authority {
    /// The server's certificate leads to this authority alone and is valid for
    /// this name, which is the cluster's own.
    Direct {
        id: AuthorityId,
        /// A DNS name in lower case, or an IP address.
        name: String,
    },
    /// The authority that the cluster's pods are given in `ca.crt`.
    Pod { id: AuthorityId },
    /// Anything else: a proxy that ends TLS, system roots, a path, loopback.
    Indirect {
        root: Root,
        /// Scheme, host, port and path.
        url: String,
        /// The name that the certificate was verified for, where it is not the host of
        /// the URL (`tls-server-name`).
        name: Option<String>,
    },
}

impl Authority {
    /// How an API server is reached over it, where it is recorded.
    pub fn reached(&self) -> Reached {
        match self {
            Self::Direct { .. } | Self::Pod { .. } => Reached::Direct,
            Self::Indirect { .. } => Reached::Indirect,
        }
    }

    /// Whether it can be recorded: its text fits a line.
    pub fn is_recordable(&self) -> bool {
        match self {
            Self::Indirect { url, name, .. } => url.len() + name.as_ref().map_or(0, String::len) <= URL_AT_MOST,
            Self::Direct { .. } | Self::Pod { .. } => true,
        }
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct { id, name } => write!(f, "{id} {name}"),
            Self::Pod { id } => write!(f, "pod {id}"),
            Self::Indirect { root, url, name: None } => write!(f, "{root} {url}"),
            Self::Indirect { root, url, name: Some(name) } => write!(f, "{root} {url} {name}"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be \"sha256:… NAME\", \"pod sha256:…\", \"sha256:… URL\" or \"roots URL\"")]
pub struct AuthorityError;

impl FromStr for Authority {
    type Err = AuthorityError;

    fn from_str(text: &str) -> Result<Self, AuthorityError> {
        let plain = |text: &&str| !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        let words: Vec<&str> = text.split(' ').collect();
        if !words.iter().all(plain) {
            return Err(AuthorityError);
        }
        match words[..] {
            ["pod", id] => id.parse().map(|id| Self::Pod { id }),
            [root, url] if url.contains("://") => {
                Ok(Self::Indirect { root: root.parse()?, url: url.to_owned(), name: None })
            }
            [root, url, name] if url.contains("://") && !name.contains("://") => {
                Ok(Self::Indirect { root: root.parse()?, url: url.to_owned(), name: Some(name.to_owned()) })
            }
            [id, name] => Ok(Self::Direct { id: id.parse()?, name: name.to_owned() }),
            _ => Err(AuthorityError),
        }
    }
}

/// First addresses of the Service ranges that installers choose: an API server's certificate
/// has that of its own cluster, so that it distinguishes no two (kubeadm, k3s, EKS twice, AKS,
/// OpenShift, MicroK8s, kubespray, IKS, GKE).
const SERVICE_ADDRESSES: [&str; 11] = [
    "10.96.0.1",
    "10.43.0.1",
    "10.100.0.1",
    "172.20.0.1",
    "10.0.0.1",
    "172.30.0.1",
    "10.152.183.1",
    "10.233.0.1",
    "172.21.0.1",
    "34.118.224.1",
    "10.32.0.1",
];

/// Whether every cluster, or every machine, has this name, so that a certificate
/// for it does not tell one cluster from another.
pub fn is_generic_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = address.parse::<IpAddr>() {
        let address = address.to_canonical();
        let link_local = match address {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        let service = SERVICE_ADDRESSES.iter().any(|service| *service == address.to_string());
        return address.is_loopback() || address.is_unspecified() || link_local || service;
    }
    let domains = [".localhost", ".cluster.local", ".docker.internal", ".minikube.internal"];
    name == "localhost"
        || name.starts_with("kubernetes")
        || name.split('.').any(|label| label == "svc")
        || domains.iter().any(|domain| name.ends_with(domain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(byte: u8) -> AuthorityId {
        AuthorityId([byte; 32])
    }

    #[test]
    fn texts_word_for_word() {
        let hash = "sha256:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
        for (authority, text) in [
            (Authority::Direct { id: id(1), name: "api.example.com".into() }, format!("{hash} api.example.com")),
            (Authority::Pod { id: id(1) }, format!("pod {hash}")),
            (
                Authority::Indirect { root: Root::Authority(id(1)), url: "https://127.0.0.1:6443".into(), name: None },
                format!("{hash} https://127.0.0.1:6443"),
            ),
            (
                Authority::Indirect { root: Root::System, url: "https://r.example.com/k8s/c-1".into(), name: None },
                "roots https://r.example.com/k8s/c-1".into(),
            ),
            (
                Authority::Indirect {
                    root: Root::System,
                    url: "https://203.0.113.4".into(),
                    name: Some("r.example.com".into()),
                },
                "roots https://203.0.113.4 r.example.com".into(),
            ),
        ] {
            assert_eq!(authority.to_string(), text);
            assert_eq!(text.parse(), Ok(authority));
        }
        for text in [
            "",
            "sha256:AQ name",
            hash,
            "roots name",
            "pod roots",
            "sha256 a",
            &format!("{hash} a b"),
            "roots https://a b c",
            "roots  https://a",
            "roots https://a ",
        ] {
            assert_eq!(text.parse::<Authority>(), Err(AuthorityError), "{text}");
        }
    }

    #[test]
    fn names_that_tell_no_cluster_apart() {
        for name in [
            "localhost",
            "a.localhost",
            "127.0.0.1",
            "[::1]",
            "::ffff:127.0.0.1",
            "0.0.0.0",
            "169.254.1.1",
            "10.96.0.1",
            "kubernetes",
            "KUBERNETES.default",
            "kubernetes.default.svc",
            "kubernetes.docker.internal",
            "api.team.svc",
            "api.team.svc.example.com",
            "x.cluster.local.",
            "control-plane.minikube.internal",
        ] {
            assert!(is_generic_name(name), "{name}");
        }
        for name in ["api.example.com", "203.0.113.4", "10.1.2.3", "2001:db8::1", "svcs.example.com", "k8s.example"] {
            assert!(!is_generic_name(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_parsed_is_written_the_same(text in "(pod |roots |sha256:[A-Za-z0-9_-]{43} )?[ -~]{0,60}") {
            if let Ok(authority) = text.parse::<Authority>() {
                prop_assert_eq!(authority.to_string(), text);
            }
        }
    }
}
