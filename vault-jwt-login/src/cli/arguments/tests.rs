use super::*;
use crate::connection::address::Address;
use crate::connection::tls::TlsSettings;
use crate::files::jwt_file;
use crate::files::token_file::{self, FileMode, FilePermissions};
use crate::log::Format;
use crate::process::exec::ExecCommand;
use crate::vault::target::Target;
use shared::Secret;
use shared::env::CaSource;
use shared::mount::MountPath;
use std::path::PathBuf;
use std::time::Duration;

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Invocation, String> {
    let variables = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    parse(arguments.iter().map(OsString::from), variables).map_err(|e| e.to_string())
}

fn settings(arguments: &[&str], environment: &[(&str, &str)]) -> Settings {
    match run(arguments, environment) {
        Ok(Invocation::Login(settings)) => *settings,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_given_is_a_login_with_the_defaults() {
    let defaults = settings(&[], &[]);
    assert_eq!(
        defaults,
        Settings {
            target: Target {
                address: Address::parse("https://127.0.0.1:8200").unwrap(),
                namespace: None,
                mount: MountPath::parse("jwt").unwrap(),
                role: None,
            },
            jwt_file: "/var/run/secrets/tokens/vault-token".into(),
            token_file: Some("/vault/token".into()),
            info_file: None,
            permissions: FileMode::PRIVATE.into(),
            command: None,
            splay: None,
            timeout: Duration::from_secs(120),
            request_timeout: None,
            tls: TlsSettings::default(),
            proxy: None,
            quiet: false,
            log_format: Format::Text,
            revoke_on_exit: false,
        }
    );
    assert_eq!(settings(&["login"], &[]), defaults);
    let empty = [("VAULT_ROLE", ""), ("VAULT_TOKEN_FILE", ""), ("VAULT_JWT_FILE", ""), ("SSL_CERT_FILE", "")];
    assert_eq!(settings(&[], &empty), defaults, "empty counts as unset");
}

const FLAGS: &[&str] = &[
    "--jwt-file=/j",
    "--role=r",
    "--mount=auth/m/",
    "--token-file=/t",
    "--info-file=/i",
    "--mode=0640",
    "--owner=7",
    "--group=8",
    "--splay=20s",
    "--timeout=30s",
    "--vault-addr=https://v",
    "--vault-namespace=/n/",
    "--vault-ca-cert=/ca",
    "--vault-tls-server-name=s",
    "--vault-skip-verify",
    "--log-format=json",
    "-q",
];

/// The same as [`FLAGS`], except `-q`, which has no variable.
const VARIABLES: &[(&str, &str)] = &[
    ("VAULT_JWT_FILE", "/j"),
    ("VAULT_ROLE", "r"),
    ("VAULT_AUTH_MOUNT", "auth/m/"),
    ("VAULT_TOKEN_FILE", "/t"),
    ("VAULT_TOKEN_INFO_FILE", "/i"),
    ("VAULT_TOKEN_FILE_MODE", "0640"),
    ("VAULT_TOKEN_FILE_OWNER", "7"),
    ("VAULT_TOKEN_FILE_GROUP", "8"),
    ("VAULT_LOGIN_SPLAY", "20s"),
    ("VAULT_LOGIN_TIMEOUT", "30s"),
    ("VAULT_ADDR", "https://v"),
    ("VAULT_NAMESPACE", "/n/"),
    ("VAULT_CACERT", "/ca"),
    ("VAULT_TLS_SERVER_NAME", "s"),
    ("VAULT_SKIP_VERIFY", "true"),
    ("VAULT_LOG_FORMAT", "json"),
];

fn all_given(ca_given_by: &str) -> Settings {
    Settings {
        target: Target {
            address: Address::parse("https://v").unwrap(),
            namespace: Some("n".into()),
            mount: MountPath::parse("m").unwrap(),
            role: Some("r".into()),
        },
        jwt_file: "/j".into(),
        token_file: Some("/t".into()),
        info_file: Some("/i".into()),
        permissions: FilePermissions { mode: FileMode::parse("0640").unwrap(), owner: Some(7), group: Some(8) },
        command: None,
        splay: Some(Duration::from_secs(20)),
        timeout: Duration::from_secs(30),
        request_timeout: None,
        tls: TlsSettings {
            ca: Some(CaSource::File("/ca".into())),
            ca_given_by: ca_given_by.into(),
            server_name: Some("s".into()),
            skip_verify: true,
            ..TlsSettings::default()
        },
        proxy: None,
        quiet: true,
        log_format: Format::Json,
        revoke_on_exit: false,
    }
}

#[test]
fn each_setting_has_a_flag_and_a_variable() {
    assert_eq!(settings(FLAGS, &[]), all_given("--vault-ca-cert"));
    assert_eq!(settings(&[], VARIABLES), Settings { quiet: false, ..all_given("VAULT_CACERT") });
    let bao: Vec<(String, &str)> = VARIABLES.iter().map(|(n, v)| (n.replace("VAULT_", "BAO_"), *v)).collect();
    let bao: Vec<(&str, &str)> = bao.iter().map(|(n, v)| (n.as_str(), *v)).collect();
    assert_eq!(settings(&[], &bao), Settings { quiet: false, ..all_given("BAO_CACERT") });
    let words: Vec<&str> = FLAGS.iter().flat_map(|flag| flag.split('=')).collect();
    assert_eq!(settings(&words, &[]), all_given("--vault-ca-cert"), "a value may be the next word");
}

#[test]
fn what_is_behind_two_dashes_is_another_programs() {
    let command = |arguments: &[&str]| {
        let settings = settings(arguments, &[]);
        (settings.token_file, settings.command)
    };
    let wrapped = |environment| {
        let arguments = ["--role", "-q", "--", "x"].map(OsString::from).into();
        Some(ExecCommand { program: "app".into(), arguments, environment })
    };
    let behind = ["--", "app", "--role", "-q", "--", "x"];
    // The token is in its environment, and nowhere else.
    assert_eq!(command(&behind), (None, wrapped(true)));
    assert_eq!(command(&[&["login", "--token-file=/t"], &behind[..]].concat()), (Some("/t".into()), wrapped(true)));
    assert_eq!(command(&[&["--no-env"], &behind[..]].concat()), (Some("/vault/token".into()), wrapped(false)));
    for (arguments, error) in [
        (&["--"][..], "\"--\" needs a command after it"),
        (&["--", ""], "\"--\" needs a command after it"),
        (&["--no-env"], "flag \"--no-env\" needs a command after \"--\""),
    ] {
        assert_eq!(run(arguments, &[]).map_err(|e| e.to_string()), Err(error.to_owned()));
    }
}

#[test]
fn ids_and_splay_that_cannot_be() {
    for (argument, error) in [
        ("--owner=root", "could not read --owner: \"root\" is not a numeric id"),
        ("--group=4294967295", "could not read --group: \"4294967295\" is not a numeric id"),
        ("--splay=2m", "could not read --splay: it leaves no time for the login within 2m"),
        ("--splay=soon", "could not read --splay: \"soon\" is not a duration like 90s, 5m or 1h30m"),
    ] {
        assert_eq!(run(&[argument], &[]).map_err(|e| e.to_string()), Err(error.to_owned()));
    }
    assert_eq!(settings(&["--splay=0"], &[]).splay, None);
}

#[test]
fn variables_of_other_login_programs_come_last() {
    let theirs = [("TOKEN_DEST_PATH", "/x"), ("SERVICE_ACCOUNT_TOKEN_PATH", "/y")];
    let found = settings(&[], &theirs);
    assert_eq!((found.token_file, found.jwt_file), (Some("/x".into()), "/y".into()));
    let ours = [&theirs[..], &[("VAULT_TOKEN_FILE", "/t"), ("VAULT_JWT_FILE", "/j")]].concat();
    let found = settings(&[], &ours);
    assert_eq!((found.token_file, found.jwt_file), (Some("/t".into()), "/j".into()));
}

#[test]
fn flags_beat_the_environment() {
    let others: Vec<(&str, &str)> = VARIABLES
        .iter()
        .map(|(name, _)| {
            let other = match *name {
                "VAULT_TOKEN_FILE_MODE" => "0777",
                "VAULT_LOGIN_TIMEOUT" => "9s",
                "VAULT_ADDR" => "http://other",
                "VAULT_SKIP_VERIFY" => "false",
                _ => "other",
            };
            (*name, other)
        })
        .collect();
    assert_eq!(settings(FLAGS, &others), all_given("--vault-ca-cert"));
    assert!(!settings(&["--vault-skip-verify=false"], VARIABLES).tls.skip_verify);
    assert_eq!(settings(&["--vault-namespace=/"], VARIABLES).target.namespace, None);
}

#[test]
fn variables_without_a_flag() {
    let alias = [("VAULT_AUTH_MOUNT_PATH", "auth/k8s")];
    assert_eq!(settings(&[], &alias).target.mount.as_str(), "k8s");
    let both = [("VAULT_AUTH_MOUNT_PATH", "a"), ("VAULT_AUTH_MOUNT", "b")];
    assert_eq!(settings(&[], &both).target.mount.as_str(), "b");
    assert_eq!(settings(&[], &[("VAULT_CLIENT_TIMEOUT", "5")]).request_timeout, Some(Duration::from_secs(5)));
    assert_eq!(settings(&[], &[("VAULT_CLIENT_TIMEOUT", "0")]).request_timeout, None);
    let pair = settings(&[], &[("VAULT_CLIENT_CERT", "/c"), ("BAO_CLIENT_KEY", "/k")]).tls.client;
    assert_eq!(pair, Some(("/c".into(), "/k".into())));
    assert_eq!(settings(&[], &[("SSL_CERT_FILE", "/s")]).tls.system_file.as_deref(), Some("/s"));
    let proxies = [("VAULT_HTTP_PROXY", "http://a"), ("VAULT_PROXY_ADDR", "http://b")];
    let proxy = |variables: &[(&str, &str)]| settings(&[], variables).proxy.map(|given| (given.given_by, given.url));
    let given = |by: &str, url: &str| Some((by.to_owned(), Secret::new(url)));
    assert_eq!(proxy(&proxies), given("VAULT_PROXY_ADDR", "http://b"));
    assert_eq!(proxy(&proxies[..1]), given("VAULT_HTTP_PROXY", "http://a"));
    let usual = [("HTTPS_PROXY", "http://c"), ("VAULT_ADDR", "https://vault")];
    assert_eq!(proxy(&usual), given("HTTPS_PROXY", "http://c"));
    assert_eq!(proxy(&[&usual[..], &[("NO_PROXY", "vault")]].concat()), None);
    assert_eq!(
        proxy(&[&usual[..], &proxies[1..], &[("NO_PROXY", "vault")]].concat()),
        given("VAULT_PROXY_ADDR", "http://b")
    );
}

#[test]
fn the_standard_token_is_used_only_by_its_name() {
    let standard = PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/token");
    assert_eq!(settings(&["--jwt-file", "default"], &[]).jwt_file, standard);
    assert_eq!(settings(&["--jwt-file", "./default"], &[]).jwt_file, PathBuf::from("./default"));
}

#[test]
fn wrong_calls_say_what_is_wrong() {
    for (arguments, environment, error) in [
        (&["--rolle=x"][..], &[][..], "unknown flag \"--rolle\""),
        (&["-x"], &[], "unknown flag \"-x\""),
        (&["logout"], &[], "unknown argument \"logout\""),
        (&["login", "login"], &[], "unknown argument \"login\""),
        (&["--role"], &[], "flag \"--role\" needs a value"),
        (&["--role="], &[], "flag \"--role\" needs a value"),
        (&["--quiet=yes"], &[], "flag \"--quiet\" takes no value"),
        (
            &["--mount=a//b"],
            &[],
            "could not read --mount: the mount path has a segment \"\" (use letters, digits, '-', '_' and '.' between slashes)",
        ),
        (&[], &[("BAO_AUTH_MOUNT", "auth/")], "could not read BAO_AUTH_MOUNT: the mount path is empty"),
        (
            &["--mode=640"],
            &[],
            "could not read --mode: \"640\" is not an octal mode with a leading zero, from 0000 to 0777, such as 0640",
        ),
        (
            &[],
            &[("VAULT_TOKEN_FILE_MODE", "9")],
            "could not read VAULT_TOKEN_FILE_MODE: \"9\" is not an octal mode with a leading zero, from 0000 to 0777, such as 0640",
        ),
        (&["--timeout=soon"], &[], "could not read --timeout: \"soon\" is not a duration like 90s, 5m or 1h30m"),
        (&["--timeout=0"], &[], "could not read --timeout: there is no login without time"),
        (&["--watch", "--", "sh"], &[], "flag \"--watch\" keeps a file; to stay beside a command give --renew"),
        (&["--renew"], &[], "flag \"--renew\" needs a command after \"--\"; for a file give --watch"),
        (&["--revoke-on-exit"], &[], "flag \"--revoke-on-exit\" needs --watch or --renew"),
        (&["check", "--", "sh"], &[], "\"check\" takes no command after \"--\""),
        (&["revoke", "--watch"], &[], "\"revoke\" does not go with --watch"),
        (&["check", "revoke"], &[], "unknown argument \"revoke\""),
        (&["--log-format=xml"], &[], "could not read --log-format: \"xml\" is neither text nor json"),
        (&["--vault-skip-verify=yes"], &[], "could not read --vault-skip-verify: \"yes\" is neither true nor false"),
        (&[], &[("VAULT_SKIP_VERIFY", "yes")], "could not read VAULT_SKIP_VERIFY: \"yes\" is neither true nor false"),
        (
            &["--vault-namespace=a\nb"],
            &[],
            "could not read --vault-namespace or VAULT_NAMESPACE: \"a\\u{a}b\" holds characters that cannot be sent",
        ),
        (
            &["--vault-addr=vault:8200"],
            &[],
            "the address of Vault \"vault:8200\" does not begin with http:// or https://",
        ),
        (&[], &[("VAULT_CLIENT_CERT", "/c")], "VAULT_CLIENT_CERT and VAULT_CLIENT_KEY are only of use together"),
    ] {
        assert_eq!(run(arguments, environment), Err(error.to_owned()));
    }
    assert_eq!(UsageError::unknown("x").hint().as_deref(), Some("run: vault-jwt-login --help"));
}

#[test]
fn help_and_version_win_over_what_follows() {
    for arguments in [&["-h"][..], &["--help", "--nonsense"], &["login", "--help"]] {
        assert_eq!(run(arguments, &[("VAULT_ADDR", "nonsense")]), Ok(Invocation::Print(HELP)));
    }
    assert_eq!(run(&["-V"], &[]), Ok(Invocation::Print(VERSION)));
}

#[test]
fn the_help_fits_a_screen_and_names_every_flag_and_variable() {
    assert!(HELP.lines().count() <= 50, "{}", HELP.lines().count());
    assert!(HELP.lines().all(|line| line.chars().count() <= 84));
    for flag in FLAGS.iter().map(|flag| flag.split('=').next().unwrap()).chain([
        "--quiet",
        "--help",
        "--version",
        "--no-env",
        "--watch",
        "--renew",
        "--revoke-on-exit",
        "check | revoke",
        "TOKEN_DEST_PATH",
        "SERVICE_ACCOUNT_TOKEN_PATH",
    ]) {
        assert!(HELP.contains(flag), "{flag}");
    }
    for (variable, _) in VARIABLES {
        assert!(HELP.contains(variable), "{variable}");
    }
    for default in [jwt_file::PROJECTED, token_file::DEFAULT, env::DEFAULT_ADDRESS, "0600", "2m"] {
        assert!(HELP.contains(default), "{default}");
    }
    for code in [" 64", " 66", " 69", " 73", " 77", "130", "143"] {
        assert!(HELP.contains(&format!("         {code}  ")), "{code}");
    }
}

#[test]
fn commands_by_name_and_by_flag() {
    let kind = |arguments: &[&str]| match run(arguments, &[]).unwrap() {
        Invocation::Print(_) => "print",
        Invocation::Login(_) => "login",
        Invocation::Renew(settings) if settings.revoke_on_exit => "keep and revoke",
        Invocation::Renew(_) => "keep",
        Invocation::Check(_) => "check",
        Invocation::Revoke(_) => "revoke",
    };
    for (arguments, expected) in [
        (&[][..], "login"),
        (&["login"], "login"),
        (&["--", "check"], "login"),
        (&["--watch"], "keep"),
        (&["login", "--watch", "--revoke-on-exit"], "keep and revoke"),
        (&["--renew", "--", "sh"], "keep"),
        (&["check"], "check"),
        (&["-q", "revoke"], "revoke"),
    ] {
        assert_eq!(kind(arguments), expected, "{arguments:?}");
    }
}
