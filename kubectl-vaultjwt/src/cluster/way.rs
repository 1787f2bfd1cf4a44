//! How an API server is reached, judged from the certificates it presented: over a recorded
//! way or another one, and what to record. Pure: no I/O; verifying certificates is
//! arithmetic.
//!
//! A recorded authority is tried as the *only* root, for the name that was recorded with
//! it, whatever bundle, URL, or `tls-server-name` a kubeconfig has: the kubeconfig cannot
//! influence the result.

use crate::cluster::handshake::Handshake;
use crate::keychain::authority::{Authority, AuthorityId, Root, is_generic_name};
use crate::keychain::evidence::Reached;
use der::{Encode as _, Tag, asn1::AnyRef};
use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor};
use rustls::server::ParsedCertificate;

/// A name in the certificate of every API server, and of nothing else that a
/// cluster's authority signs (kubeadm `cmd/kubeadm/app/util/pkiutil`
/// `GetAPIServerAltNames`): kubelets and other servers of the cluster lack it.
const API_SERVER_NAME: &str = "kubernetes.default.svc";

/// How an API server is addressed, and what is trusted there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointAddress {
    /// Scheme, host, port and path, without a slash at the end.
    pub url: String,
    /// Whether the URL has a path: what answers may be something behind the server.
    pub has_path: bool,
    /// The authorities that are trusted; `None` for the system's.
    pub bundle: Option<Vec<CertificateDer<'static>>>,
    /// Whether it is a pod's own cluster, by its service account.
    pub in_pod: bool,
}

/// The authority of a certificate.
pub fn authority_of(certificate: &CertificateDer<'_>) -> Option<AuthorityId> {
    let anchor = anchor(certificate)?;
    // The anchor has the content of the SubjectPublicKeyInfo without its header.
    let spki = AnyRef::new(Tag::Sequence, anchor.subject_public_key_info.as_ref()).ok()?.to_der().ok()?;
    Some(AuthorityId::of_spki(&spki))
}

fn anchor<'a>(certificate: &CertificateDer<'a>) -> Option<TrustAnchor<'static>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone().into_owned()).ok()?;
    roots.roots.pop()
}

/// Whether certificates lead to `root` as the only root.
fn leads_to(handshake: &Handshake, root: &CertificateDer<'_>) -> bool {
    let Some((leaf, intermediates)) = handshake.chain.split_first() else { return false };
    let (Ok(leaf), Some(anchor)) = (ParsedCertificate::try_from(leaf), anchor(root)) else { return false };
    let roots = RootCertStore { roots: vec![anchor] };
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
    verify_server_cert_signed_by_trust_anchor(&leaf, &roots, intermediates, handshake.at, algorithms.all).is_ok()
}

fn is_for(handshake: &Handshake, name: &str) -> bool {
    let leaf = handshake.chain.first().and_then(|leaf| ParsedCertificate::try_from(leaf).ok());
    let name = ServerName::try_from(name.trim_start_matches('[').trim_end_matches(']')).ok();
    leaf.zip(name).is_some_and(|(leaf, name)| verify_server_name(&leaf, &name).is_ok())
}

impl EndpointAddress {
    /// Certificates that may be recorded for an authority: those trusted, and those that
    /// the server presented, which are worth nothing unless the authority is known.
    fn candidates<'a>(&'a self, handshake: &'a Handshake) -> impl Iterator<Item = &'a CertificateDer<'static>> {
        self.bundle.iter().flatten().chain(handshake.chain.iter().skip(1))
    }

    fn leads_to_authority(&self, handshake: &Handshake, id: AuthorityId) -> bool {
        self.candidates(handshake).any(|root| authority_of(root) == Some(id) && leads_to(handshake, root))
    }

    /// What one handshake shows about a recorded way.
    fn over(&self, handshake: &Handshake, recorded: &Authority) -> Reached {
        let reached = |is: bool, reached| if is { reached } else { Reached::Unrecorded };
        match recorded {
            Authority::Direct { id, name } => reached(
                !self.has_path
                    && !is_generic_name(name)
                    && is_for(handshake, name)
                    && is_for(handshake, API_SERVER_NAME)
                    && self.leads_to_authority(handshake, *id),
                Reached::Direct,
            ),
            Authority::Pod { id } => reached(
                self.in_pod
                    && is_for(handshake, API_SERVER_NAME)
                    && self
                        .bundle
                        .iter()
                        .flatten()
                        .any(|root| authority_of(root) == Some(*id) && leads_to(handshake, root)),
                Reached::Direct,
            ),
            Authority::Indirect { root, url, name } => {
                let rooted = match root {
                    Root::System => self.bundle.is_none(),
                    Root::Authority(id) => self.leads_to_authority(handshake, *id),
                };
                // The author of a kubeconfig chooses `tls-server-name` and a proxy: another
                // name at the same URL is another server.
                let named = *name == self.other_name(handshake);
                reached(*url == self.url && named && rooted, Reached::Indirect)
            }
        }
    }

    /// Over which kind of recorded way the API server was reached. All handshakes
    /// count, and the one that shows least decides; none shows nothing.
    pub fn reached(&self, handshakes: Option<&[Handshake]>, recorded: &[Authority]) -> Reached {
        let one = |handshake: &Handshake| {
            recorded.iter().map(|way| self.over(handshake, way)).max().unwrap_or(Reached::Unrecorded)
        };
        handshakes.unwrap_or_default().iter().map(one).min().unwrap_or(Reached::Unrecorded)
    }

    /// The way to record: the authority that the path ended in, not the bundle, with
    /// the name that was verified. `None` before the first handshake, or where the
    /// handshakes of the run do not agree.
    pub fn way(&self, handshakes: Option<&[Handshake]>) -> Option<Authority> {
        let mut ways = handshakes?.iter().map(|handshake| self.way_of(handshake));
        let first = ways.next()??;
        ways.all(|way| way.as_ref() == Some(&first)).then_some(first)
    }

    fn way_of(&self, handshake: &Handshake) -> Option<Authority> {
        let root = match &self.bundle {
            None => Root::System,
            Some(bundle) => {
                let root = bundle.iter().find(|root| leads_to(handshake, root))?;
                Root::Authority(authority_of(root)?)
            }
        };
        let name = handshake.name.to_str().to_ascii_lowercase();
        let name = name.trim_end_matches('.');
        match root {
            Root::Authority(id) if self.in_pod => is_for(handshake, API_SERVER_NAME).then_some(Authority::Pod { id }),
            Root::Authority(id) if !self.has_path && !is_generic_name(name) && is_for(handshake, API_SERVER_NAME) => {
                Some(Authority::Direct { id, name: name.to_owned() })
            }
            root => Some(Authority::Indirect { root, url: self.url.clone(), name: self.other_name(handshake) }),
        }
    }

    /// The name that the certificate was verified for, where it is not the URL's host.
    fn other_name(&self, handshake: &Handshake) -> Option<String> {
        let plain = |name: &str| name.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        let host = self.url.parse::<http::Uri>().ok().and_then(|url| url.host().map(plain));
        let name = plain(&handshake.name.to_str());
        (host.as_ref() != Some(&name)).then_some(name)
    }
}

#[cfg(test)]
mod tests;
