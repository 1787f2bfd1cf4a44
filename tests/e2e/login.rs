//! `vault-jwt-login`: a real service account token becomes a Vault token in a
//! file, which reads a secret.

use crate::rig::{ROLE, Rig, run};
use harness::{artefacts, each_product};
use serde_json::json;
use shared::Secret;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// A secret, and the policy that lets the role read it.
fn with_secret(rig: &Rig) {
    rig.write("sys/mounts/kv", json!({"type": "kv", "options": {"version": "1"}}));
    rig.write("kv/app", json!({"password": "from the vault"}));
    rig.vault.write_policy("app-read", "path \"kv/app\" { capabilities = [\"read\"] }").expect("the policy is written");
    rig.setup(&ROLE).ok();
}

/// Reads the secret with the token in `file`.
fn secret(rig: &Rig, file: &Path) -> serde_json::Value {
    let token = Secret::new(fs::read_to_string(file).expect("the token file is there"));
    rig.vault.http_as(&token, "", "GET", "kv/app", None).expect("Vault answers").json()["data"]["password"].clone()
}

each_product!(a_token_for_a_token, |product| {
    let rig = Rig::new(product);
    with_secret(&rig);
    let (jwt, token) = (rig.jwt_file(), rig.folder.path().join("token"));
    // Whatever the umask: 0640 as asked for, 0600 by default.
    for (mode, expected) in [(None, 0o600), (Some("0640"), 0o640)] {
        let login = rig.login_command(&jwt, &token);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "umask 0277; exec \"$0\""])
            .arg(login.get_program())
            .env_clear()
            .current_dir(rig.folder.path());
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
                rig.vault.address(),
                token.display()
            )
        );
        assert_eq!(fs::metadata(&token).expect("metadata").permissions().mode() & 0o7777, expected);
        assert_eq!(secret(&rig, &token), json!("from the vault"));
    }
    // Nothing but the token is left in the folder.
    let mut left: Vec<String> = fs::read_dir(rig.folder.path())
        .expect("the folder")
        .map(|e| e.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    left.retain(|name| !name.starts_with('.'));
    left.sort();
    assert_eq!(left, ["jwt", "token"]);
});

each_product!(from_an_empty_root, |product| {
    let rig = Rig::new(product);
    with_secret(&rig);
    let root = rig.folder.folder("root").expect("a folder is made");
    for folder in ["etc", "out"] {
        fs::create_dir(root.join(folder)).expect("a folder is made");
    }
    let pod = artefacts::pod_binary().expect("the pod binary is built");
    fs::copy(&pod.path, root.join("vault-jwt-login")).expect("the binary is copied");
    fs::copy(rig.jwt_file(), root.join("jwt")).expect("the token is copied");
    fs::copy(rig.vault.ca_file().expect("a CA"), root.join("ca.pem")).expect("the CA is copied");
    fs::write(root.join("etc/hosts"), "127.0.0.1 localhost\n").expect("hosts");
    fs::write(root.join("etc/resolv.conf"), "nameserver 127.0.0.1\n").expect("resolv.conf");
    // The address by name, so that the hosts file is read.
    let address = rig.vault.address().replace("127.0.0.1", "localhost");
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
    assert_eq!(secret(&rig, &root.join("out/token")), json!("from the vault"));
});

each_product!(refusals_say_why_and_leave_the_file_alone, |product| {
    let rig = Rig::new(product);
    with_secret(&rig);
    rig.cluster.create_service_account("shop", "other").expect("a service account is made");
    let token = rig.folder.path().join("token");
    fs::write(&token, "old").expect("an old token");
    let inode = fs::metadata(&token).expect("metadata").ino();
    let other = rig
        .folder
        .write("other", rig.cluster.token("shop", "other", &["vault"]).expect("a token").expose())
        .expect("written");
    let audience = rig
        .folder
        .write("audience", rig.cluster.token("shop", "app", &["elsewhere"]).expect("a token").expose())
        .expect("written");
    let jwt = rig.jwt_file();
    let garbage = rig.folder.write("garbage", "$TOKEN").expect("written");
    let missing = rig.folder.path().join("missing");
    for (jwt, role, code, first) in [
        (&other, "app", 77, "error: Vault at \""),
        (&audience, "app", 77, "error: Vault at \""),
        (&jwt, "nosuch", 77, "error: Vault at \""),
        (&garbage, "app", 66, "error: "),
        (&missing, "app", 66, "error: "),
    ] {
        let ran = run(rig.login_command(jwt, &token).env("VAULT_ROLE", role));
        assert_eq!(ran.code, code, "{jwt:?} {role}: {}", ran.stderr);
        assert!(ran.stderr.starts_with(first), "{}", ran.stderr);
        assert!(ran.stderr.contains("hint: "), "{}", ran.stderr);
        assert!(!ran.stderr.contains("eyJ"), "{}", ran.stderr);
        assert_eq!(fs::read_to_string(&token).expect("the old token"), "old");
        assert_eq!(fs::metadata(&token).expect("metadata").ino(), inode);
    }
    // What may heal by itself is tried until the time is up, then told in full.
    let key = rig.cluster.signing_key();
    let claims = |seconds: i64| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs() as i64;
        json!({"iss": rig.cluster.issuer(), "sub": "system:serviceaccount:shop:app", "aud": ["vault"], "iat": now + seconds,
               "nbf": now + seconds, "exp": now + seconds + 600,
               "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "app", "uid": "u"}}})
    };
    let expired = rig.folder.write("expired", key.sign(&claims(-7200)).expect("a token")).expect("written");
    let empty = rig.folder.write("empty", " \n").expect("written");
    for (jwt, code, part) in [(&expired, 77, "token is expired"), (&empty, 66, "is empty")] {
        let ran = run(rig.login_command(jwt, &token).args(["--timeout", "1s"]));
        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert!(ran.stderr.contains(part), "{}", ran.stderr);
        assert_eq!(fs::read_to_string(&token).expect("the old token"), "old");
    }
    // A signature that no key on the mount verifies heals in time, or not at all.
    let mut config = rig.data("auth/jwt/config");
    let strange = harness::keys::SigningKey::generate(harness::keys::Alg::Rs256).expect("a key");
    config["jwt_validation_pubkeys"] = json!([strange.public_pem()]);
    config.as_object_mut().expect("an object").remove("status");
    rig.write("auth/jwt/config", config);
    let ran = run(rig.login_command(&jwt, &token).args(["--timeout", "1s"]));
    assert_eq!(ran.code, 77, "{}", ran.stderr);
    assert!(ran.stderr.contains("no known key successfully validated the token signature"), "{}", ran.stderr);
});

each_product!(places_that_cannot_be_written, |product| {
    let rig = Rig::new(product);
    with_secret(&rig);
    let jwt = rig.jwt_file();
    let seen = rig.seen();
    let nowhere = rig.folder.path().join("nowhere/token");
    let folder = rig.folder.folder("folder").expect("a folder");
    for target in [nowhere.as_path(), folder.as_path(), Path::new("/proc/token")] {
        let ran = run(&mut rig.login_command(&jwt, target));
        assert_eq!(ran.code, 73, "{target:?}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    }
    // No login was wasted on them.
    assert_eq!(rig.requests_since(seen), [] as [&str; 0]);
});
