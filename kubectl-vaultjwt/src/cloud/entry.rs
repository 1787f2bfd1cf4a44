//! Owns what a kubeconfig says about one cluster, as far as it can show whose
//! it is. Never a credential.

use std::collections::BTreeMap;
use url::Url;

/// The entries of one context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The context's name; `None` in a pod.
    pub context: Option<String>,
    /// The cluster entry's name.
    pub cluster: Option<String>,
    /// The user entry's name.
    pub user: Option<String>,
    /// URL of the API server.
    pub server: String,
    /// The name that the server's certificate must bear, where it is set.
    pub tls_server_name: Option<String>,
    /// The user's exec plugin.
    pub exec: Option<Exec>,
    /// The user's auth provider, as kubectl had them before 1.26.
    pub auth_provider: Option<AuthProvider>,
}

/// An exec plugin's call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exec {
    /// The program, with or without its path.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The environment that the entry adds.
    pub env: BTreeMap<String, String>,
}

/// An auth provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthProvider {
    /// `gcp`, `azure`, `oidc`
    pub name: String,
    /// Its settings that are no secrets.
    pub config: BTreeMap<String, String>,
}

impl Entry {
    /// Host of the API server in lower case, without a trailing dot.
    pub fn host(&self) -> Option<String> {
        host(&self.server)
    }
}

/// Host of a URL in lower case, without a trailing dot.
pub fn host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    Some(url.host_str()?.to_ascii_lowercase().trim_end_matches('.').to_owned())
}

/// Words of exec plugins that say what is called.
const WORDS: &[&str] = &["eks", "get-token", "token", "oidc-login"];

/// Flags of exec plugins that say which cluster is meant.
const FLAGS: &[&str] = &[
    "--region",
    "--cluster-name",
    "--cluster-id",
    "-i",
    "--role",
    "--role-arn",
    "-r",
    "--profile",
    "--login",
    "-l",
    "--server-id",
    "--environment",
    "-e",
    "--tenant-id",
    "-t",
    "--subscription",
];

impl Exec {
    /// The program's name without its folder and `.exe`.
    pub fn program(&self) -> &str {
        let name = self.command.rsplit(['/', '\\']).next().unwrap_or_default();
        name.strip_suffix(".exe").unwrap_or(name)
    }

    /// The value of a flag, wherever it stands: `--flag value`, `--flag=value`.
    pub fn flag(&self, names: &[&str]) -> Option<&str> {
        let mut args = self.args.iter();
        while let Some(arg) = args.next() {
            for name in names {
                if arg == name {
                    return args.next().map(String::as_str).filter(|value| !value.is_empty());
                }
                if let Some(value) = arg.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
                    return Some(value).filter(|value| !value.is_empty());
                }
            }
        }
        None
    }

    /// The call, as far as it tells of the cluster: arguments can hold secrets
    /// (kubelogin's `--client-secret`), so only those that are known are shown.
    pub fn shown(&self) -> String {
        let mut shown = vec![self.program()];
        let mut args = self.args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            let name = arg.split('=').next().unwrap_or(arg);
            if WORDS.contains(&arg) {
                shown.push(arg);
            } else if FLAGS.contains(&name) {
                shown.push(arg);
                if name == arg {
                    shown.extend(args.next());
                }
            }
        }
        shown.join(" ")
    }

    /// Whether this word is an argument by itself.
    pub fn has(&self, word: &str) -> bool {
        self.args.iter().any(|arg| arg == word)
    }

    /// A variable of the entry's environment.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}
