//! `vault-jwt-login --watch`, `--renew`, `check` and `revoke`: the program keeps a token valid in
//! a real Vault, as its audit log shows.

use crate::support::fixture::{Fixture, Owned, ROLE, Ran, run};
use harness::NEVER_FLAKY;
use harness::each_product;
use harness::server::{Product, VaultOptions, shared_cluster};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Seconds that a token of the role lives here.
const TTL: u64 = 9;

/// A fixture whose role gives tokens of [`TTL`], and the place of a token.
struct Bench {
    fixture: Fixture,
    jwt: PathBuf,
    token: PathBuf,
}

impl Bench {
    fn new(product: Product, role: Value) -> Self {
        let cluster = shared_cluster().expect("the shared cluster starts");
        let fixture = Fixture::to_wait(Owned::Shared(cluster), VaultOptions::new(product));
        fixture.setup(&ROLE).ok();
        let bench = Self { jwt: fixture.jwt_file(), token: fixture.folder.path().join("token"), fixture };
        bench.change_role("app", role);
        bench
    }

    /// Changes fields of a role, which is a copy of `app` where it is new.
    fn change_role(&self, name: &str, fields: Value) {
        let mut role = self.fixture.data("auth/jwt/role/app");
        for (name, value) in fields.as_object().expect("fields") {
            role[name] = value.clone();
        }
        self.fixture.write(&format!("auth/jwt/role/{name}"), role);
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.fixture.login_command(&self.jwt, &self.token);
        command.env("PATH", std::env::var_os("PATH").expect("a PATH")).args(words);
        command
    }

    /// Starts it; its stderr goes to a file.
    fn start(&self, words: &[&str]) -> Sidecar {
        let log = self.fixture.folder.path().join("log");
        let file = fs::File::create(&log).expect("a log");
        let mut command = self.command(words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        Sidecar { child: command.spawn().expect("it starts"), log }
    }

    /// What Vault was asked about tokens and logins since then, without the
    /// harness's own.
    fn asked(&self, seen: usize) -> Vec<String> {
        let short = |request: &String| {
            let path = request.split(' ').nth(1)?;
            ["auth/jwt/login", "auth/token/lookup-self", "auth/token/renew-self", "auth/token/revoke-self"]
                .contains(&path)
                .then(|| path.rsplit('/').next().unwrap_or_default().to_owned())
        };
        self.fixture.requests_since(seen).iter().filter_map(short).collect()
    }

    fn content(&self) -> String {
        fs::read_to_string(&self.token).unwrap_or_default()
    }

    /// Whether Vault knows a token.
    fn lives(&self, token: &str) -> bool {
        let path = "auth/token/lookup";
        self.fixture.vault.http("POST", path, Some(&json!({"token": token}))).expect("Vault answers").is_success()
    }
}

struct Sidecar {
    child: Child,
    log: PathBuf,
}

impl Sidecar {
    fn said(&self) -> String {
        fs::read_to_string(&self.log).expect("its log")
    }

    /// Waits until it has said this so often.
    #[track_caller]
    fn wait_for(&self, words: &str, times: usize) {
        let start = Instant::now();
        while self.said().matches(words).count() < times {
            assert!(start.elapsed() < Duration::from_secs(90), "no {words:?}:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends a signal, waits for the end: how long that took, and what it was.
    fn stop(mut self, signal: &str) -> (Duration, Ran) {
        let start = Instant::now();
        let sent = Command::new("kill").args([format!("-{signal}"), self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
        let status = self.child.wait().expect("it ends");
        let took = start.elapsed();
        (took, Ran { code: status.code().unwrap_or(-1), stdout: String::new(), stderr: self.said() })
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How many children a process has, zombies too.
fn children(parent: u32) -> usize {
    let line = format!("\nPPid:\t{parent}\n");
    let is_one = |entry: &fs::DirEntry| {
        fs::read_to_string(entry.path().join("status")).is_ok_and(|status| status.contains(&line))
    };
    fs::read_dir("/proc").expect("processes").flatten().filter(is_one).count()
}

/// When something was asked for, in seconds, by the times of the audit log.
fn times(bench: &Bench, path: &str) -> Vec<f64> {
    let of = |entry: &Value| {
        let right = entry["type"] == "request" && entry["request"]["path"] == path;
        let time: jiff::Timestamp = entry["time"].as_str().filter(|_| right)?.parse().ok()?;
        Some(time.as_millisecond() as f64 / 1_000.0)
    };
    bench.fixture.vault.audit_log().iter().filter_map(of).collect()
}

each_product!(a_pods_life, |product| {
    let bench = Bench::new(product, json!({"token_ttl": TTL, "token_max_ttl": 0}));
    // The init container.
    run(&mut bench.command(&["-q"])).ok();
    let (token, seen) = (bench.content(), bench.fixture.seen());
    let sidecar = bench.start(&["--watch", "--revoke-on-exit", "--info-file=info"]);
    sidecar.wait_for("\nrenewed: lease 9s", 3);
    assert_eq!(bench.content(), token, "{NEVER_FLAKY}: the token stays the same");
    let renewals = times(&bench, "auth/token/renew-self");
    let pauses: Vec<f64> = renewals.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // 62 to 70 parts of a hundred, and what a busy machine takes.
    assert!(pauses.iter().all(|pause| (5.5..8.0).contains(pause)), "{pauses:?}");
    let info: Value =
        serde_json::from_slice(&fs::read(bench.fixture.folder.path().join("info")).expect("info")).expect("JSON");
    assert_eq!((&info["lease_duration"], &info["role"]), (&json!(9), &json!("app")));

    // Somebody removes the files: they are back with the next renewal.
    fs::remove_file(&bench.token).expect("it was there");
    fs::remove_file(bench.fixture.folder.path().join("info")).expect("it was there");
    sidecar.wait_for("\nrenewed: lease 9s", 4);
    let told = format!("\nwarning: the token file \"{}\" was gone; written again\n", bench.token.display());
    sidecar.wait_for(&told, 1);
    assert_eq!(bench.content(), token, "{NEVER_FLAKY}");
    let mode = fs::metadata(&bench.token).expect("a file").permissions().mode();
    assert!(mode & 0o7777 == 0o600 && bench.fixture.folder.path().join("info").exists(), "{mode:o}");

    let (took, ran) = sidecar.stop("TERM");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let (first, rest) = ran.stderr.split_once('\n').expect("lines");
    assert!(first.starts_with("reusing the existing token: lease "), "{first}");
    assert!(rest.ends_with("\nended by SIGTERM: the Vault token is revoked\n"), "{rest}");
    assert_eq!(
        bench.asked(seen),
        ["lookup-self", "renew-self", "renew-self", "renew-self", "renew-self", "revoke-self"]
    );
    assert!(!bench.lives(&token), "{NEVER_FLAKY}");
    assert!(!bench.token.exists() && !bench.fixture.folder.path().join("info").exists(), "{NEVER_FLAKY}");

    // Without that, the token outlives it, for the next one.
    let sidecar = bench.start(&["--watch"]);
    sidecar.wait_for("logged in to ", 1);
    let (took, ran) = sidecar.stop("INT");
    assert!(took < Duration::from_secs(1) && ran.stderr.ends_with("\nended by SIGINT\n"), "{took:?} {}", ran.stderr);
    assert!(ran.code == 0 && bench.lives(&bench.content()), "{NEVER_FLAKY}");
});

each_product!(what_was_planted_is_not_taken_over, |product| {
    let bench = Bench::new(product, json!({"token_ttl": 600}));
    bench.change_role("other", json!({}));
    let own_mode = |mode| fs::set_permissions(&bench.token, fs::Permissions::from_mode(mode)).expect("a mode");
    let plant = |role: &str| {
        let mut command = bench.command(&["-q", "--role", role]);
        run(&mut command).ok();
    };
    let elsewhere = bench.fixture.folder.path().join("elsewhere");
    for (name, why) in [
        ("a token of another role", "it is from another role"),
        ("a token of another mount", "it is from another auth mount"),
        ("a token that Vault does not know", "it is not valid, or not allowed to look itself up"),
        ("a file that others may write to", "others may write to it"),
        ("a link", "is a link"),
    ] {
        plant(if name == "a token of another role" { "other" } else { "app" });
        match name {
            "a token of another mount" => {
                let other = bench.fixture.vault.token_with(&["default"]).expect("a token");
                fs::write(&bench.token, other.expose()).expect("it is planted");
            }
            "a token that Vault does not know" => fs::write(&bench.token, "hvs.planted").expect("it is planted"),
            "a file that others may write to" => own_mode(0o620),
            "a link" => {
                fs::rename(&bench.token, &elsewhere).expect("it is moved");
                std::os::unix::fs::symlink(&elsewhere, &bench.token).expect("a link");
            }
            _ => {}
        }
        let planted = bench.content();
        let sidecar = bench.start(&["--watch"]);
        sidecar.wait_for("logged in to ", 1);
        let said = sidecar.said();
        let place = bench.token.display();
        let told = if name == "a link" {
            format!("warning: the token file \"{place}\" is a link; logging in\n")
        } else {
            format!("warning: not reusing the token in \"{place}\": {why}; logging in\n")
        };
        assert!(said.starts_with(&told) && told.contains(why), "{name}: {said}");
        let token = bench.content();
        assert_ne!(token, planted, "{name}");
        let found =
            bench.fixture.vault.ok("POST", "auth/token/lookup", Some(&json!({"token": token}))).expect("it lives");
        assert_eq!((&found["data"]["path"], &found["data"]["meta"]["role"]), (&json!("auth/jwt/login"), &json!("app")));
        let kept = fs::symlink_metadata(&bench.token).expect("the file");
        assert!(kept.is_file() && kept.permissions().mode() & 0o7777 == 0o600, "{name}");
        sidecar.stop("TERM");
        if name == "a link" {
            assert_eq!(fs::read_to_string(&elsewhere).expect("what it led to"), planted, "{NEVER_FLAKY}");
        }
    }
});

each_product!(troubles_of_a_long_life, |product| {
    let bench = Bench::new(product, json!({"token_ttl": TTL, "token_max_ttl": 0}));
    let sidecar = bench.start(&["--watch"]);
    sidecar.wait_for("logged in to ", 1);
    let token = bench.content();
    // Sealed for longer than a lease: it asks on, about once a second at
    // most, and logs in when it can.
    sidecar.wait_for("renewed: ", 1);
    let sealed = Instant::now();
    bench.fixture.vault.seal().expect("it is sealed");
    sidecar.wait_for("warning: Vault at ", 1);
    assert_eq!(bench.content(), token, "{NEVER_FLAKY}");
    std::thread::sleep(Duration::from_secs(TTL + 1).saturating_sub(sealed.elapsed()));
    assert_eq!(bench.content(), token, "{NEVER_FLAKY}: a token that is over stays until there is another");
    bench.fixture.vault.unseal().expect("it is unsealed");
    sidecar.wait_for("logged in to ", 2);
    sidecar.wait_for("works again after ", 1);
    let said = sidecar.said();
    assert!(
        said.contains("(status 503): Vault is sealed; retrying, the token expires in ")
            || said.contains("could not reach Vault"),
        "{said}"
    );
    let next = bench.content();
    assert!(next != token && bench.lives(&next), "{NEVER_FLAKY}");

    // Its policies no longer let it renew itself: one try, then a login.
    bench.change_role("app", json!({"token_ttl": TTL, "token_max_ttl": 0, "token_no_default_policy": true}));
    let seen = bench.fixture.seen();
    sidecar.wait_for("did not renew the token (status 403): permission denied; logging in again", 0);
    // The token of now still has "default": end it, and the next has not.
    bench.fixture.vault.ok("POST", "auth/token/revoke", Some(&json!({"token": next}))).expect("it is revoked");
    sidecar.wait_for("logged in to ", 4);
    let asked = bench.asked(seen);
    let start = asked.iter().position(|what| what == "login").expect("a login");
    assert_eq!(asked[start..start + 3], ["login", "renew-self", "login"], "{asked:?}");
    assert!(sidecar.said().contains("did not renew the token (status 403): "), "{}", sidecar.said());

    // A maximum: the last lease is short, and then there is a new token.
    bench.change_role("app", json!({"token_ttl": TTL, "token_max_ttl": TTL + 4, "token_no_default_policy": false}));
    let logins = sidecar.said().matches("logged in to ").count();
    sidecar.wait_for("logged in to ", logins + 1);
    let (first, seen, told) = (bench.content(), bench.fixture.seen(), sidecar.said().len());
    sidecar.wait_for("logged in to ", logins + 2);
    assert_ne!(bench.content(), first);
    assert_eq!(bench.asked(seen)[..3], ["renew-self", "renew-self", "login"]);
    // In time: nothing went wrong.
    assert!(!sidecar.said()[told..].contains("warning"), "{}", sidecar.said());
    sidecar.stop("TERM");
});

each_product!(batch_tokens_and_a_probe, |product| {
    let bench = Bench::new(product, json!({"token_ttl": TTL, "token_type": "batch"}));
    let place = bench.token.display().to_string();
    let check = |words: &[&str]| run(&mut bench.command(&[&["check"], words].concat()));
    let hint = "look whether vault-jwt-login has logged in, and whether --token-file or VAULT_TOKEN_FILE is the same";
    check(&[]).failed(
        66,
        &format!("error: could not read the token file \"{place}\": no such file or directory\nhint: {hint}\n"),
    );
    let seen = bench.fixture.seen();
    let sidecar = bench.start(&["--watch", "--info-file=info"]);
    sidecar.wait_for("logged in to ", 2);
    assert_eq!(bench.asked(seen), ["login", "login"]);
    assert_eq!(check(&[]).ok().stderr, format!("there is a token in \"{place}\"\n"));
    let said = check(&["--info-file=info"]).ok().stderr;
    assert!(said.starts_with(&format!("there is a token in \"{place}\" for ")), "{said}");
    sidecar.stop("KILL");
    std::thread::sleep(Duration::from_secs(TTL + 1));
    let ran = check(&["--info-file=info"]);
    assert_eq!(ran.code, 66);
    assert!(ran.stderr.starts_with(&format!("error: the token in \"{place}\" is over since ")), "{}", ran.stderr);
    assert!(
        ran.stderr.ends_with(
            "\nhint: look at the log of the vault-jwt-login that keeps it; without --watch nobody renews it\n"
        )
    );
    let no_info = check(&["--info-file=nowhere"]);
    no_info.failed(
        66,
        "error: could not read the info file \"nowhere\": no such file or directory\n\
         hint: name the same --info-file or VAULT_TOKEN_INFO_FILE as the login, or none\n",
    );
});

each_product!(the_end_of_a_token, |product| {
    let bench = Bench::new(product, json!({"token_ttl": 600}));
    let place = bench.token.display().to_string();
    run(&mut bench.command(&["-q", "--info-file=info"])).ok();
    let token = bench.content();
    let revoke = || run(&mut bench.command(&["revoke", "--info-file=info"])).ok().stderr;
    assert_eq!(revoke(), format!("revoked the Vault token and removed \"{place}\"\n"));
    assert!(!bench.lives(&token) && !bench.token.exists(), "{NEVER_FLAKY}");
    assert!(!bench.fixture.folder.path().join("info").exists());
    assert_eq!(revoke(), format!("there is no token in \"{place}\"\n"));
    // One that was revoked before.
    fs::write(&bench.token, &token).expect("a file");
    assert_eq!(revoke(), format!("the Vault token had expired or been revoked; removed \"{place}\"\n"));
});

each_product!(beside_a_command, |product| {
    let bench = Bench::new(product, json!({"token_ttl": TTL, "token_max_ttl": 0}));
    let folder = bench.fixture.folder.path();
    let seen = bench.fixture.seen();
    // It lives through two renewals with one token, hears TERM, and leaves its own code.
    let script = "printf %s \"$VAULT_TOKEN\" >seen; trap 'echo heard >heard; exit 7' TERM; (sleep 0.2 &); \
                  i=0; while [ $i -lt 600 ]; do sleep 0.1; i=$((i + 1)); done";
    let mut command = bench.command(&["--renew", "--revoke-on-exit", "--", "sh", "-c", script]);
    command.env_remove("VAULT_TOKEN_FILE").current_dir(folder);
    let log = folder.join("log");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log).expect("a log"));
    let sidecar = Sidecar { child: command.spawn().expect("it starts"), log };
    sidecar.wait_for("renewed: ", 2);
    let token = fs::read_to_string(folder.join("seen")).expect("the token");
    assert!(bench.lives(&token), "{NEVER_FLAKY}");
    // Nobody's child stays a zombie.
    assert_eq!(children(sidecar.child.id()), 1);
    let (took, ran) = sidecar.stop("TERM");
    assert_eq!(ran.code, 7, "{}", ran.stderr);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(folder.join("heard").exists() && !bench.lives(&token), "{NEVER_FLAKY}");
    assert_eq!(bench.asked(seen), ["login", "renew-self", "renew-self", "revoke-self"]);

    // Codes and signals of its own.
    for (script, code) in [("exit 3", 3), ("kill -KILL $$", 137), ("kill -TERM $$", 143)] {
        let mut command = bench.command(&["-q", "--renew", "--", "sh", "-c", script]);
        command.env_remove("VAULT_TOKEN_FILE");
        let ran = run(&mut command);
        assert_eq!((ran.code, ran.stderr.as_str()), (code, ""), "{script}");
    }
    // One that is not there: no login.
    let seen = bench.fixture.seen();
    let mut command = bench.command(&["--renew", "--", "no-such-program"]);
    command.env_remove("VAULT_TOKEN_FILE");
    run(&mut command).failed(
        127,
        "error: could not run \"no-such-program\": there is no such program\n\
         hint: name a program of this image behind \"--\", by its path or one that PATH leads to\n",
    );
    assert_eq!(bench.asked(seen), Vec::<String>::new());
});

/// As PID 1 it ends what its command leaves behind.
#[test]
fn as_pid_1_it_reaps() {
    const UNSHARE: [&str; 4] = ["-rpf", "--mount-proc", "--kill-child", "--"];
    let may = Command::new("unshare").args(UNSHARE).arg("true").output();
    if !may.is_ok_and(|ran| ran.status.success()) {
        eprintln!("SKIPPED: this user may not make a PID namespace (unshare -rpf)");
        return;
    }
    let bench = Bench::new(Product::OpenBao, json!({"token_ttl": 600}));
    // A grandchild whose parent is gone becomes a child of PID 1.
    let script =
        "sh -c 'sleep 0.3 & exec true'; sleep 1; cat /proc/1/comm; grep -l '^State:.Z' /proc/[0-9]*/status; exit 5";
    let login = bench.command(&[]);
    let mut command = Command::new("unshare");
    command.args(UNSHARE).arg(login.get_program());
    command.args(["-q", "--renew", "--", "sh", "-c", script]).env_clear().current_dir(bench.fixture.folder.path());
    for (name, value) in login.get_envs() {
        if let Some(value) = value.filter(|_| name != Path::new("VAULT_TOKEN_FILE").as_os_str()) {
            command.env(name, value);
        }
    }
    let ran = run(&mut command);
    assert_eq!((ran.code, ran.stdout.as_str()), (5, "vault-jwt-login\n"), "{}", ran.stderr);
}
