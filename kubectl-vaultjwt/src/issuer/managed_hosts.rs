//! What an issuer's host shows: whether it exists outside its cluster, and whether it is a
//! cloud provider's. Pure.

use url::Url;

/// Names that no resolver outside a cluster knows
/// (kubernetes `dns` specification section 2): asking would only cost time.
pub(super) fn is_cluster_internal(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host.ends_with(".svc") || host.ends_with(".cluster.local")
}

/// Domains of AKS issuers: Azure's public cloud, for the US government, and in
/// China.
const AKS: &[&str] = &["prod-aks.azure.com", "prod-aks.azure.us", "prod-aks.azure.cn"];

/// Domains of EKS issuers by partition of AWS, and their dual-stack forms
/// (botocore `partitions.json`).
const EKS: &[&str] = &[
    "amazonaws.com",
    "amazonaws.com.cn",
    "amazonaws.eu",
    "c2s.ic.gov",
    "sc2s.sgov.gov",
    "cloud.adc-e.uk",
    "csp.hci.ic.gov",
];
const EKS_DUAL_STACK: &[&str] = &[
    "api.aws",
    "api.amazonwebservices.com.cn",
    "api.amazonwebservices.eu",
    "api.aws.ic.gov",
    "api.aws.scloud",
    "api.cloud-aws.adc-e.uk",
    "api.aws.hci.ic.gov",
];

/// Whether an issuer's host is one of the clouds that run clusters for their
/// users. Their API alone knows which cluster an issuer belongs to.
pub fn is_a_clouds(issuer: &str) -> bool {
    let Some(host) = Url::parse(issuer).ok().and_then(|u| u.host_str().map(str::to_ascii_lowercase)) else {
        return false;
    };
    host.starts_with("oidc.eks.")
        || host.starts_with("oidc-eks.")
        || is_aks(&host)
        || host == "container.googleapis.com"
}

/// Whether it is a host of AKS's issuers.
pub(super) fn is_aks(host: &str) -> bool {
    let rest = AKS.iter().find_map(|domain| host.strip_suffix(domain));
    rest.is_some_and(|rest| rest.ends_with(".oic.") || rest == "oidc.")
}

/// Whether only its cloud can sign tokens of this issuer. Stricter than
/// [`is_a_clouds`], because it admits a cluster: the whole name counts, and
/// no user can own a host of these shapes.
pub fn is_managed(issuer: &str) -> bool {
    let Some(url) = Url::parse(issuer).ok().filter(|url| url.scheme() == "https" && url.port().is_none()) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    // The one label between `start` and the domain, where there is one.
    let label = |start: &str, domain: &str| {
        let rest = host.strip_prefix(start)?.strip_suffix(domain)?.strip_suffix('.')?;
        (!rest.contains('.')).then_some(rest)
    };
    EKS.iter().any(|domain| label("oidc.eks.", domain).is_some_and(is_aws_region))
        || EKS_DUAL_STACK.iter().any(|domain| label("oidc-eks.", domain).is_some_and(is_aws_region))
        || AKS.iter().any(|domain| {
            let of_region = host.strip_suffix(domain).and_then(|rest| rest.strip_suffix(".oic."));
            of_region.is_some_and(is_azure_region) || host.strip_suffix(domain) == Some("oidc.")
        })
        || host == "container.googleapis.com"
}

/// `eu-central-1`, `us-gov-west-1`: words and a number. Other names below AWS's
/// domains (`s3`) are its services, and in some of them users choose names.
fn is_aws_region(label: &str) -> bool {
    let Some((words, number)) = label.rsplit_once('-') else { return false };
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    words.contains('-')
        && words.split('-').all(word)
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// `westus2`, `usgovvirginia`
fn is_azure_region(label: &str) -> bool {
    label.starts_with(|c: char| c.is_ascii_lowercase())
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_that_nobody_else_can_own_are_managed() {
        for (issuer, managed) in [
            ("https://oidc.eks.eu-west-1.amazonaws.com/id/A", true),
            ("https://oidc.eks.cn-north-1.amazonaws.com.cn/id/A", true),
            ("https://oidc-eks.eu-west-1.api.aws/id/A", true),
            ("https://oidc.eks.us-gov-west-1.amazonaws.com/id/A", true),
            ("https://oidc.eks.eusc-de-east-1.amazonaws.eu/id/A", true),
            ("https://oidc.eks.us-iso-east-1.c2s.ic.gov/id/A", true),
            ("https://oidc.eks.us-isob-east-1.sc2s.sgov.gov/id/A", true),
            ("https://oidc.eks.eu-isoe-west-1.cloud.adc-e.uk/id/A", true),
            ("https://oidc.eks.us-isof-south-1.csp.hci.ic.gov/id/A", true),
            ("https://oidc-eks.us-iso-east-1.api.aws.ic.gov/id/A", true),
            ("https://westus2.oic.prod-aks.azure.com/t/c/", true),
            ("https://usgovvirginia.oic.prod-aks.azure.us/t/c/", true),
            ("https://chinanorth2.oic.prod-aks.azure.cn/t/c/", true),
            ("https://oidc.prod-aks.azure.com/c/", true),
            ("https://container.googleapis.com/v1/projects/p/locations/l/clusters/c", true),
            ("https://oidc.eks.evil.example/id/1", false),
            ("https://oidc.eks.eu-west-1.amazonaws.com.evil.example/id/1", false),
            ("https://oidc.eks.bucket.s3.eu-west-1.amazonaws.com/id/1", false),
            ("https://oidc.eks.eu-west-1.amazonaws.com:8443/id/1", false),
            ("https://oidc.eks.s3.amazonaws.com/id/1", false),
            ("https://oidc.eks.s3-1.amazonaws.com/id/1", false),
            ("https://oidc.eks.eu-west.amazonaws.com/id/1", false),
            ("https://oidc.eks..amazonaws.com/id/1", false),
            ("https://oidc.eks.amazonaws.com/id/1", false),
            ("https://oidc.eks.eu-west-1.evilamazonaws.com/id/1", false),
            ("https://evil.oic.prod-aks.azure.us.evil.example/", false),
            ("https://.oic.prod-aks.azure.cn/", false),
            ("https://a-b.oic.prod-aks.azure.com/", false),
            ("https://a.b.oic.prod-aks.azure.com/", false),
            ("http://container.googleapis.com/v1", false),
            ("https://oidc.prod-aks.azure.com.evil.example/", false),
        ] {
            assert_eq!(is_managed(issuer), managed, "{issuer}");
            // Where only the cloud can sign, only the cloud can vouch.
            assert!(!managed || is_a_clouds(issuer), "{issuer}");
        }
    }

    #[test]
    fn whatever_looks_like_a_clouds_issuer_is_taken_for_one() {
        for (issuer, clouds) in [
            ("https://oidc.eks.eu-west-1.amazonaws.com/id/A", true),
            ("https://oidc-eks.eu-west-1.api.aws/id/A", true),
            ("https://oidc.eks.not-known-yet.example/id/A", true),
            ("https://westus2.oic.prod-aks.azure.com/t/c/", true),
            ("https://usgovvirginia.oic.prod-aks.azure.us/t/c/", true),
            ("https://chinanorth2.oic.prod-aks.azure.cn/t/c/", true),
            ("https://OIDC.prod-aks.azure.com/c/", true),
            ("https://container.googleapis.com/v1/projects/p/locations/l/clusters/c", true),
            ("https://kubernetes.default.svc", false),
            ("https://westus2.oic.prod-aks.azure.com.example/", false),
            ("https://azure.us/", false),
        ] {
            assert_eq!(is_a_clouds(issuer), clouds, "{issuer}");
        }
    }
}
