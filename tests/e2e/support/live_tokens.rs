//! Counts the valid tokens in Vault, for tests of the pod program.

use crate::support::fixture::{Fixture, ROLE};
use harness::server::Product;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A mount with role `app`, and the place of a token.
pub struct Pod {
    pub fixture: Fixture,
    pub jwt: PathBuf,
    pub token: PathBuf,
    pub info: PathBuf,
}

impl Pod {
    /// With these fields of the role.
    pub fn new(product: Product, role: Value) -> Self {
        Self::of(Fixture::new(product), role)
    }

    /// The same in a fixture of the test's own.
    pub fn of(fixture: Fixture, role: Value) -> Self {
        fixture.setup(&ROLE).ok();
        let folder = fixture.folder.path().join("pod");
        fs::create_dir(&folder).expect("a folder");
        let pod = Self { jwt: fixture.jwt_file(), token: folder.join("token"), info: folder.join("info"), fixture };
        pod.change_role(role);
        pod
    }

    /// Changes fields of the role.
    pub fn change_role(&self, fields: Value) {
        let mut role = self.fixture.data("auth/jwt/role/app");
        for (name, value) in fields.as_object().expect("fields") {
            role[name] = value.clone();
        }
        self.fixture.write("auth/jwt/role/app", role);
    }

    /// `vault-jwt-login` with these arguments.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.fixture.login_command(&self.jwt, &self.token);
        command.env("PATH", std::env::var_os("PATH").expect("a PATH")).args(words);
        command
    }

    /// The flag that names the info file.
    pub fn info_flag(&self) -> String {
        format!("--info-file={}", self.info.display())
    }

    /// The content of the token file; empty where there is none.
    pub fn content(&self) -> String {
        fs::read_to_string(&self.token).unwrap_or_default()
    }

    /// The accessors of all tokens of this mount that are alive. Batch tokens have none.
    pub fn living(&self) -> Vec<String> {
        let list = self.fixture.data("auth/token/accessors?list=true");
        let accessors = list["keys"].as_array().cloned().unwrap_or_default();
        let of_the_mount = |accessor: &Value| {
            let body = json!({"accessor": accessor});
            let answer =
                self.fixture.vault.http("POST", "auth/token/lookup-accessor", Some(&body)).expect("Vault answers");
            answer.is_success() && answer.json()["data"]["path"] == "auth/jwt/login"
        };
        accessors.iter().filter(|one| of_the_mount(one)).filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// What the root token sees of a token; null where it is not valid.
    pub fn looked_up(&self, token: &str) -> Value {
        let answer = self.fixture.vault.http("POST", "auth/token/lookup", Some(&json!({"token": token})));
        let answer = answer.expect("Vault answers");
        if answer.is_success() { answer.json()["data"].clone() } else { Value::Null }
    }

    /// How many logins Vault was asked for.
    pub fn logins(&self) -> usize {
        self.fixture.vault.audit_requests().iter().filter(|request| request.path == "auth/jwt/login").count()
    }

    /// What is in the folder of the token, hidden files too.
    pub fn files(&self) -> Vec<String> {
        let folder = self.token.parent().expect("a folder");
        let entries = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().expect("a name")).collect();
        names.sort();
        names
    }
}
