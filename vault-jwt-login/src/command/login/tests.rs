use super::*;
use crate::cli::arguments::{self, Invocation};
use crate::connection::proxy;
use crate::connection::test_server::{TestServer, granted, response};
use crate::log::Format;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

// {"alg":"RS256","kid":"a"} . {"iss":"x"} . "sig"
const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJ4In0.c2ln";

struct Fixture {
    dir: tempfile::TempDir,
}

impl Fixture {
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
        let Ok(Invocation::Login(settings)) = arguments::parse(arguments, |_| None) else { panic!("{flags:?}") };
        let told = std::cell::RefCell::new(String::new());
        let code = match run(&settings, &SignalGate::default(), &LiveTokens::default(), &|message: &Message<'_>| {
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
    let fixture = Fixture::new(&format!("{TOKEN}\n"));
    let server = TestServer::start(&[&granted("hvs.token")]);
    assert_eq!(
        fixture.run(server.port, &["--mode=0640"]),
        (0, "logged in to http://127.0.0.1:PORT as role \"app\": token in \"DIR/out/token\", lease 1h\n".to_owned())
    );
    assert_eq!(std::fs::read(fixture.token_file()).unwrap(), b"hvs.token");
    assert_eq!(std::fs::metadata(fixture.token_file()).unwrap().permissions().mode() & 0o7777, 0o640);
    assert!(server.requests()[0].ends_with(&format!("{{\"role\":\"app\",\"jwt\":\"{TOKEN}\"}}")));
}

#[test]
fn a_mode_for_everybody_is_warned_of() {
    let fixture = Fixture::new(TOKEN);
    let server = TestServer::start(&[&granted("hvs.token")]);
    let (code, said) = fixture.run(server.port, &["--mode=0666"]);
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
    let fixture = Fixture::new(TOKEN);
    let sealed = response(503, "", "{\"errors\":[\"Vault is sealed\"]}");
    let server = TestServer::start(&[&sealed, &granted("hvs.token")]);
    assert_eq!(fixture.run(server.port, &["-q"]), (0, String::new()));
    let no_role = response(400, "", "{\"errors\":[\"missing role\"]}");
    let server = TestServer::start(&[&no_role]);
    let (code, said) = fixture.run(server.port, &["-q"]);
    assert_eq!((code, said.lines().count()), (77, 3));
}

#[test]
fn authorities_are_read_again_for_each_connection() {
    let fixture = Fixture::new(TOKEN);
    let ca = fixture.dir.path().join("ca");
    let sealed = response(503, "", "{\"errors\":[\"Vault is sealed\"]}");
    let granted = granted("hvs.token");
    let (first, old) = TestServer::start_tls(&[&sealed], "127.0.0.1", "old");
    let (second, new) = TestServer::start_tls(&[&granted], "127.0.0.1", "new");
    std::fs::write(&ca, &old).unwrap();
    let proxy = crate::connection::test_server::relay(vec![first.port, second.port]);
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
        fixture.run_with(&format!("https://127.0.0.1:{proxy}"), &[&format!("--vault-ca-cert={}", ca.display())], swap);
    assert_eq!(code, 0, "{said}");
    assert_eq!((first.requests().len(), second.requests().len()), (1, 1));
    assert_eq!(std::fs::read(fixture.token_file()).unwrap(), b"hvs.token");
}

#[test]
fn a_refusal_for_good_is_one_request_and_keeps_the_old_token() {
    let fixture = Fixture::new(TOKEN);
    std::fs::write(fixture.token_file(), "old").unwrap();
    let refused = response(400, "", "{\"errors\":[\"role \\\"app\\\" could not be found\"]}");
    let server = TestServer::start(&[&refused]);
    assert_eq!(
        fixture.run(server.port, &[]),
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
    assert_eq!(std::fs::read_to_string(fixture.token_file()).unwrap(), "old");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_outage_is_ridden_out_and_told_once() {
    let fixture = Fixture::new(TOKEN);
    let sealed = response(503, "", "{\"errors\":[\"Vault is sealed\"]}");
    let server = TestServer::start(&[&sealed, &sealed, &granted("hvs.token")]);
    let (code, said) = fixture.run(server.port, &[]);
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
    let fixture = Fixture::new(TOKEN);
    let busy = response(503, "Retry-After: 600\r\n", "{\"errors\":[\"busy\"]}");
    let server = TestServer::start(&[&busy, &granted("hvs.token")]);
    let (code, said) = fixture.run(server.port, &["--timeout=2s"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("): busy; retrying in 1s (Retry-After: 10m)\n"), "{said}");
}

#[test]
fn a_token_that_cannot_be_stored_is_revoked() {
    let fixture = Fixture::new(TOKEN);
    let server = TestServer::start(&[&granted("hvs.token"), &response(204, "", "")]);
    let out = fixture.dir.path().join("out");
    // Between the check and the login, something takes the file's place.
    let (code, said) = fixture.run_with(&format!("http://127.0.0.1:{}", server.port), &["--mode=0666"], |said| {
        if said.contains("mode 0666") {
            std::fs::create_dir_all(out.join("token/full")).unwrap();
        }
    });
    assert_eq!(code, 73, "{said}");
    assert!(
        said.contains("\nrevoked the Vault token that could not be used\nerror: could not write the token file "),
        "{said}"
    );
    let revocation = &server.requests()[1];
    assert!(revocation.starts_with("POST /v1/auth/token/revoke-self "), "{revocation}");
    assert!(revocation.to_ascii_lowercase().contains("x-vault-token: hvs.token\r\n"));
    assert_eq!(std::fs::read_dir(out).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn an_outage_past_the_timeout_is_an_error() {
    let fixture = Fixture::new(TOKEN);
    let sealed = response(503, "Retry-After: 1\r\n", "{\"errors\":[\"Vault is sealed\"]}");
    let server = TestServer::start(&[&sealed, &sealed, &sealed, &sealed]);
    let (code, said) = fixture.run(server.port, &["--timeout=4s", "--quiet"]);
    assert_eq!(code, 69);
    assert_eq!(
        said.lines().next(),
        Some(
            "error: Vault at \"http://127.0.0.1:PORT\" cannot take the login now (status 503, mount \"jwt\", role \
             \"app\"): Vault is sealed; gave up after 4 attempts in 3s"
        )
    );
    assert_eq!(server.requests().len(), 4);
    assert!(!fixture.token_file().exists());
}

#[test]
fn without_a_place_or_a_jwt_nothing_is_sent() {
    // Nothing listens on this port: a request would be the error told.
    let fixture = Fixture::new(TOKEN);
    std::fs::remove_dir(fixture.dir.path().join("out")).unwrap();
    let (code, said) = fixture.run(9, &["--timeout=1s"]);
    assert_eq!(code, 73);
    assert_eq!(
        said,
        "error: could not write the token file \"DIR/out/token\": directory \"DIR/out\": no such file or directory\n\
         hint: mount an emptyDir with medium Memory at \"DIR/out\", or name another file with --token-file\n"
    );
    let fixture = Fixture::new("$TOKEN");
    let (code, said) = fixture.run(9, &[]);
    assert_eq!(code, 66);
    assert_eq!(
        said,
        "error: the JWT file \"DIR/jwt\" holds no JWT: it has 1 segment, not 3\n\
         hint: name the file that holds the token alone with --jwt-file or VAULT_JWT_FILE\n"
    );
    let empty = Fixture::new("\n");
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
    let Ok(Invocation::Login(mut settings)) = arguments::parse(Vec::new(), |_| None) else { panic!() };
    settings.proxy = Some(proxy::ProxySetting {
        given_by: "VAULT_PROXY_ADDR".into(),
        url: shared::Secret::new("socks5://proxy:1080"),
    });
    let failure = run(&settings, &SignalGate::default(), &LiveTokens::default(), &|_| {}).unwrap_err();
    assert_eq!(
        failure.message().shown(Format::Text, 0),
        "error: could not read VAULT_PROXY_ADDR: only HTTP proxies are supported, not SOCKS\n\
         hint: run: vault-jwt-login --help\n"
    );
}
