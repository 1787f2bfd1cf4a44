//! Flags that say which Vault is used and how to connect to it, as typed. There is no flag
//! for the token: every process of the machine can read the arguments.

use crate::vault::settings::VaultOverrides;
use std::time::Duration;

/// The flags of the group "Vault". Each one beats its environment variable.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Vault")]
pub struct VaultFlags {
    /// Address of Vault or OpenBao, for example https://vault.example.com:8200 [env: VAULT_ADDR]
    #[arg(id = "vault_addr", long = "vault-addr", value_name = "URL")]
    pub addr: Option<String>,

    /// Vault namespace, for example admin/team [env: VAULT_NAMESPACE]
    #[arg(id = "vault_namespace", long = "vault-namespace", value_name = "NAMESPACE")]
    pub namespace: Option<String>,

    /// PEM file with the only certificate authorities to trust [env: VAULT_CACERT]
    #[arg(id = "vault_ca_cert", long = "vault-ca-cert", value_name = "FILE", conflicts_with = "vault_ca_path")]
    pub ca_cert: Option<String>,

    /// Directory of PEM files with the only certificate authorities to trust [env: VAULT_CAPATH]
    #[arg(id = "vault_ca_path", long = "vault-ca-path", value_name = "DIR")]
    pub ca_path: Option<String>,

    /// Do not verify Vault's certificate. Whoever is on the way can then read and change everything [env: VAULT_SKIP_VERIFY]
    #[arg(id = "vault_skip_verify", long = "vault-skip-verify", value_name = "BOOL")]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub skip_verify: Option<bool>,

    /// Name that Vault's certificate must bear where it is not the address's host; connects without a proxy [env: VAULT_TLS_SERVER_NAME]
    #[arg(id = "vault_tls_server_name", long = "vault-tls-server-name", value_name = "NAME")]
    pub tls_server_name: Option<String>,

    /// Longest time for one request with its retries, 60s if not given; 0 for no limit [env: VAULT_CLIENT_TIMEOUT]
    #[arg(id = "vault_timeout", long = "vault-timeout", value_name = "DURATION", value_parser = shared::duration::parse)]
    pub timeout: Option<Duration>,
}

impl VaultFlags {
    /// What the flags set over the environment.
    pub fn overrides(&self) -> VaultOverrides {
        let flags = self.clone();
        VaultOverrides {
            addr: flags.addr,
            namespace: flags.namespace,
            ca_cert: flags.ca_cert,
            ca_path: flags.ca_path,
            skip_verify: flags.skip_verify,
            tls_server_name: flags.tls_server_name,
            timeout: flags.timeout,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        vault: VaultFlags,
    }

    fn parse(typed: &[&str]) -> Result<VaultFlags, clap::Error> {
        Program::try_parse_from([&["program"], typed].concat()).map(|p| p.vault)
    }

    #[test]
    fn the_definition_is_sound() {
        Program::command().debug_assert();
    }

    #[test]
    fn skip_verify_can_be_switched_off_over_the_environment() {
        assert_eq!(parse(&[]).unwrap().skip_verify, None);
        assert_eq!(parse(&["--vault-skip-verify"]).unwrap().skip_verify, Some(true));
        assert_eq!(parse(&["--vault-skip-verify=false"]).unwrap().skip_verify, Some(false));
    }

    #[test]
    fn a_bad_timeout_is_a_usage_error_that_names_the_flag() {
        let error = parse(&["--vault-timeout", "soon"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert_eq!(
            error.to_string().lines().next(),
            Some(
                "error: invalid value 'soon' for '--vault-timeout <DURATION>': \"soon\" is not a duration like 90s, 5m or 1h30m"
            )
        );
    }

    #[test]
    fn help_names_every_variable_and_no_token_flag() {
        for arg in Program::command().get_arguments().filter(|a| a.get_id() != "help") {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with(|c: char| c.is_uppercase()) && !help.ends_with('.'), "{help}");
            assert!(help.contains("[env: VAULT_"), "{help}");
            assert_eq!(arg.get_help_heading(), Some("Vault"));
            assert!(!arg.get_long().unwrap_or_default().contains("token"));
        }
    }
}
