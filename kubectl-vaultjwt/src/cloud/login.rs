//! Commands of the clouds' own tools, foremost the one with which a person logs in to a
//! cluster's cloud. Pure.

use crate::cloud::{CloudOverrides, Entry, Verdict, identify};
use crate::shell::word;

/// For EKS, with the profile that is used.
pub fn aws(profile: Option<&str>) -> String {
    command("aws sso login", &[("--profile", profile)])
}

/// For AKS, in the tenant that the kubeconfig names.
pub fn azure(tenant: Option<&str>) -> String {
    command("az login", &[("--tenant", tenant)])
}

/// For the cluster that `entry` points to; `None` where it is of no cloud, or
/// of two.
pub fn of(entry: &Entry) -> Option<String> {
    match identify(entry, &CloudOverrides::default()).verdict.ok()? {
        Verdict::Eks(eks) => Some(aws(eks.profile.as_deref())),
        Verdict::Aks(aks) => Some(azure(aks.tenant.as_deref())),
        Verdict::Gke(_) => Some("gcloud auth login".to_owned()),
        Verdict::Generic => None,
    }
}

/// A command with its flags, where they have a value.
pub fn command(base: &str, flags: &[(&str, Option<&str>)]) -> String {
    let mut command = base.to_owned();
    for (flag, value) in flags {
        if let Some(value) = value {
            command.push_str(&format!(" {flag} {}", word(value)));
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::kubeconfig_entry::Exec;

    #[test]
    fn one_command_for_each_cloud() {
        let entry = |cluster: &str, command: &str, args: &str, env: &[(&str, &str)]| Entry {
            cluster: Some(cluster.to_owned()),
            server: "https://10.0.0.1".to_owned(),
            exec: Some(Exec::of(
                command.to_owned(),
                args.split_whitespace().map(str::to_owned),
                env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
            )),
            ..Entry::default()
        };
        let server = "6dae42f8-4368-4678-94ff-3960e28e3630";
        for (entry, command) in [
            (
                entry("a", "aws", "eks get-token --cluster-name c", &[("AWS_PROFILE", "my prod")]),
                Some("aws sso login --profile 'my prod'"),
            ),
            (entry("a", "aws", "eks get-token --cluster-name c", &[]), Some("aws sso login")),
            (
                entry("a", "kubelogin", &format!("get-token --server-id {server} --tenant-id t1"), &[]),
                Some("az login --tenant t1"),
            ),
            (entry("gke_p_l_c", "gke-gcloud-auth-plugin", "", &[]), Some("gcloud auth login")),
            (entry("kind-a", "other", "", &[]), None),
        ] {
            assert_eq!(of(&entry).as_deref(), command, "{entry:?}");
        }
    }
}
