//! Command lines, and the input that each command gets, under an environment and a clock
//! that exist only in memory.

use super::*;
use crate::cli::Cli;
use crate::cli::commands::Command;
use crate::vault::settings::tests::FakeHost;
use clap::Parser as _;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

fn session(host: FakeHost) -> Session {
    Session::headless(Arc::new(host), || Timestamp::from_second(1_796_000_000).unwrap(), || "nonce".to_owned())
}

fn parse(line: &str) -> Command {
    let words = std::iter::once("kubectl-vaultjwt").chain(line.split_whitespace());
    Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}")).command.unwrap()
}

fn target(context: Option<&str>) -> ClusterTarget {
    ClusterTarget {
        context: context.map(str::to_owned),
        cluster: "kind".into(),
        server: "https://s".into(),
        namespace: "default".into(),
    }
}

fn setup_of(line: &str, context: Option<&str>) -> Result<SetupInput, String> {
    let Command::Setup(args) = parse(line) else { panic!("{line}") };
    check_setup("setup", &args.plan).map_err(|error| error.to_string())?;
    let (session, target) = (session(FakeHost::new()), target(context));
    setup(&session, args.mount, args.plan, &target).map_err(|error| error.to_string())
}

#[test]
fn setup_gets_what_was_typed() {
    let input = setup_of(
        "setup --mount team/jwt --role app --service-account shop:app --policy read --ttl 10m --max-ttl 1h \
         --grace 2h --adopt --allow-same-issuer --issuer https://i --cluster-uid u-1 --trust-issuer",
        Some("prod"),
    )
    .unwrap();
    assert_eq!((input.mount.as_str(), input.cluster_name.as_str()), ("team/jwt", "prod"));
    assert_eq!((input.now.as_second(), input.nonce.as_str()), (1_796_000_000, "nonce"));
    let role = input.role.unwrap();
    assert_eq!((role.name.as_str(), role.policies.as_slice()), ("app", &["read".to_owned()][..]));
    assert_eq!((role.ttl, role.max_ttl, role.audiences), (Some(600), Some(3_600), None));
    assert_eq!(role.service_accounts.iter().map(ToString::to_string).collect::<Vec<_>>(), ["shop:app"]);
    assert_eq!((input.options.policy.grace, input.options.policy.adopt), (SignedDuration::from_hours(2), true));
    assert!(input.options.allow.same_issuer && !input.options.allow.same_trust_domain);
    let overrides = input.overrides;
    assert_eq!((overrides.issuer.as_deref(), overrides.cluster_uid.as_deref()), (Some("https://i"), Some("u-1")));
    assert_eq!((overrides.ask, overrides.site_required, input.trust_issuer), (CloudLookup::Always, false, true));
    assert_eq!(input.keys, Keys::default());
}

#[test]
fn without_a_context_the_cluster_entry_names_the_cluster() {
    assert_eq!(setup_of("setup", None).unwrap().cluster_name, "kind");
}

#[test]
fn a_move_takes_the_role_for_its_own() {
    let input = setup_of("setup --move-from https://old --role app", Some("prod")).unwrap();
    let moves = input.moves.unwrap();
    assert_eq!((moves.from.as_str(), moves.role.as_deref(), input.role.is_none()), ("https://old", Some("app"), true));
}

#[test]
fn flags_that_exclude_each_other_are_refused() {
    assert_eq!(
        setup_of("setup --keys jwks-url --keys-from issuer", None).unwrap_err(),
        "--keys-from and --move-from are about keys on the mount: use --keys=static"
    );
    for (line, expected) in [
        (
            "sync --all-contexts --server https://s",
            "flags that choose one server, its certificate or one user would hold for every context",
        ),
        (
            "sync --contexts a,b --issuer https://i",
            "--issuer and --cluster-uid are about one cluster, not about several contexts",
        ),
    ] {
        let Command::Sync(args) = parse(line) else { panic!("{line}") };
        assert_eq!(check_sync(&args).unwrap_err().to_string(), expected, "{line}");
    }
}

#[test]
fn a_key_file_that_does_not_exist_is_named() {
    let error = setup_of("setup --keys-from file:/does/not/exist", None).unwrap_err();
    assert_eq!(error, "could not read keys from file \"/does/not/exist\": No such file or directory (os error 2)");
}

#[test]
fn sync_looks_a_cloud_up_only_if_needed_unless_it_enrolls() {
    for (line, ask) in [("sync", CloudLookup::OnlyIfNeeded), ("sync --enroll", CloudLookup::Always)] {
        let Command::Sync(args) = parse(line) else { panic!("{line}") };
        let input = sync(&session(FakeHost::new()), *args, Scope::Current(None));
        assert_eq!((input.overrides.ask, input.nonce.as_str()), (ask, "nonce"), "{line}");
    }
}

#[test]
fn a_check_of_clusters_changes_nothing() {
    let mount = MountPath::parse("jwt").unwrap();
    let input = status(&session(FakeHost::new()), &mount, Scope::All(vec!["a".into()]), None);
    assert!(input.dry_run && !input.enroll && !input.trust_issuer && !input.rewrite);
}

#[test]
fn remove_takes_its_flags_over() {
    let Command::Remove(args) = parse("remove --roles --yes --dry-run=client --issuer https://i") else { panic!() };
    let input = remove(&session(FakeHost::new()), &args);
    assert!(input.roles && input.yes && input.dry_run);
    assert_eq!((input.issuer.as_deref(), input.now.as_second()), (Some("https://i"), 1_796_000_000));
}

#[test]
fn the_watcher_reads_its_token_where_the_environment_says() {
    let file = |host: FakeHost| {
        let Command::Sync(args) = parse("sync --watch --auth-role keys") else { panic!() };
        match &logins(&session(host), &args.watch, &args.mount)[..] {
            [LoginMethod::Jwt { file, role, mount }] => {
                assert_eq!((role.as_str(), mount.as_str()), ("keys", "jwt"));
                file.display().to_string()
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(file(FakeHost::new()), JWT_FILE);
    assert_eq!(file(FakeHost::new().var("VAULT_JWT_FILE", "/run/token")), "/run/token");
}
