//! Flags of `setup`, and of `diff`, which shows the same plan.

use crate::cli::issuer::IssuerFlags;
use crate::cli::keys::{KeysFlags, SharingFlags};
use crate::cli::kube::KubeFlags;
use crate::cli::role::RoleFlags;
use crate::cli::values::{DryRun, OneOf, no_dry_run, no_format};
use crate::cli::vault::VaultFlags;
use crate::keychain::authority::Authority;
use clap::{Args, ValueEnum};
use shared::mount::MountPath;

/// `kubectl vaultjwt setup`
#[derive(Args, Debug)]
#[command(
    help_template = crate::cli::help::COMMAND,
    before_help = "Finds the issuer and the public signing keys of the current context's cluster, proves with a fresh \
                  token that they belong to this API server, enables the mount if it is missing, puts the keys on it, \
                  writes a role that binds service accounts of this cluster, logs in once with a real token and \
                  revokes what it got. Keys of other clusters on the mount are never touched; whether this cluster may join them is checked first. Running it again changes nothing. The pod snippet goes to \
                  stdout, everything else to stderr.",
    after_help = EXAMPLES
)]
pub struct SetupArgs {
    /// Path of the auth mount, enabled if it is missing
    #[arg(long, value_name = "PATH", default_value = "jwt")]
    pub mount: MountPath,

    /// How the role is proven at the end. One of: (login, none)
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Verify::Login, hide_possible_values = true)]
    pub verify: Verify,

    /// Must be "none" or "client". If client, only print what would change. Vault has no server-side dry run
    #[arg(long, value_name = "STRATEGY", value_parser = OneOf(no_dry_run), default_value = "none", num_args = 0..=1, default_missing_value = "client")]
    pub dry_run: DryRun,

    /// Output format. One of: (json, commands); commands prints the plan as vault CLI commands and needs --dry-run=client
    #[arg(short, long, value_name = "FORMAT", value_parser = OneOf(no_format::<SetupOutput>))]
    pub output: Option<SetupOutput>,

    /// Record this way to an enrolled cluster; must equal the way of this run (see 'kubectl vaultjwt issuer')
    #[arg(long, value_name = "AUTHORITY")]
    pub authority: Option<Authority>,

    #[command(flatten)]
    pub plan: PlanFlags,
}

const EXAMPLES: &str = "Examples:
  # Let pods of service account app in namespace shop log in with role app
  kubectl vaultjwt setup --role app --service-account shop:app --policy app-read

  # A second cluster on the same mount, run by the same people
  kubectl vaultjwt setup --context staging --same-trust-domain

  # See what would change, without changing it
  kubectl vaultjwt setup --role app --service-account shop:app \\
    --policy app-read --dry-run=client

  # Only the keys, as vault CLI commands to be looked at and pasted
  kubectl vaultjwt setup --dry-run=client -o commands

  # Let Vault fetch the keys itself, so that a rotation needs nobody
  kubectl vaultjwt setup --mount production --keys=jwks-url \\
    --role app --service-account shop:app --policy app-read

  # Another context, another mount, in a namespace of Vault
  kubectl vaultjwt setup --context production --mount k8s/production \\
    --vault-namespace admin/team

Vault's token is taken from VAULT_TOKEN, else from the token helper that
~/.vault names, else from ~/.vault-token. Each VAULT_X may be given as BAO_X,
which wins.

Exit codes: 0 done (also when there was nothing to do), 1 failed, 2 wrong call,
130 interrupted.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Verify {
    /// Log in with a token of one of the service accounts, then revoke
    Login,
    /// Not at all
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SetupOutput {
    Json,
    Commands,
}

/// What the plan of `setup` and of `diff` follows from.
#[derive(Args, Debug)]
pub struct PlanFlags {
    #[command(flatten)]
    pub role: RoleFlags,

    #[command(flatten)]
    pub issuer: IssuerFlags,

    #[command(flatten)]
    pub keys: KeysFlags,

    #[command(flatten)]
    pub chain: SharingFlags,

    #[command(flatten)]
    pub kube: KubeFlags,

    #[command(flatten)]
    pub vault: VaultFlags,
}

/// `kubectl vaultjwt diff`
#[derive(Args, Debug)]
#[command(
    help_template = crate::cli::help::COMMAND,
    before_help = "Shows what 'setup' with the same flags (for an enrolled cluster, without a role: also 'sync') would change in the mount's \
                  configuration and in the role, as a unified diff. Changes nothing. Keys of other clusters are left \
                  out of the diff where they do not change.",
    after_help = DIFF_EXAMPLES
)]
pub struct DiffArgs {
    /// Path of the auth mount
    #[arg(long, value_name = "PATH", default_value = "jwt")]
    pub mount: MountPath,

    #[command(flatten)]
    pub plan: PlanFlags,
}

const DIFF_EXAMPLES: &str = "Examples:
  # Has the current cluster rotated its keys?
  kubectl vaultjwt diff

  # What would this role change?
  kubectl vaultjwt diff --role app --service-account shop:app --policy app-read

Exit codes, as kubectl diff has them: 0 no difference, 1 differences, more than 1
failed (2 wrong call, 3 failed, 130 interrupted).";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn parse(flags: &[&str]) -> Result<SetupArgs, clap::Error> {
        let cli = Cli::try_parse_from([&["kubectl-vaultjwt", "setup"], flags].concat())?;
        match cli.command {
            Some(Command::Setup(args)) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    const ROLE: [&str; 6] = ["--role", "app", "--service-account", "shop:app", "--policy", "read"];

    #[test]
    fn both_forms_of_a_service_account() {
        let args = parse(&[&ROLE[..], &["--service-account", "shop/job"]].concat()).unwrap();
        let written: Vec<String> = args.plan.role.service_accounts.iter().map(ToString::to_string).collect();
        assert_eq!(written, ["shop:app", "shop:job"]);
    }

    #[test]
    fn dry_run_as_kubectl_has_it() {
        for (flags, expected) in [
            (&[][..], DryRun::None),
            (&["--dry-run"], DryRun::Client),
            (&["--dry-run=client"], DryRun::Client),
            (&["--dry-run=none"], DryRun::None),
        ] {
            assert_eq!(parse(flags).unwrap().dry_run, expected);
        }
    }

    #[test]
    fn a_fingerprint_may_begin_with_a_hyphen() {
        let id = "-4DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU";
        for flags in [&["--expect-key", id][..], &[&format!("--expect-key={id}")]] {
            let ids: Vec<String> =
                parse(flags).unwrap().plan.keys.expected_keys.iter().map(ToString::to_string).collect();
            assert_eq!(ids, [id]);
        }
        // A flag in its place is no fingerprint.
        let error = parse(&["--expect-key", "--dry-run"]).unwrap_err().to_string();
        assert!(error.contains("43 characters of base64url, or 64 hexadecimal digits"), "{error}");
    }

    #[test]
    fn a_role_is_described_unless_the_issuer_moves() {
        let check = |flags: &[&str]| {
            let args = parse(flags).unwrap();
            args.plan.role.check(args.plan.keys.move_from.is_some())
        };
        let account = ["--role", "app", "--service-account", "shop:app"];
        assert_eq!(check(&ROLE), Ok(()));
        assert_eq!(check(&["--role", "app", "--move-from", "https://old"]), Ok(()));
        assert_eq!(check(&account[..2]), Err("--role needs --service-account <NAMESPACE:NAME>"));
        assert_eq!(check(&account), Err("--role needs --policy <NAME>"));
        assert!(check(&["--role", "app", "--move-from", "https://old", "--ttl", "5m"]).is_err());
        assert_eq!(
            check(&[&account[..], &["--move-from", "https://old"]].concat()),
            Err("flags that describe a role cannot be used with --move-from, which changes only the issuers of a role")
        );
    }

    #[test]
    fn wrong_calls_name_the_flag() {
        for (flags, words) in [
            (&["--policy", "read"][..], "--role <NAME>"),
            (&["--keys-from", "site"], "must be \"issuer\", \"api-server\", or \"file:PATH\""),
            (&["--keys-from", "file:"], "must be \"issuer\", \"api-server\", or \"file:PATH\""),
            (&["--expect-key", "4f2a"], "43 characters of base64url, or 64 hexadecimal digits"),
            (&["--all-roles"], "--move-from <ISSUER>"),
            (&["--service-account", "shop"], "one NAMESPACE:NAME for each --service-account, for example shop:app"),
            (&["--service-account", "Shop:app"], "invalid value 'Shop:app' for '--service-account <NAMESPACE:NAME>'"),
            (&["--service-account", "shop:*"], "invalid value 'shop:*' for '--service-account <NAMESPACE:NAME>'"),
            (&["--role", "App"], "a role name has lower-case letters, digits"),
            (&["--policy", "root"], "a role cannot give the root policy"),
            (&["--ttl", "soon"], "\"soon\" is not a duration like 90s, 5m or 1h30m"),
            (&["--ttl", "0"], "a lease is at least a second"),
            (&["--dry-run=server"], "Vault has no server-side dry run: use \"client\""),
            (&["--cluster-uid", ""], "a UID has 1 to 64 letters, digits and '-'"),
            (&["-o", "yaml"], "allowed formats are: json, commands"),
            (&["--mount", "a//b"], "the mount path has a segment \"\""),
        ] {
            let error = parse(flags).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{flags:?}");
            assert!(error.to_string().contains(words), "{flags:?}: {error}");
        }
    }
}
