//! Why a cluster's issuer or its keys could not be found, and the one thing to do next.

use crate::cloud::Contradiction;
use crate::cloud_api::CloudError;
use crate::cluster::ClusterError;
use crate::issuer::cloud_answer::CloudAnswer;
use crate::issuer::request::NamedBy;
use crate::keychain::jwk::KeySetError;
use shared::text::one_line;

#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error("the discovery document of the API server is not usable: {}", one_line(.0))]
    Discovery(String),
    /// An issuer text no token should carry.
    #[error("issuer \"{}\" is not usable: {why}", one_line(.issuer))]
    Unusable { issuer: String, why: &'static str },
    #[error("the discovery document at \"{url}\" names issuer \"{}\", not \"{}\"", one_line(.found), one_line(.issuer))]
    SiteIsAnother { url: String, found: String, issuer: String },
    #[error("the key set of issuer \"{}\" is not usable: {source}", one_line(.issuer))]
    SiteKeys { issuer: String, source: KeySetError },
    #[error("the key set of the API server is not usable: {0}")]
    ApiKeys(#[source] KeySetError),
    #[error("the key set at \"{}\" and this API server have no key in common: the key set is out of date, or issuer \"{}\" is not this cluster's", one_line(.url), one_line(.issuer))]
    Disjoint {
        issuer: String,
        /// URL of its key set.
        url: String,
    },
    #[error("issuer \"{}\" is a cloud's: its keys come from its URL, or from an API server that the cloud vouches for, and not from a file", one_line(.0))]
    FileForCloud(String),
    /// Keys for a cloud's issuer from an API server that no cloud vouches for.
    #[error("the keys of issuer \"{}\" can only be taken from its own site, which could not be read: {why}{}",
        one_line(.issuer), unconfirmed(.cloud))]
    CloudIssuer { issuer: String, why: String, cloud: Box<CloudAnswer> },
    #[error("{0}")]
    Contradiction(Box<Contradiction>),
    /// No other source could name the issuer either.
    #[error(transparent)]
    Cloud(Box<CloudError>),
    /// A kubeconfig that is a mix of two clusters: `id` is the one that its names and
    /// arguments stand for.
    #[error("the kubeconfig leads to \"{}\", but {} is at {}", one_line(.host), one_line(.id), at(.hosts))]
    OtherEndpoint { id: String, host: String, hosts: Vec<String> },
    /// The cloud, or the names, and the API server name two issuers.
    #[error("{} the issuer \"{}\", but the API server says \"{}\": they are not the same cluster",
        says(*.by), one_line(.issuer), one_line(.theirs))]
    Differ { by: NamedBy, issuer: String, theirs: String },
    #[error("the site of issuer \"{}\" could not be read: {why}", one_line(.issuer))]
    Site { issuer: String, why: String },
    /// `wanted` is `--cluster-uid`.
    #[error("this cluster's UID (of namespace kube-system) is \"{}\", not \"{}\"", one_line(.found), one_line(.wanted))]
    OtherUid { wanted: String, found: String },
    #[error("the cluster's UID (of namespace kube-system) could not be read: {0}")]
    Uid(#[source] ClusterError),
}

fn at(hosts: &[String]) -> String {
    match hosts {
        [] => "no address yet".to_owned(),
        hosts => hosts.iter().map(|host| format!("\"{}\"", one_line(host))).collect::<Vec<_>>().join(" and "),
    }
}

fn says(by: NamedBy) -> &'static str {
    match by {
        NamedBy::Kubeconfig => "the names in the kubeconfig stand for",
        _ => "the cluster's cloud names",
    }
}

/// Why the cloud's answer does not allow reading keys from the API server.
fn unconfirmed(word: &CloudAnswer) -> String {
    match word {
        CloudAnswer::Failed(error) => format!("; and {error}"),
        CloudAnswer::Unconfirmed(described, gap) => format!("; and {}", gap.about(&one_line(&described.id))),
        CloudAnswer::Confirmed(described) if described.authority.is_none() => {
            format!("; and the certificate authority of {} is not told by its cloud", one_line(&described.id))
        }
        CloudAnswer::Confirmed(described) => {
            let theirs = described
                .issuer
                .as_deref()
                .map_or_else(|| "no issuer".to_owned(), |issuer| format!("issuer \"{}\"", one_line(issuer)));
            format!("; and {} has {theirs}", one_line(&described.id))
        }
        CloudAnswer::NotAsked | CloudAnswer::NoCloud => String::new(),
    }
}

impl IssuerError {
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cluster(e) => e.hint(),
            Self::Discovery(_) | Self::Unusable { .. } => {
                Some("give the issuer with --issuer; 'kubectl create token default' issues a token whose iss claim names it".to_owned())
            }
            Self::SiteIsAnother { .. } => Some("give the issuer that the cluster's tokens carry with --issuer".to_owned()),
            Self::SiteKeys { .. } | Self::ApiKeys(_) => {
                Some("look at the key set: kubectl get --raw /openid/v1/jwks".to_owned())
            }
            Self::Disjoint { url, .. } => Some(format!(
                "compare the two (the API server's: kubectl get --raw /openid/v1/jwks); if the cluster replaced its keys, add the new ones to the key set at \"{}\"",
                one_line(url)
            )),
            Self::FileForCloud(_) => Some("leave --keys-from out".to_owned()),
            Self::Contradiction(contradiction) => Some(contradiction.hint()),
            Self::Cloud(error) => Some(error.hint()),
            Self::OtherEndpoint { .. } => Some(
                "write the entry anew with the cloud's own command, or say which cluster it is with --cloud-cluster".to_owned(),
            ),
            Self::Differ { .. } => {
                Some("say which issuer is right with --issuer; see what led here: kubectl vaultjwt issuer".to_owned())
            }
            Self::CloudIssuer { cloud, .. } => Some(match &**cloud {
                CloudAnswer::Failed(error) => error.hint(),
                _ => "run this where the issuer's URL can be reached (a proxy is taken from HTTPS_PROXY)".to_owned(),
            }),
            Self::Site { .. } => Some("check that the issuer URL can be reached from here (HTTPS_PROXY), and --issuer-ca-cert".to_owned()),
            Self::OtherUid { .. } => Some("leave --cluster-uid out: it is for where the UID cannot be read".to_owned()),
            Self::Uid(_) => Some(
                "give it with --cluster-uid; somebody who may read it runs: kubectl get namespace kube-system -o jsonpath={.metadata.uid}"
                    .to_owned(),
            ),
        }
    }
}
