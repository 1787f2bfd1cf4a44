//! The Vault token of a `sync --watch` that logs in from a cluster whose keys it manages: in a
//! pod, and when a rotation invalidates its login.

use crate::support::fixture::{Fixture, Owned, run};
use crate::support::load::log_in;
use crate::support::watching::Watching;
use harness::NEVER_FLAKY;
use harness::artifacts;
use harness::each_product;
use harness::keys::Alg;
use harness::process::{Scratch, clean_environment};
use harness::server::{Cluster, ClusterOptions, Issuer, VaultOptions};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// A cluster with keys of its own, a Vault with the policy and the role of the guide,
/// and the guide's service account.
fn fixture(product: harness::server::Product) -> Fixture {
    let issuer = Issuer::Url("https://gamma.svc".to_owned());
    let cluster = Cluster::rotating(ClusterOptions { issuer, ..ClusterOptions::default() }).expect("a cluster starts");
    let fixture = Fixture::to_wait(Owned::Own(Box::new(cluster)), VaultOptions::new(product));
    apply(&fixture, &guide("```yaml\n"));
    let policy = guide("vault policy write vaultjwt-sync - <<< '");
    fixture.vault.write_policy("vaultjwt-sync", policy.trim()).expect("a policy");
    let words = guide("$ kubectl vaultjwt setup ");
    // What follows is the shell's.
    let line = words.lines().next().unwrap_or_default().split('>').next().unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    fixture.setup(&words).ok();
    fixture
}

/// What the guide has between this and the end of the quote or block.
fn guide(start: &str) -> String {
    let path = harness::workspace::root().join("docs/watching.md");
    let guide = fs::read_to_string(&path).expect("the guide is there");
    let (_, rest) = guide.split_once(start).unwrap_or_else(|| panic!("no {start:?} in {}", path.display()));
    let end = if start.ends_with('\'') { "'" } else { "```" };
    rest.split(end).next().unwrap_or_default().to_owned()
}

/// Applies the guide's manifest. Other tests apply it to the same cluster, and if
/// two create the same object at once, the API server refuses one.
fn apply(fixture: &Fixture, manifest: &str) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let file = fixture.folder.write("manifest.yaml", manifest).expect("a file");
    fixture.cluster.kubectl_ok(&["apply", "-f", file.to_str().expect("a path")]).expect("it is applied");
}

/// The pod's token for Vault, as it is now.
fn write_jwt(fixture: &Fixture) -> PathBuf {
    let token = fixture.cluster.token("vaultjwt", "sync", &["vault"]).expect("a token");
    fixture.folder.write("jwt", token.expose()).expect("a file")
}

/// The plugin without a token of anybody.
fn plugin(fixture: &Fixture) -> Command {
    let mut command = Command::new(artifacts::plugin().expect("the plugin is built"));
    clean_environment(&mut command, fixture.folder.path(), &[]);
    command.envs(fixture.vault.client_environment()).env_remove("VAULT_TOKEN");
    command.env("KUBECONFIG", fixture.cluster.kubeconfig());
    command
}

/// Whether a token that the cluster issues now opens Vault.
fn pods_log_in(fixture: &Fixture) -> Result<(), String> {
    let token = fixture.cluster.token("shop", "app", &["vault"]).expect("a token");
    log_in(&fixture.vault, token.expose())
}

fn role_app(fixture: &Fixture) {
    fixture.setup(&crate::support::fixture::ROLE).ok();
}

each_product!(locked_out_it_names_the_command_and_with_a_fallback_it_needs_none, |product| {
    let fixture = fixture(product);
    role_app(&fixture);
    let jwt = write_jwt(&fixture);
    let jwt = ["--auth-jwt-file", jwt.to_str().expect("a path")];
    let words = [&["--auth-role", "vaultjwt-sync", "--interval", "1s"], &jwt[..]].concat();
    let run_1 = Watching::start(plugin(&fixture), &words);
    run_1.wait_ready();
    let line = run_1.wait_for("logged in");
    assert_eq!(line, "info  logged in with role \"vaultjwt-sync\" of auth mount \"jwt/\", for 1h");
    let ttl = run_1.figure("vaultjwt_token_ttl_seconds");
    assert!((3_000.0..=3_600.0).contains(&ttl), "{ttl}");
    // While it runs, a rotation of its own cluster does not lock it out.
    fixture.cluster.rotate(Alg::Rs256).expect("it rotates");
    run_1.wait_for("\" added");
    write_jwt(&fixture);
    assert_eq!(run_1.stop().1.code, 0);

    // While it does not, it does.
    fixture.cluster.rotate(Alg::Es256).expect("it rotates");
    write_jwt(&fixture);
    assert!(pods_log_in(&fixture).is_err(), "void: the new key is on the mount");
    let run_2 = Watching::start(plugin(&fixture), &words);
    let line = run_2.wait_for("error own token: ");
    let by_hand = format!("kubectl vaultjwt sync --mount jwt --vault-addr {}", fixture.vault.address());
    assert!(line.contains("no known key successfully validated the token signature"), "{line}");
    assert!(line.ends_with(&format!("; hint: {by_hand}")), "{line}");
    assert_eq!(run_2.figure(&format!("vaultjwt_locked_out{{command=\"{by_hand}\"}}")), 1.0);
    assert_eq!(run_2.get("/readyz").map(|(status, _)| status), Some(503));
    assert!(pods_log_in(&fixture).is_err());
    // Somebody runs it, word for word.
    let mut by_hand: Vec<&str> = by_hand.split_whitespace().collect();
    by_hand.remove(0);
    run(&mut fixture.kubectl(&by_hand)).ok();
    run_2.wait_ready();
    run_2.wait_for("info  own token: works again after ");
    assert_eq!(run_2.figure("vaultjwt_locked_out{command=\"\"}"), 0.0);
    assert_eq!(pods_log_in(&fixture), Ok(()), "{NEVER_FLAKY}");
    assert_eq!(run_2.stop().1.code, 0);

    // With a second way to log in, nobody has to.
    let fallback = approle(&fixture);
    fixture.cluster.rotate(Alg::Rs256).expect("it rotates");
    write_jwt(&fixture);
    assert!(pods_log_in(&fixture).is_err(), "void: the new key is on the mount");
    let run_3 = Watching::start(plugin(&fixture), &[&words[..], &["--auth-fallback", &fallback]].concat());
    let line = run_3.wait_for("logged in");
    assert_eq!(line, "warn  logged in with AppRole of auth mount \"ops/\" (fallback), for 20m");
    run_3.wait_for("\" added");
    assert_eq!(pods_log_in(&fixture), Ok(()), "{NEVER_FLAKY}");
    let (_, ended) = run_3.stop();
    assert!(!ended.stderr.contains("error"), "{}", ended.stderr);
    for secret in [fs::read_to_string(fixture.folder.path().join("jwt")).expect("a token"), secret_id(&fixture)] {
        assert!(!ended.stderr.contains(secret.trim()), "{NEVER_FLAKY}");
    }
});

fn secret_id(fixture: &Fixture) -> String {
    fs::read_to_string(fixture.folder.path().join("secret-id")).expect("a secret id")
}

/// An `AppRole` for `--auth-fallback`.
fn approle(fixture: &Fixture) -> String {
    fixture.write("sys/auth/ops", json!({"type": "approle"}));
    fixture.write("auth/ops/role/sync", json!({"token_policies": ["vaultjwt-sync"], "token_ttl": "20m"}));
    let field = |answer: Value, name: &str| answer["data"][name].as_str().expect("an id").to_owned();
    let role_id = field(fixture.vault.ok("GET", "auth/ops/role/sync/role-id", None).expect("a role id"), "role_id");
    let secret_id = fixture.vault.ok("POST", "auth/ops/role/sync/secret-id", Some(&json!({}))).expect("a secret id");
    let role_id = fixture.folder.write("role-id", role_id).expect("a file");
    let secret_id = fixture.folder.write("secret-id", field(secret_id, "secret_id")).expect("a file");
    format!("mount=ops,role-id-file={},secret-id-file={}", role_id.display(), secret_id.display())
}

each_product!(in_a_pod_it_looks_after_its_own_cluster, |product| {
    let fixture = fixture(product);
    role_app(&fixture);
    let pod = Pod::of(&fixture);
    let run = Watching::start(pod.plugin(&fixture), &["--auth-role", "vaultjwt-sync", "--interval", "1s"]);
    run.wait_ready();
    assert_eq!(run.log().len(), 2, "{:#?}", run.log());
    fixture.cluster.rotate(Alg::Es256).expect("it rotates");
    let line = run.wait_for("\" added");
    assert!(line.starts_with("info  context \"in-cluster\": key \""), "{line}");
    assert_eq!(pods_log_in(&fixture), Ok(()), "{NEVER_FLAKY}");
    assert_eq!(run.stop().1.code, 0);
});

/// Files as the kubelet gives them to a pod of the guide's service account.
struct Pod {
    files: Scratch,
}

impl Pod {
    fn of(fixture: &Fixture) -> Self {
        let files = Scratch::new("pod").expect("a folder");
        let api = fixture.cluster.token("vaultjwt", "sync", &[]).expect("a token");
        let vault = fixture.cluster.token("vaultjwt", "sync", &["vault"]).expect("a token");
        let account = files.folder("kubernetes.io/serviceaccount").expect("a folder");
        let tokens = files.folder("tokens").expect("a folder");
        let put = |folder: &Path, name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
        put(&account, "token", api.expose());
        put(&account, "ca.crt", &fixture.cluster.ca_pem());
        put(&account, "namespace", "vaultjwt");
        put(&tokens, "vault-token", vault.expose());
        Self { files }
    }

    /// The plugin where these files are at /var/run/secrets: in a mount
    /// namespace of its own.
    fn plugin(&self, fixture: &Fixture) -> Command {
        let mut command = Command::new("unshare");
        clean_environment(&mut command, fixture.folder.path(), &[]);
        let probe = command.args(["-Urm", "true"]).stdin(Stdio::null()).output().expect("util-linux is installed");
        assert!(probe.status.success(), "no user namespaces: {}", String::from_utf8_lossy(&probe.stderr));
        let mut command = Command::new("unshare");
        clean_environment(&mut command, fixture.folder.path(), &[]);
        // The folder is reached by its file descriptor where it is hidden.
        let script = "exec 3<\"$1\" && mount -t tmpfs tmpfs /run && mkdir -p /run/secrets && \
                      mount --bind /proc/self/fd/3 /run/secrets && shift && exec \"$@\"";
        command.args(["-Urm", "sh", "-c", script, "sh"]).arg(self.files.path());
        command.arg(artifacts::plugin().expect("the plugin is built"));
        command.envs(fixture.vault.client_environment()).env_remove("VAULT_TOKEN").env_remove("KUBECONFIG");
        let port = fixture.cluster.url().rsplit(':').next().unwrap_or_default().to_owned();
        command.env("KUBERNETES_SERVICE_HOST", "127.0.0.1").env("KUBERNETES_SERVICE_PORT", port);
        command
    }
}
