//! `vault-jwt-login`: a real service account token becomes a Vault token in a file, and that token
//! reads a secret.

use crate::support::fixture::{Fixture, ROLE, run};
use harness::{artifacts, each_product};
use serde_json::json;
use shared::Secret;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// A secret, and the policy that lets the role read it.
fn with_secret(fixture: &Fixture) {
    fixture.write("sys/mounts/kv", json!({"type": "kv", "options": {"version": "1"}}));
    fixture.write("kv/app", json!({"password": "from the vault"}));
    fixture
        .vault
        .write_policy("app-read", "path \"kv/app\" { capabilities = [\"read\"] }")
        .expect("the policy is written");
    fixture.setup(&ROLE).ok();
}

/// Reads the secret with the token in `file`.
fn secret(fixture: &Fixture, file: &Path) -> serde_json::Value {
    let token = Secret::new(fs::read_to_string(file).expect("the token file is there"));
    fixture.vault.http_as(&token, "", "GET", "kv/app", None).expect("Vault answers").json()["data"]["password"].clone()
}

each_product!(a_token_for_a_token, |product| {
    let fixture = Fixture::new(product);
    with_secret(&fixture);
    let (jwt, token) = (fixture.jwt_file(), fixture.folder.path().join("token"));
    // Whatever the umask: 0640 as asked for, 0600 by default.
    for (mode, expected) in [(None, 0o600), (Some("0640"), 0o640)] {
        let login = fixture.login_command(&jwt, &token);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "umask 0277; exec \"$0\""])
            .arg(login.get_program())
            .env_clear()
            .current_dir(fixture.folder.path());
        for (name, value) in login.get_envs() {
            if let Some(value) = value {
                shell.env(name, value);
            }
        }
        shell.envs(mode.map(|m| ("VAULT_TOKEN_FILE_MODE", m)));
        let ran = run(&mut shell).ok();
        assert_eq!(ran.stdout, "");
        assert_eq!(
            ran.stderr,
            format!(
                "logged in to {} as role \"app\": token in \"{}\", lease 1h\n",
                fixture.vault.address(),
                token.display()
            )
        );
        assert_eq!(fs::metadata(&token).expect("metadata").permissions().mode() & 0o7777, expected);
        assert_eq!(secret(&fixture, &token), json!("from the vault"));
    }
    // Nothing but the token is left in the folder.
    let mut left: Vec<String> = fs::read_dir(fixture.folder.path())
        .expect("the folder")
        .map(|e| e.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    left.retain(|name| !name.starts_with('.'));
    left.sort();
    assert_eq!(left, ["jwt", "token"]);
});

/// A mask of signals as the kernel shows it. (Above 31 are the C library's own.)
fn signals(mask: &str) -> u64 {
    u64::from_str_radix(mask.trim(), 16).expect("a mask") & 0x7fff_ffff
}

/// What whoever started the tests has told them to ignore.
fn ignored_here() -> u64 {
    const PIPE: u64 = 1 << 12;
    let status = fs::read_to_string("/proc/self/status").expect("its status");
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).expect("a mask");
    signals(mask) & !PIPE
}

each_product!(the_program_becomes_the_command_behind_it, |product| {
    let fixture = Fixture::new(product);
    with_secret(&fixture);
    let (jwt, out) = (fixture.jwt_file(), fixture.folder.path().join("seen"));
    // What the command sees: its own pid, the token, and nothing older.
    let script = "printf %s \"$VAULT_TOKEN\" > seen; echo \"$$ ${BAO_TOKEN-none} $1\"; \
                  grep SigIgn /proc/self/status; exit 7";
    let mut command = fixture.login_command(&jwt, Path::new("/nowhere"));
    command.env_remove("VAULT_TOKEN_FILE").env("BAO_TOKEN", "stale");
    command.args(["--info-file", "info.json", "--", "sh", "-c", script, "sh", "--role"]);
    let child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let pid = child.id();
    let ran: crate::support::fixture::Ran = child.wait_with_output().expect("it ends").into();
    let (first, ignored) = ran.stdout.split_once("\nSigIgn:\t").expect("two lines");
    assert_eq!((ran.code, first), (7, format!("{pid} none --role").as_str()), "{}", ran.stderr);
    // No signal is taken from it: not SIGPIPE, which Rust ignores for itself.
    // What was ignored before, as under nohup, still is.
    let ignored = signals(ignored);
    assert_eq!(ignored, ignored_here(), "{ignored:x}");
    assert_eq!(
        ran.stderr,
        format!("logged in to {} as role \"app\": token for \"sh\", lease 1h\n", fixture.vault.address())
    );
    assert_eq!(secret(&fixture, &out), json!("from the vault"));
    // What is known about it, which is no secret.
    let info = fs::read_to_string(fixture.folder.path().join("info.json")).expect("the info file");
    let token = fs::read_to_string(&out).expect("the token");
    assert!(!info.contains(&token));
    let info: serde_json::Value = serde_json::from_str(&info).expect("JSON");
    let found = fixture
        .vault
        .ok("POST", "auth/token/lookup-accessor", Some(&json!({"accessor": info["accessor"]})))
        .expect("Vault knows it");
    assert_eq!(info["policies"], found["data"]["policies"]);
    assert_eq!(
        (&info["lease_duration"], &info["renewable"], &info["role"], &info["mount"]),
        (&json!(3600), &json!(true), &json!("app"), &json!("jwt"))
    );
    assert_eq!(
        info["expires_at"].as_i64().zip(info["issued_at"].as_i64()).map(|(end, start)| end - start),
        Some(3_600)
    );

    // What is ignored on purpose stays so, while it logs in and after.
    let login = fixture.login_command(&jwt, Path::new("/nowhere"));
    let mut ignoring = Command::new("sh");
    ignoring.args(["-c", "trap '' INT TERM; exec \"$@\"", "sh"]).arg(login.get_program());
    ignoring.env_clear().envs(login.get_envs().filter_map(|(name, value)| Some((name, value?))));
    ignoring.env_remove("VAULT_TOKEN_FILE").args(["-q", "--", "grep", "SigIgn", "/proc/self/status"]);
    ignoring.env("PATH", std::env::var_os("PATH").expect("a PATH"));
    let ran = run(&mut ignoring).ok();
    let mask = ran.stdout.strip_prefix("SigIgn:\t").expect("a mask");
    assert_eq!(signals(mask), ignored_here() | 0x4002, "{mask}");

    // Only the file: the environment stays as it was.
    let file = fixture.folder.path().join("token");
    let mut command = fixture.login_command(&jwt, &file);
    command.args(["-q", "--no-env", "--", "sh", "-c", "printf %s \"${VAULT_TOKEN-none}\""]);
    let ran = run(&mut command).ok();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("none", ""));
    assert_eq!(secret(&fixture, &file), json!("from the vault"));

    // A program that is not there: no login, no token that nobody takes.
    let seen = fixture.seen();
    let mut command = fixture.login_command(&jwt, &file);
    command.args(["--", "no-such-program"]);
    run(&mut command).failed(
        127,
        "error: could not run \"no-such-program\": there is no such program\n\
         hint: name a program of this image behind \"--\", by its path or one that PATH leads to\n",
    );
    assert_eq!(fixture.requests_since(seen), Vec::<String>::new());
});

each_product!(from_an_empty_root, |product| {
    let fixture = Fixture::new(product);
    with_secret(&fixture);
    let root = fixture.folder.folder("root").expect("a folder is made");
    for folder in ["etc", "out"] {
        fs::create_dir(root.join(folder)).expect("a folder is made");
    }
    let pod = artifacts::pod_binary().expect("the pod binary is built");
    fs::copy(&pod.path, root.join("vault-jwt-login")).expect("the binary is copied");
    fs::copy(fixture.jwt_file(), root.join("jwt")).expect("the token is copied");
    fs::copy(fixture.vault.ca_file().expect("a CA"), root.join("ca.pem")).expect("the CA is copied");
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n").expect("hosts");
    fs::write(root.join("etc/resolv.conf"), "nameserver 127.0.0.1\n").expect("resolv.conf");
    // The address by name, so that the hosts file is read.
    let address = fixture.vault.address().replace("127.0.0.1", "localhost");
    let mut command = Command::new("chroot");
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").arg(&root).arg("/vault-jwt-login");
    command.args([
        "--jwt-file",
        "/jwt",
        "--role",
        "app",
        "--token-file",
        "/out/token",
        "--vault-addr",
        &address,
        "--vault-ca-cert",
        "/ca.pem",
    ]);
    run(&mut command).ok();
    assert_eq!(secret(&fixture, &root.join("out/token")), json!("from the vault"));
});

each_product!(refusals_say_why_and_leave_the_file_alone, |product| {
    let fixture = Fixture::new(product);
    with_secret(&fixture);
    fixture.cluster.create_service_account("shop", "other").expect("a service account is made");
    let token = fixture.folder.path().join("token");
    fs::write(&token, "old").expect("an old token");
    let inode = fs::metadata(&token).expect("metadata").ino();
    let other = fixture
        .folder
        .write("other", fixture.cluster.token("shop", "other", &["vault"]).expect("a token").expose())
        .expect("written");
    let audience = fixture
        .folder
        .write("audience", fixture.cluster.token("shop", "app", &["elsewhere"]).expect("a token").expose())
        .expect("written");
    let jwt = fixture.jwt_file();
    let garbage = fixture.folder.write("garbage", "$TOKEN").expect("written");
    let missing = fixture.folder.path().join("missing");
    for (jwt, role, code, first) in [
        (&other, "app", 77, "error: Vault at \""),
        (&audience, "app", 77, "error: Vault at \""),
        (&jwt, "nosuch", 77, "error: Vault at \""),
        (&garbage, "app", 66, "error: "),
        (&missing, "app", 66, "error: "),
    ] {
        let ran = run(fixture.login_command(jwt, &token).env("VAULT_ROLE", role));
        assert_eq!(ran.code, code, "{jwt:?} {role}: {}", ran.stderr);
        assert!(ran.stderr.starts_with(first), "{}", ran.stderr);
        assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
        assert!(!ran.stderr.contains("eyJ"), "{}", ran.stderr);
        assert_eq!(fs::read_to_string(&token).expect("the old token"), "old");
        assert_eq!(fs::metadata(&token).expect("metadata").ino(), inode);
    }
    // What may heal by itself is tried until the time is up, then told in full.
    let key = fixture.cluster.signing_key();
    let claims = |seconds: i64| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs() as i64;
        json!({"iss": fixture.cluster.issuer(), "sub": "system:serviceaccount:shop:app", "aud": ["vault"], "iat": now + seconds,
               "nbf": now + seconds, "exp": now + seconds + 600,
               "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "app", "uid": "u"}}})
    };
    let expired = fixture.folder.write("expired", key.sign(&claims(-7200)).expect("a token")).expect("written");
    let empty = fixture.folder.write("empty", " \n").expect("written");
    for (jwt, code, part) in [(&expired, 77, "token is expired"), (&empty, 66, "is empty")] {
        let ran = run(fixture.login_command(jwt, &token).args(["--timeout", "1s"]));
        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
        assert_eq!(fs::read_to_string(&token).expect("the old token"), "old");
    }
    // A signature that no key on the mount verifies heals in time, or not at all.
    let mut config = fixture.data("auth/jwt/config");
    let strange = harness::keys::SigningKey::generate(harness::keys::Alg::Rs256).expect("a key");
    config["jwt_validation_pubkeys"] = json!([strange.public_pem()]);
    config.as_object_mut().expect("an object").remove("status");
    fixture.write("auth/jwt/config", config);
    let ran = run(fixture.login_command(&jwt, &token).args(["--timeout", "1s"]));
    assert_eq!(ran.code, 77, "{}", ran.stderr);
    assert!(ran.stderr.contains("no known key successfully validated the token signature"), "{}", ran.stderr);
});

each_product!(places_that_cannot_be_written, |product| {
    let fixture = Fixture::new(product);
    with_secret(&fixture);
    let jwt = fixture.jwt_file();
    let seen = fixture.seen();
    let nowhere = fixture.folder.path().join("nowhere/token");
    let folder = fixture.folder.folder("folder").expect("a folder");
    for target in [nowhere.as_path(), folder.as_path(), Path::new("/proc/token")] {
        let ran = run(&mut fixture.login_command(&jwt, target));
        assert_eq!(ran.code, 73, "{target:?}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
    // No login was wasted on them.
    assert_eq!(fixture.requests_since(seen), [] as [&str; 0]);
});
