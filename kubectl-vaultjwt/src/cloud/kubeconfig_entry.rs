//! What a kubeconfig says about one cluster, as far as it can identify the cloud. Never a
//! credential.

use std::collections::BTreeMap;
use url::Url;

/// The entries of one context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// `None` in a pod.
    pub context: Option<String>,
    pub cluster: Option<String>,
    pub user: Option<String>,
    /// URL of the API server.
    pub server: String,
    /// The name that the server's certificate must bear, where it is set.
    pub tls_server_name: Option<String>,
    /// The authorities that the server's certificate is checked against, DER;
    /// none where the system's are.
    pub authorities: Vec<Vec<u8>>,
    /// Whether there is no kubeconfig: a pod and its own cluster.
    pub in_pod: bool,
    pub exec: Option<Exec>,
    /// As kubectl had them before 1.26.
    pub auth_provider: Option<AuthProvider>,
}

/// An exec plugin's call, as far as it identifies the cluster: arguments and variables can be
/// secrets (kubelogin's `--client-secret`), and what may be a secret is not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exec {
    command: String,
    args: Vec<String>,
    env: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthProvider {
    /// `gcp`, `azure`, `oidc`
    pub name: String,
    /// Its settings that are no secrets.
    pub config: BTreeMap<String, String>,
}

impl Entry {
    /// Host of the API server, as [`host`] gives it.
    pub fn host(&self) -> Option<String> {
        host(&self.server)
    }
}

/// Host of a URL in lower case, without a trailing dot.
pub fn host(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    Some(url.host_str()?.to_ascii_lowercase().trim_end_matches('.').to_owned())
}

/// Programs whose arguments are known.
const PROGRAMS: &[&str] = &["aws", "aws-iam-authenticator", "gke-gcloud-auth-plugin", "kubelogin"];

/// Variables that say which cluster is meant, and as whom.
const VARIABLES: &[&str] = &["AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AZURE_CONFIG_DIR"];

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
    "--pop-claims",
];

impl Exec {
    /// What is known of a call: `command` with or without its path, its
    /// arguments, and the environment that the entry adds.
    pub fn of(
        command: String,
        args: impl IntoIterator<Item = String>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let mut exec = Self { command, ..Self::default() };
        if !PROGRAMS.contains(&exec.program()) {
            return exec;
        }
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let name = arg.split('=').next().unwrap_or(&arg);
            if WORDS.contains(&arg.as_str()) || (FLAGS.contains(&name) && name != arg) {
                exec.args.push(arg);
            } else if FLAGS.contains(&name) {
                exec.args.push(arg);
                exec.args.extend(args.next());
            }
        }
        exec.env = env.into_iter().filter(|(name, _)| VARIABLES.contains(&name.as_str())).collect();
        exec
    }

    /// The program's name without its folder and `.exe`.
    pub fn program(&self) -> &str {
        let name = self.command.rsplit(['/', '\\']).next().unwrap_or_default();
        name.strip_suffix(".exe").unwrap_or(name)
    }

    /// The value of a flag, wherever it is: `--flag value`, `--flag=value`.
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

    /// The call, as far as it is known.
    pub fn shown(&self) -> String {
        let args = self.args.iter().map(String::as_str);
        [self.program()].into_iter().chain(args).collect::<Vec<_>>().join(" ")
    }

    /// Whether this word is an argument by itself.
    pub fn has(&self, word: &str) -> bool {
        self.args.iter().any(|arg| arg == word)
    }

    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}
