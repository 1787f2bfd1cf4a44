//! Flags that choose a cluster: kubectl's own names and wording (kubernetes/cli-runtime
//! `pkg/genericclioptions/config_flags.go`), because kubectl passes none of its flags on to
//! a plugin.
//!
//! Left out: `--token` (every process of the machine can read a credential in a command
//! line), `--username` and `--password` (removed from Kubernetes), `--cache-dir` and
//! `--disable-compression` (nothing to cache or to compress).

use crate::cluster::kubeconfig::overrides::KubeconfigOverrides;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Which cluster to talk to, and as whom.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "Kubernetes")]
pub struct KubeFlags {
    /// Path to the kubeconfig file to use for CLI requests.
    #[arg(long, value_name = "FILE", global = true, verbatim_doc_comment)]
    pub kubeconfig: Option<PathBuf>,

    /// The name of the kubeconfig context to use
    #[arg(long, value_name = "NAME", global = true)]
    pub context: Option<String>,

    /// The name of the kubeconfig cluster to use
    #[arg(long, value_name = "NAME", global = true)]
    pub cluster: Option<String>,

    /// The name of the kubeconfig user to use
    #[arg(long, value_name = "NAME", global = true)]
    pub user: Option<String>,

    /// If present, the namespace scope for this CLI request
    #[arg(short, long, value_name = "NAMESPACE", global = true)]
    pub namespace: Option<String>,

    /// The address and port of the Kubernetes API server
    #[arg(short, long, value_name = "URL", global = true)]
    pub server: Option<String>,

    /// Path to a cert file for the certificate authority
    #[arg(long, value_name = "FILE", global = true)]
    pub certificate_authority: Option<PathBuf>,

    /// Path to a client certificate file for TLS
    #[arg(long, value_name = "FILE", global = true)]
    pub client_certificate: Option<PathBuf>,

    /// Path to a client key file for TLS
    #[arg(long, value_name = "FILE", global = true)]
    pub client_key: Option<PathBuf>,

    /// Server name to use for server certificate validation. If it is not provided, the hostname used to contact the server is used
    #[arg(long, value_name = "NAME", global = true)]
    pub tls_server_name: Option<String>,

    /// Read as kubectl reads it, and refused by every command (`cluster::kubeconfig`): the help does not offer it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(hide = true, global = true)]
    pub insecure_skip_tls_verify: Option<bool>,

    /// Username to impersonate for the operation. User could be a regular user or a service account in a namespace.
    #[arg(long = "as", value_name = "USER", global = true, verbatim_doc_comment)]
    pub impersonate: Option<String>,

    /// UID to impersonate for the operation.
    #[arg(long = "as-uid", value_name = "UID", global = true, verbatim_doc_comment)]
    pub impersonate_uid: Option<String>,

    /// Group to impersonate for the operation, this flag can be repeated to specify multiple groups.
    #[arg(long = "as-group", value_name = "GROUP", global = true, verbatim_doc_comment)]
    pub impersonate_groups: Vec<String>,

    /// User extras to impersonate for the operation, this flag can be repeated to specify multiple values for the same key.
    #[arg(long = "as-user-extra", value_name = "KEY=VALUE", value_parser = key_value, global = true, verbatim_doc_comment)]
    pub impersonate_user_extra: Vec<(String, String)>,

    /// The length of time to wait before giving up on a single server request. Non-zero values should contain a corresponding time unit (e.g. 1s, 2m, 3h). A value of zero means don't timeout requests. [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = shared::duration::parse, global = true, verbatim_doc_comment)]
    pub request_timeout: Option<Duration>,
}

/// `key=value`; the value may hold further equals signs.
fn key_value(typed: &str) -> Result<(String, String), String> {
    match typed.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("it is not of the form key=value".to_owned()),
    }
}

impl KubeFlags {
    /// What the flags set over the kubeconfig.
    pub fn overrides(&self) -> KubeconfigOverrides {
        let flags = self.clone();
        KubeconfigOverrides {
            kubeconfig: flags.kubeconfig,
            context: flags.context,
            cluster: flags.cluster,
            user: flags.user,
            namespace: flags.namespace,
            server: flags.server,
            certificate_authority: flags.certificate_authority,
            client_certificate: flags.client_certificate,
            client_key: flags.client_key,
            tls_server_name: flags.tls_server_name,
            insecure_skip_tls_verify: flags.insecure_skip_tls_verify,
            impersonate: flags.impersonate,
            impersonate_uid: flags.impersonate_uid,
            impersonate_groups: flags.impersonate_groups,
            impersonate_user_extra: flags.impersonate_user_extra,
            request_timeout: flags.request_timeout,
        }
    }

    /// Whether a flag chooses a cluster or a user.
    pub fn chooses(&self) -> bool {
        let rest = Self { request_timeout: None, ..self.clone() };
        rest != Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    /// The program.
    #[derive(Parser)]
    #[command(no_binary_name = true)]
    struct Program {
        #[command(flatten)]
        kube: KubeFlags,
    }

    fn parse(args: &[&str]) -> Result<KubeFlags, String> {
        Program::try_parse_from(args).map(|p| p.kube).map_err(|e| e.to_string())
    }

    #[test]
    fn every_flag_is_read_under_kubectls_name() {
        let flags = parse(&[
            "--kubeconfig=/k",
            "--context=c",
            "--cluster=l",
            "--user=u",
            "-n=ns",
            "-s=https://h:1",
            "--certificate-authority=/ca",
            "--client-certificate=/cert",
            "--client-key=/key",
            "--tls-server-name=h",
            "--insecure-skip-tls-verify",
            "--as=jane",
            "--as-uid=7",
            "--as-group=a",
            "--as-group=b",
            "--as-user-extra=scopes=view=1",
            "--as-user-extra=scopes=edit",
            "--request-timeout=2m",
        ]);
        assert_eq!(
            flags,
            Ok(KubeFlags {
                kubeconfig: Some("/k".into()),
                context: Some("c".into()),
                cluster: Some("l".into()),
                user: Some("u".into()),
                namespace: Some("ns".into()),
                server: Some("https://h:1".into()),
                certificate_authority: Some("/ca".into()),
                client_certificate: Some("/cert".into()),
                client_key: Some("/key".into()),
                tls_server_name: Some("h".into()),
                insecure_skip_tls_verify: Some(true),
                impersonate: Some("jane".into()),
                impersonate_uid: Some("7".into()),
                impersonate_groups: vec!["a".into(), "b".into()],
                impersonate_user_extra: vec![("scopes".into(), "view=1".into()), ("scopes".into(), "edit".into())],
                request_timeout: Some(Duration::from_secs(120)),
            })
        );
    }

    #[test]
    fn the_boolean_takes_a_value_only_after_an_equals_sign() {
        let insecure = |args: &[&str]| parse(args).map(|f| f.insecure_skip_tls_verify);
        assert_eq!(insecure(&[]), Ok(None));
        assert_eq!(insecure(&["--insecure-skip-tls-verify=false"]), Ok(Some(false)));
        assert!(insecure(&["--insecure-skip-tls-verify", "false"]).is_err());
    }

    #[test]
    fn unusable_values_name_their_flag() {
        assert_eq!(
            parse(&["--request-timeout=soon"]).map_err(|e| e.lines().next().unwrap_or_default().to_owned()),
            Err("error: invalid value 'soon' for '--request-timeout <DURATION>': \"soon\" is not a duration like 90s, 5m or 1h30m".into())
        );
        assert_eq!(
            parse(&["--as-user-extra=scopes"]).map_err(|e| e.lines().next().unwrap_or_default().to_owned()),
            Err("error: invalid value 'scopes' for '--as-user-extra <KEY=VALUE>': it is not of the form key=value"
                .into())
        );
    }

    #[test]
    fn the_wording_is_kubectls() {
        let mut command = Program::command();
        let help = command.render_help().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        for text in [
            "Path to the kubeconfig file to use for CLI requests. ",
            "If present, the namespace scope for this CLI request ",
            "Username to impersonate for the operation. User could be a regular user or a service account in a namespace. ",
        ] {
            assert!(help.contains(text), "{text}");
        }
        assert!(help.starts_with("The program Usage:"), "{help}");
        assert!(help.contains("Kubernetes: --kubeconfig <FILE>"), "{help}");
        command.debug_assert();
    }
}
