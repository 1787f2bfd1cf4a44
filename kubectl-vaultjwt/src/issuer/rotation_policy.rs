//! How often an issuer replaces its signing keys, where the provider is known. Pure.

use crate::issuer::managed_hosts::{is_aks, is_managed};
use serde::Serialize;
use url::Url;

/// How an issuer replaces its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    pub by: &'static str,
    /// Days between two of them, where they are regular.
    pub every_days: Option<u32>,
}

/// EKS: a key signs for seven days (AWS's own guide for clusters says so of IRSA). AKS: when it
/// likes, and by `az aks oidc-issuer rotate-signing-keys`. For a self-managed cluster, its
/// operator knows.
pub fn of(issuer: &str) -> Option<Rotation> {
    let host = Url::parse(issuer).ok()?.host_str()?.to_owned();
    match host {
        _ if !is_managed(issuer) => None,
        host if host.starts_with("oidc.eks.") || host.starts_with("oidc-eks.") => {
            Some(Rotation { by: "EKS", every_days: Some(7) })
        }
        host if is_aks(&host) => Some(Rotation { by: "AKS", every_days: None }),
        _ => None,
    }
}

impl std::fmt::Display for Rotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let when = match self.every_days {
            Some(days) => format!("every {days} days"),
            None => "without notice".to_owned(),
        };
        write!(
            f,
            "{} replaces this cluster's signing key {when}, and no pod can log in until the new one is here",
            self.by
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_keys_do_not_last() {
        for (issuer, rotation) in [
            ("https://oidc.eks.eu-central-1.amazonaws.com/id/0123", Some(("EKS", Some(7)))),
            ("https://oidc-eks.eu-central-1.api.aws/id/0123", Some(("EKS", Some(7)))),
            ("https://oidc.eks.cn-north-1.amazonaws.com.cn/id/0123", Some(("EKS", Some(7)))),
            ("https://westus2.oic.prod-aks.azure.com/t/u/", Some(("AKS", None))),
            ("https://oidc.prod-aks.azure.com/u/", Some(("AKS", None))),
            ("https://usgovvirginia.oic.prod-aks.azure.us/t/u/", Some(("AKS", None))),
            ("https://chinanorth2.oic.prod-aks.azure.cn/t/u/", Some(("AKS", None))),
            ("https://container.googleapis.com/v1/projects/p/locations/l/clusters/c", None),
            ("https://oidc.eks.example.com/id/0123", None),
            ("https://kubernetes.default.svc", None),
            ("kubernetes/serviceaccount", None),
        ] {
            assert_eq!(of(issuer).map(|rotation| (rotation.by, rotation.every_days)), rotation, "{issuer}");
        }
    }

    #[test]
    fn in_words() {
        assert_eq!(
            Rotation { by: "EKS", every_days: Some(7) }.to_string(),
            "EKS replaces this cluster's signing key every 7 days, and no pod can log in until the new one is here"
        );
        assert_eq!(
            Rotation { by: "AKS", every_days: None }.to_string(),
            "AKS replaces this cluster's signing key without notice, and no pod can log in until the new one is here"
        );
    }
}
