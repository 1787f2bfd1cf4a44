//! Recognizes EKS: what `aws eks update-kubeconfig`, eksctl, and aws-iam-authenticator
//! write, and the shape of EKS endpoints.

use crate::cloud::kubeconfig_entry::Exec;
use serde::Serialize;

/// An EKS cluster, as far as it is known: by one trace, or by all together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EksCluster {
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: Option<String>,
    pub region: Option<String>,
    pub account: Option<String>,
    /// The name, or the id of a local cluster on Outposts; without either, it is
    /// looked for by its endpoint.
    pub name: Option<String>,
    /// Host of its endpoint, where the kubeconfig leads there directly; known of all traces
    /// together only.
    pub endpoint: Option<String>,
    /// The role that tokens are asked for with.
    pub role: Option<String>,
    /// The profile of AWS's configuration that the kubeconfig names.
    pub profile: Option<String>,
    /// Whether it is an argument, which goes before keys in the environment, and
    /// no variable, which does not.
    #[serde(skip)]
    pub profile_is_argument: bool,
}

/// `arn:<partition>:eks:<region>:<account>:cluster/<name>`, which update-kubeconfig
/// gives the cluster entry even where the context has an alias.
pub fn arn(text: &str) -> Option<EksCluster> {
    let ["arn", partition, "eks", region, account, resource] = text.splitn(6, ':').collect::<Vec<_>>()[..] else {
        return None;
    };
    let name = resource.strip_prefix("cluster/").filter(|name| !name.is_empty() && !name.contains('/'))?;
    let is = partition.starts_with("aws") && !region.is_empty();
    let number = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    (is && number).then(|| EksCluster {
        partition: Some(partition.to_owned()),
        region: Some(region.to_owned()),
        account: Some(account.to_owned()),
        name: Some(name.to_owned()),
        ..EksCluster::default()
    })
}

/// Suffixes of endpoints, by partition. The region comes before them.
const ENDPOINTS: &[(&str, &str)] = &[
    // Before its own suffix, of which it is a longer form.
    (".eks.amazonaws.com.cn", "aws-cn"),
    (".eks.amazonaws.com", "aws"),
    (".eks.amazonaws.eu", "aws-eusc"),
    (".api.amazonwebservices.com.cn", "aws-cn"),
    (".api.aws", "aws"),
];

/// `<32 hex>.<2 or 3 characters>.<region>.eks.amazonaws.com` and, since the end
/// of 2024, `<…>.eks-cluster.<region>.api.aws`.
pub fn endpoint(host: &str) -> Option<EksCluster> {
    let (rest, partition) =
        ENDPOINTS.iter().find_map(|(suffix, partition)| Some((host.strip_suffix(suffix)?, *partition)))?;
    let labels: Vec<&str> = rest.split('.').collect();
    // 32 hexadecimal digits by now. The domain is AWS's, whatever they become.
    let id = |label: &str| label.len() >= 8 && label.bytes().all(|b| b.is_ascii_alphanumeric());
    let region = match labels.as_slice() {
        [first, _, region] if id(first) && !host.contains(".api.") => *region,
        [first, .., "eks-cluster", region] if id(first) && host.contains(".api.") => *region,
        _ => return None,
    };
    let partition = if region.starts_with("us-gov-") { "aws-us-gov" } else { partition };
    Some(EksCluster { partition: Some(partition.to_owned()), region: Some(region.to_owned()), ..EksCluster::default() })
}

/// `<name>.<region>.eksctl.io`
pub fn eksctl(cluster: &str) -> Option<EksCluster> {
    let (name, region) = cluster.strip_suffix(".eksctl.io")?.rsplit_once('.')?;
    let named = !name.is_empty() && !region.is_empty();
    named.then(|| EksCluster { name: Some(name.to_owned()), region: Some(region.to_owned()), ..EksCluster::default() })
}

/// The call of `aws eks get-token` or `aws-iam-authenticator token`.
pub fn exec(exec: &Exec) -> Option<EksCluster> {
    let text = |value: Option<&str>| value.map(str::to_owned);
    let (cluster, role) = match exec.program() {
        "aws" if exec.has("eks") && exec.has("get-token") => {
            let cluster = exec.flag(&["--cluster-id"]).or(exec.flag(&["--cluster-name"]));
            // `--role` is how update-kubeconfig abbreviates it.
            (cluster, exec.flag(&["--role-arn", "--role"]))
        }
        // It has one flag for name and id.
        "aws-iam-authenticator" if exec.has("token") => {
            (exec.flag(&["-i", "--cluster-id"]), exec.flag(&["-r", "--role"]))
        }
        _ => return None,
    };
    let argument = exec.flag(&["--profile"]);
    let region = exec.flag(&["--region"]).or(exec.variable("AWS_REGION")).or(exec.variable("AWS_DEFAULT_REGION"));
    Some(EksCluster {
        region: text(region),
        name: text(cluster),
        role: text(role),
        profile: text(argument.or(exec.variable("AWS_PROFILE"))),
        profile_is_argument: argument.is_some(),
        ..EksCluster::default()
    })
}
