use super::*;
use crate::cli::{self, Command};
use crate::log::Format;
use crate::peer::{Peer, answer, granted};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

// {"alg":"RS256","kid":"a"} . {"iss":"x"} . "sig"
const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJ4In0.c2ln";

struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new(jwt: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("jwt"), jwt).unwrap();
        std::fs::create_dir(dir.path().join("out")).unwrap();
        Self { dir }
    }

    fn token_file(&self) -> PathBuf {
        self.dir.path().join("out/token")
    }

    /// One run against `port`; its exit code, and stderr with the parts that
    /// vary named.
    fn run(&self, port: u16, flags: &[&str]) -> (u8, String) {
        let (code, said) = self.run_with(&format!("http://127.0.0.1:{port}"), flags, |_| {});
        (code, said.replace(&format!(":{port}"), ":PORT"))
    }

    /// One run against `address`, with `seen` called on what it says.
    fn run_with(&self, address: &str, flags: &[&str], seen: impl Fn(&str)) -> (u8, String) {
        let mut arguments: Vec<OsString> = vec![
            format!("--vault-addr={address}").into(),
            format!("--jwt-file={}", self.dir.path().join("jwt").display()).into(),
            format!("--token-file={}", self.token_file().display()).into(),
            "--role=app".into(),
        ];
        arguments.extend(flags.iter().map(OsString::from));
        let Ok(Command::Login(settings)) = cli::parse(arguments, |_| None) else { panic!("{flags:?}") };
        let told = std::cell::RefCell::new(String::new());
        let code = match run(&settings, &End::default(), &LiveTokens::default(), &|message: &Message<'_>| {
            let lines = message.shown(Format::Text, 0);
            seen(&lines);
            *told.borrow_mut() += &lines;
        }) {
            Ok(_) => 0,
            Err(failure) => {
                *told.borrow_mut() += &failure.message().shown(Format::Text, 0);
                failure.error.exit_code()
            }
        };
        let said = told.into_inner();
        let dir = self.dir.path().display().to_string();
        (code, said.replace(&dir, "DIR"))
    }
}

#[test]
fn a_login_leaves_one_line_and_the_token() {
    let place = Place::new(&format!("{TOKEN}\n"));
    let peer = Peer::start(&[&granted("hvs.token")]);
    assert_eq!(
        place.run(peer.port, &["--mode=0640"]),
        (0, "logged in to http://127.0.0.1:PORT as role \"app\": token in \"DIR/out/token\", lease 1h\n".to_owned())
    );
    assert_eq!(std::fs::read(place.token_file()).unwrap(), b"hvs.token");
    assert_eq!(std::fs::metadata(place.token_file()).unwrap().permissions().mode() & 0o7777, 0o640);
    assert!(peer.requests()[0].ends_with(&format!("{{\"role\":\"app\",\"jwt\":\"{TOKEN}\"}}")));
}

#[test]
fn a_mode_for_everybody_is_warned_of() {
    let place = Place::new(TOKEN);
    let peer = Peer::start(&[&granted("hvs.token")]);
    let (code, said) = place.run(peer.port, &["--mode=0666"]);
    assert_eq!(code, 0);
    assert!(
        said.starts_with(
            "warning: mode 0666 lets every user of the pod read the Vault token\n\
             hint: use mode 0640, and securityContext.fsGroup of the pod for those who share the token\n"
        ),
        "{said}"
    );
}

#[test]
fn quiet_says_nothing_but_failures() {
    let place = Place::new(TOKEN);
    let sealed = answer(503, "", "{\"errors\":[\"Vault is sealed\"]}");
    let peer = Peer::start(&[&sealed, &granted("hvs.token")]);
    assert_eq!(place.run(peer.port, &["-q"]), (0, String::new()));
    let no_role = answer(400, "", "{\"errors\":[\"missing role\"]}");
    let peer = Peer::start(&[&no_role]);
    let (code, said) = place.run(peer.port, &["-q"]);
    assert_eq!((code, said.lines().count()), (77, 3));
}

#[test]
fn authorities_are_read_again_for_each_connection() {
    let place = Place::new(TOKEN);
    let ca = place.dir.path().join("ca");
    let sealed = answer(503, "", "{\"errors\":[\"Vault is sealed\"]}");
    let granted = granted("hvs.token");
    let (first, old) = Peer::start_tls(&[&sealed], "127.0.0.1", "old");
    let (second, new) = Peer::start_tls(&[&granted], "127.0.0.1", "new");
    std::fs::write(&ca, &old).unwrap();
    let proxy = crate::peer::relay(vec![first.port, second.port]);
    let swap = {
        let ca = ca.clone();
        move |said: &str| {
            // The answer of the first: from then on there is another authority.
            if said.contains("sealed") {
                std::fs::write(&ca, &new).unwrap();
            }
        }
    };
    let (code, said) =
        place.run_with(&format!("https://127.0.0.1:{proxy}"), &[&format!("--vault-ca-cert={}", ca.display())], swap);
    assert_eq!(code, 0, "{said}");
    assert_eq!((first.requests().len(), second.requests().len()), (1, 1));
    assert_eq!(std::fs::read(place.token_file()).unwrap(), b"hvs.token");
}

#[test]
fn a_refusal_for_good_is_one_request_and_keeps_the_old_token() {
    let place = Place::new(TOKEN);
    std::fs::write(place.token_file(), "old").unwrap();
    let refused = answer(400, "", "{\"errors\":[\"role \\\"app\\\" could not be found\"]}");
    let peer = Peer::start(&[&refused]);
    assert_eq!(
        place.run(peer.port, &[]),
        (
            77,
            "error: Vault at \"http://127.0.0.1:PORT\" refused the login (status 400, mount \"jwt\", role \"app\"): \
             role \"app\" could not be found\n\
             token: iss \"x\", sub none, aud none, kid \"a\", exp none\n\
             hint: look at --role and --vault-namespace (now the root namespace), or create the role: kubectl \
             vaultjwt setup --mount jwt --role app --service-account <NAMESPACE>:<NAME> --policy <POLICY>\n"
                .to_owned()
        )
    );
    assert_eq!(std::fs::read_to_string(place.token_file()).unwrap(), "old");
    assert_eq!(peer.requests().len(), 1);
}

#[test]
fn an_outage_is_ridden_out_and_told_once() {
    let place = Place::new(TOKEN);
    let sealed = answer(503, "", "{\"errors\":[\"Vault is sealed\"]}");
    let peer = Peer::start(&[&sealed, &sealed, &granted("hvs.token")]);
    let (code, said) = place.run(peer.port, &[]);
    assert_eq!(code, 0);
    assert_eq!(
        said,
        "warning: Vault at \"http://127.0.0.1:PORT\" cannot take the login now (status 503, mount \"jwt\", role \
         \"app\"): Vault is sealed; retrying for 2m\n\
         hint: check Vault: vault status\n\
         logged in to http://127.0.0.1:PORT as role \"app\": token in \"DIR/out/token\", lease 1h\n"
    );
}

#[test]
fn a_wait_that_the_server_asks_for_is_named_and_does_not_end_the_login() {
    let place = Place::new(TOKEN);
    let busy = answer(503, "Retry-After: 600\r\n", "{\"errors\":[\"busy\"]}");
    let peer = Peer::start(&[&busy, &granted("hvs.token")]);
    let (code, said) = place.run(peer.port, &["--timeout=2s"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("): busy; retrying in 1s (Retry-After: 10m)\n"), "{said}");
}

#[test]
fn a_token_that_cannot_be_stored_is_revoked() {
    let place = Place::new(TOKEN);
    let peer = Peer::start(&[&granted("hvs.token"), &answer(204, "", "")]);
    let out = place.dir.path().join("out");
    // Between the check and the login, something takes the file's place.
    let (code, said) = place.run_with(&format!("http://127.0.0.1:{}", peer.port), &["--mode=0666"], |said| {
        if said.contains("mode 0666") {
            std::fs::create_dir_all(out.join("token/full")).unwrap();
        }
    });
    assert_eq!(code, 73, "{said}");
    assert!(
        said.contains("\nrevoked the Vault token that could not be used\nerror: could not write the token file "),
        "{said}"
    );
    let revocation = &peer.requests()[1];
    assert!(revocation.starts_with("POST /v1/auth/token/revoke-self "), "{revocation}");
    assert!(revocation.to_ascii_lowercase().contains("x-vault-token: hvs.token\r\n"));
    assert_eq!(std::fs::read_dir(out).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn an_outage_past_the_timeout_is_an_error() {
    let place = Place::new(TOKEN);
    let sealed = answer(503, "Retry-After: 1\r\n", "{\"errors\":[\"Vault is sealed\"]}");
    let peer = Peer::start(&[&sealed, &sealed, &sealed, &sealed]);
    let (code, said) = place.run(peer.port, &["--timeout=4s", "--quiet"]);
    assert_eq!(code, 69);
    assert_eq!(
        said.lines().next(),
        Some(
            "error: Vault at \"http://127.0.0.1:PORT\" cannot take the login now (status 503, mount \"jwt\", role \
             \"app\"): Vault is sealed; gave up after 4 attempts in 3s"
        )
    );
    assert_eq!(peer.requests().len(), 4);
    assert!(!place.token_file().exists());
}

#[test]
fn without_a_place_or_a_jwt_nothing_is_sent() {
    // Nothing listens on this port: a request would be the error told.
    let place = Place::new(TOKEN);
    std::fs::remove_dir(place.dir.path().join("out")).unwrap();
    let (code, said) = place.run(9, &["--timeout=1s"]);
    assert_eq!(code, 73);
    assert_eq!(
        said,
        "error: could not write the token file \"DIR/out/token\": directory \"DIR/out\": no such file or directory\n\
         hint: mount an emptyDir with medium Memory at \"DIR/out\", or name another file with --token-file\n"
    );
    let place = Place::new("$TOKEN");
    let (code, said) = place.run(9, &[]);
    assert_eq!(code, 66);
    assert_eq!(
        said,
        "error: the JWT file \"DIR/jwt\" holds no JWT: it has 1 segment, not 3\n\
         hint: name the file that holds the token alone with --jwt-file or VAULT_JWT_FILE\n"
    );
    let empty = Place::new("\n");
    assert_eq!(empty.run(9, &["--timeout=1s"]).0, 66);
}

#[test]
fn the_ttl_counts_from_the_request_but_half_of_it_is_left() {
    let seconds = Duration::from_secs;
    assert_eq!(remaining(None, seconds(9)), None);
    for (ttl, took, left) in [(3_600, 0.9, 3_600), (10, 6.0, 5), (60, 70.0, 30), (600, 20.5, 580)] {
        let left = Some(seconds(left));
        assert_eq!(remaining(Some(seconds(ttl)), Duration::from_secs_f64(took)), left, "{ttl}, {took}");
    }
}

#[test]
fn a_socks_proxy_is_refused_rather_than_passed_by() {
    let Ok(Command::Login(mut settings)) = cli::parse(Vec::new(), |_| None) else { panic!() };
    settings.proxy =
        Some(proxy::Given { by: "VAULT_PROXY_ADDR".into(), url: shared::Secret::new("socks5://proxy:1080") });
    let failure = run(&settings, &End::default(), &LiveTokens::default(), &|_| {}).unwrap_err();
    assert_eq!(
        failure.message().shown(Format::Text, 0),
        "error: could not read VAULT_PROXY_ADDR: only HTTP proxies are supported, not SOCKS\n\
         hint: run: vault-jwt-login --help\n"
    );
}

#[test]
fn no_lease_and_no_role_have_words() {
    let Ok(Command::Login(settings)) = cli::parse(Vec::new(), |_| None) else { panic!() };
    let mut granted = Granted {
        token: shared::Secret::new("t"),
        lease: None,
        role: None,
        accessor: String::new(),
        policies: Vec::new(),
        renewable: false,
        uses: 0,
    };
    let line = |granted: &Granted| success(&settings.target, granted, &settings);
    assert_eq!(
        line(&granted),
        "logged in to https://127.0.0.1:8200 as the mount's default role: token in \"/vault/token\", without expiry"
    );
    granted.role = Some("app".into());
    assert!(line(&granted).contains("as role \"app\":"));
    for (arguments, goes) in [
        (&["--", "sh", "-c"][..], "token for \"sh\", without expiry"),
        (&["--token-file=/t", "--", "sh"], "token in \"/t\" and for \"sh\", without expiry"),
        (&["--no-env", "--", "sh"], "token in \"/vault/token\", without expiry"),
    ] {
        let Ok(Command::Login(settings)) = cli::parse(arguments.iter().map(OsString::from), |_| None) else { panic!() };
        assert!(success(&settings.target, &granted, &settings).ends_with(goes));
    }
}
