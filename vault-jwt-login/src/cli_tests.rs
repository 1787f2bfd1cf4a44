use super::*;

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Result<Command, String> {
    let variables = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    parse(arguments.iter().map(OsString::from), variables).map_err(|e| e.to_string())
}

fn settings(arguments: &[&str], environment: &[(&str, &str)]) -> Settings {
    match run(arguments, environment) {
        Ok(Command::Login(settings)) => *settings,
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
            token_file: "/vault/token".into(),
            mode: FileMode::PRIVATE,
            timeout: Duration::from_secs(120),
            request_timeout: Some(Duration::from_secs(15)),
            tls: TlsSettings::default(),
            proxy: None,
            quiet: false,
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
    "--mode=0640",
    "--timeout=30s",
    "--vault-addr=https://v",
    "--vault-namespace=/n/",
    "--vault-ca-cert=/ca",
    "--vault-tls-server-name=s",
    "--vault-skip-verify",
    "-q",
];

/// The same as [`FLAGS`], except `-q`, which has no variable.
const VARIABLES: &[(&str, &str)] = &[
    ("VAULT_JWT_FILE", "/j"),
    ("VAULT_ROLE", "r"),
    ("VAULT_AUTH_MOUNT", "auth/m/"),
    ("VAULT_TOKEN_FILE", "/t"),
    ("VAULT_TOKEN_FILE_MODE", "0640"),
    ("VAULT_LOGIN_TIMEOUT", "30s"),
    ("VAULT_ADDR", "https://v"),
    ("VAULT_NAMESPACE", "/n/"),
    ("VAULT_CACERT", "/ca"),
    ("VAULT_TLS_SERVER_NAME", "s"),
    ("VAULT_SKIP_VERIFY", "true"),
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
        token_file: "/t".into(),
        mode: FileMode::parse("0640").unwrap(),
        timeout: Duration::from_secs(30),
        request_timeout: Some(Duration::from_secs(15)),
        tls: TlsSettings {
            ca: Some(CaSource::File("/ca".into())),
            ca_given_by: ca_given_by.into(),
            server_name: Some("s".into()),
            skip_verify: true,
            ..TlsSettings::default()
        },
        proxy: None,
        quiet: true,
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
    assert_eq!(settings(&[], &proxies).proxy.as_deref(), Some("http://b"));
    assert_eq!(settings(&[], &proxies[..1]).proxy.as_deref(), Some("http://a"));
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
        (&["--", "sh"], &[], "unknown argument \"sh\""),
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
        assert_eq!(run(arguments, &[("VAULT_ADDR", "nonsense")]), Ok(Command::Print(HELP)));
    }
    assert_eq!(run(&["-V"], &[]), Ok(Command::Print(VERSION)));
}

#[test]
fn the_help_fits_a_screen_and_names_every_flag_and_variable() {
    assert!(HELP.lines().count() <= 45, "{}", HELP.lines().count());
    assert!(HELP.lines().all(|line| line.chars().count() <= 84));
    for flag in FLAGS.iter().map(|flag| flag.split('=').next().unwrap()).chain(["--quiet", "--help", "--version"]) {
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
