//! The common scene: production is enrolled, an attack runs, and afterwards nothing has changed.

use super::clusters::victim;
use super::entries::{Entry, kubeconfig};
use crate::support::fixture::{Fixture, Owned, ROLE, Ran, run};
use crate::support::watching::Watching;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use harness::NEVER_FLAKY;
use harness::server::{Cluster, Product, VaultOptions};
use serde_json::{Value, json};
use shared::Secret;
use std::cell::RefCell;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// What a refusal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The context claims to be the victim, over a way that is not recorded.
    AnotherWay,
    /// Several claim to be the victim while that is being enrolled.
    Contested,
    /// Servers of one run that are not one.
    Unsteady,
    /// The connection was not verified.
    NotVerified,
    /// The cluster is named only by what can be copied.
    NotShown,
    /// Roles that are there would accept the newcomer's tokens.
    ExistingRoles,
    /// The connection itself fails.
    NoConnection,
    Other,
}

/// The words of a refusal on stderr: what has to be among them.
fn refused(refusal: Refusal, context: &str) -> Vec<String> {
    let context = match refusal {
        Refusal::AnotherWay => {
            let uid = victim().uid().expect("a UID");
            format!("context \"{context}\" claims to be cluster \"prod\" (UID {uid}) but is reached by another way")
        }
        Refusal::Unsteady => {
            format!("context \"{context}\" reached servers whose certificates do not lead to the same authority")
        }
        Refusal::Contested => format!("claim to be {} (cluster", victim().issuer()),
        Refusal::NotVerified | Refusal::NotShown | Refusal::ExistingRoles | Refusal::NoConnection | Refusal::Other => {
            return vec!["error: ".to_owned()];
        }
    };
    vec!["error: ".to_owned(), context]
}

pub struct Attack<'a> {
    pub name: &'a str,
    /// Words behind `kubectl vaultjwt`.
    pub words: &'a [&'a str],
    pub entries: Vec<Entry>,
    /// A token that the attacker signed, for role `app`.
    pub token: Option<Secret>,
    pub refusal: Refusal,
}

/// The elements in a configuration.
fn keys(config: &Value) -> Vec<String> {
    let keys = config["jwt_validation_pubkeys"].as_array().cloned().unwrap_or_default();
    keys.iter().map(|key| key.as_str().unwrap_or_default().to_owned()).collect()
}

/// A Vault with the victim's keys on mount `jwt` and a role `app`, and what
/// came of the attacks on it.
pub struct Scene {
    pub fixture: Fixture,
    /// Read where it is an issuer's site.
    pub trusts: Option<String>,
    /// Proxies, say.
    pub environment: Vec<(&'static str, String)>,
    failures: RefCell<Vec<String>>,
}

impl Scene {
    /// The victim is enrolled over a direct way.
    pub fn new(product: Product) -> Self {
        let scene = Self::empty(product);
        scene.run(&[&["setup", "--context", "prod"], &ROLE[..]].concat(), &[Entry::prod()]).ok();
        scene
    }

    pub fn empty(product: Product) -> Self {
        let fixture = Fixture::with(Owned::Shared(victim()), VaultOptions::new(product));
        fixture.vault.write_policy("app-read", "path \"kv/app\" { capabilities = [\"read\"] }").expect("a policy");
        Self { fixture, trusts: None, environment: Vec::new(), failures: RefCell::default() }
    }

    /// `kubectl vaultjwt` with these words, not run.
    pub fn command(&self, words: &[&str], entries: &[Entry]) -> Command {
        let config = self.fixture.folder.write("kubeconfig", kubeconfig(entries)).expect("a kubeconfig is written");
        let mut command = self.fixture.kubectl(&[&["vaultjwt"], words].concat());
        command.env("KUBECONFIG", config).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(trusts) = &self.trusts {
            let file = self.fixture.folder.write("trusted.pem", trusts).expect("a file is written");
            command.env("SSL_CERT_FILE", file);
        }
        command
    }

    #[track_caller]
    pub fn run(&self, words: &[&str], entries: &[Entry]) -> Ran {
        run(&mut self.command(words, entries))
    }

    /// The elements on the mount.
    pub fn elements(&self) -> Vec<String> {
        keys(&self.fixture.data("auth/jwt/config"))
    }

    /// Puts exactly these elements on the mount; the rest stays.
    pub fn put(&self, elements: &[String]) {
        let mut config = self.fixture.data("auth/jwt/config");
        config["jwt_validation_pubkeys"] = json!(elements);
        self.restore(&config);
    }

    /// Writes until it is read. OpenBao empties its cache of the configuration before a
    /// write is committed, so a login in between brings the old one back, and every read
    /// shows it until the next write. A command that plans on that undoes this write.
    fn restore(&self, config: &Value) {
        let mut config = config.clone();
        if let Some(config) = config.as_object_mut() {
            // OpenBao's own word.
            config.remove("status");
        }
        let written = keys(&config);
        for _ in 0..20 {
            self.fixture.write("auth/jwt/config", config.clone());
            // Vault trims them.
            if self.elements().iter().map(|key| key.trim()).eq(written.iter().map(|key| key.trim())) {
                return;
            }
        }
        panic!("void: the configuration does not stay as it was written");
    }

    /// Everything that an attack could have changed.
    fn state(&self) -> Value {
        let mut state = self.fixture.mount_state();
        for name in state["roles"]["keys"].as_array().cloned().unwrap_or_default() {
            let name = name.as_str().unwrap_or_default();
            state["each"][name] = self.fixture.data(&format!("auth/jwt/role/{name}"));
        }
        state
    }

    /// As it was, so that the next attack is one of its own.
    fn go_back(&self, before: &Value) {
        if before["config"].is_null() {
            // The mount was not there, or not written to.
            let there = |mounts: &Value| mounts.as_array().is_some_and(|all| all.iter().any(|one| one == "jwt/"));
            self.fixture.vault.http("DELETE", "sys/auth/jwt", None).expect("Vault answers");
            if there(&before["mounts"]) {
                self.fixture.write("sys/auth/jwt", json!({"type": "jwt"}));
            }
        } else {
            self.restore(&before["config"]);
        }
        for role in self.state()["roles"]["keys"].as_array().cloned().unwrap_or_default() {
            let path = format!("auth/jwt/role/{}", role.as_str().unwrap_or_default());
            self.fixture.vault.http("DELETE", &path, None).expect("Vault answers");
        }
        for (name, role) in before["each"].as_object().into_iter().flatten() {
            self.fixture.write(&format!("auth/jwt/role/{name}"), role.clone());
        }
    }

    /// Whether Vault accepts a token for `role`.
    pub fn logs_in(&self, role: &str, jwt: &Secret) -> bool {
        let body = json!({"role": role, "jwt": jwt.expose()});
        self.fixture.vault.http("POST", "auth/jwt/login", Some(&body)).expect("Vault answers").is_success()
    }

    /// Whether a fresh token of shop:app of a real cluster logs in.
    pub fn lets_in(&self, cluster: &Cluster) -> bool {
        self.logs_in("app", &cluster.token("shop", "app", &["vault"]).expect("a token"))
    }

    /// Runs an attack, and remembers what it did if it did anything.
    pub fn attack(&self, attack: &Attack<'_>) {
        self.attack_by(attack, self.command(attack.words, &attack.entries));
    }

    /// The same by a command that was made otherwise.
    pub fn attack_by(&self, attack: &Attack<'_>, mut command: Command) {
        let before = self.state();
        let ran = run(&mut command);
        let words = refused(attack.refusal, attack.entries.last().map_or("", |entry| entry.name));
        let mut wrong = self.compare(&before, attack.token.as_ref());
        if ran.code != 1 {
            wrong.push(format!("exit code {}", ran.code));
        }
        let missing = words.iter().filter(|words| !ran.stderr.contains(*words));
        wrong.extend(missing.map(|words| format!("not a word of: {words}")));
        self.tell(attack.name, &attack.words.join(" "), &ran, &before, wrong);
    }

    /// The same for a run that goes on: several rounds of it.
    pub fn watch(&self, name: &str, entries: &[Entry], token: &Secret) {
        let before = self.state();
        let context = entries.last().map_or("", |entry| entry.name);
        let words = ["--contexts", context, "--interval", "1s"];
        let watching = Watching::start(self.command(&[], entries), &words);
        // It says something of each context: what changed, or what is wrong.
        watching.wait_for(&format!("context \"{context}\""));
        sleep(Duration::from_secs(3));
        let (_, ran) = watching.stop();
        let wrong = self.compare(&before, Some(token));
        self.tell(name, &format!("sync --watch {}", words.join(" ")), &ran, &before, wrong);
    }

    /// What is different from before.
    fn compare(&self, before: &Value, token: Option<&Secret>) -> Vec<String> {
        let after = self.state();
        let mut wrong = Vec::new();
        for part in ["mounts", "config", "roles", "each"] {
            if before[part] != after[part] {
                wrong.push(format!("{part} is not as before"));
            }
        }
        let roles = after["each"].as_object().into_iter().flatten();
        let open: Vec<_> = roles.filter(|(name, _)| token.is_some_and(|token| self.logs_in(name, token))).collect();
        wrong.extend(open.iter().map(|(name, _)| format!("the attacker's token logs in with role \"{name}\"")));
        wrong
    }

    fn tell(&self, name: &str, command: &str, ran: &Ran, before: &Value, wrong: Vec<String>) {
        if wrong.is_empty() {
            return;
        }
        let after = self.state();
        let keys = |state: &Value| {
            let keys = state["config"]["jwt_validation_pubkeys"].as_array().cloned().unwrap_or_default();
            let config = state["config"].to_string();
            let digest = ring::digest::digest(&ring::digest::SHA256, config.as_bytes());
            format!("{} keys, {} bytes, sha256 {}", keys.len(), config.len(), URL_SAFE_NO_PAD.encode(digest))
        };
        self.failures.borrow_mut().push(format!(
            "## {name}\n$ kubectl vaultjwt {command}\n{}{}exit code {}\nconfig before: {}\nconfig after:  {}\nwrong: {}\n",
            ran.stdout,
            ran.stderr,
            ran.code,
            keys(before),
            keys(&after),
            wrong.join("; ")
        ));
        self.go_back(before);
    }

    /// Remembers that something is not as it should be.
    pub fn expect(&self, name: &str, holds: bool, otherwise: &str) {
        if !holds {
            self.failures.borrow_mut().push(format!("## {name}\nwrong: {otherwise}\n"));
        }
    }

    /// The victim itself still logs in, and no attack did anything.
    #[track_caller]
    pub fn end(self) {
        self.expect("afterwards", self.lets_in(victim()), "the victim's own tokens do not log in any more");
        self.end_without_victim();
    }

    /// No attack did anything.
    #[track_caller]
    pub fn end_without_victim(self) {
        let failures = self.failures.take();
        assert!(
            failures.is_empty(),
            "{NEVER_FLAKY}: {} attacks did something:\n{}",
            failures.len(),
            failures.join("\n")
        );
    }
}
