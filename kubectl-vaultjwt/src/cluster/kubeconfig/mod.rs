//! Resolves flags, environment, and files to one connection, as kubectl does (client-go
//! `tools/clientcmd`). `files` reads and merges, `entries` chooses context, cluster, and
//! user and lays the flags (`overrides`) over them, `credentials` loads what they refer to,
//! `proxy` decides on a proxy, `in_cluster` is the fallback where there is no kubeconfig.
//! `connection` is the result, `error` says why there is none.

pub mod connection;
mod credentials;
mod entries;
pub mod error;
mod files;
mod in_cluster;
pub mod overrides;
mod proxy;

pub(crate) use entries::without_userinfo;
pub use error::KubeconfigError;

use crate::cloud::kubeconfig_entry::{AuthProvider, Entry, Exec};
use crate::cluster::kubeconfig::connection::{Connection, Env, Variables, finish};
use crate::cluster::kubeconfig::overrides::KubeconfigOverrides;
use crate::cluster::{ClusterError, ClusterTarget};
use crate::shell::word;
use std::collections::HashMap;
use std::path::Path;

/// The kubeconfig, read once for many contexts.
pub struct Contexts {
    flags: KubeconfigOverrides,
    loaded: files::Loaded,
    env: Variables,
}

impl Contexts {
    pub fn load(flags: &KubeconfigOverrides, env: Variables) -> Result<Self, ClusterError> {
        let flags = entries::given(flags);
        let loaded = files::load(flags.kubeconfig.as_deref(), &*env)?;
        Ok(Self { flags, loaded, env })
    }

    pub fn names(&self) -> Vec<String> {
        self.loaded.merged.contexts.iter().map(|context| context.name.clone()).collect()
    }

    pub fn clusters(&self) -> Vec<String> {
        self.loaded.merged.clusters.iter().map(|cluster| cluster.name.clone()).collect()
    }

    pub fn users(&self) -> Vec<String> {
        self.loaded.merged.auth_infos.iter().map(|user| user.name.clone()).collect()
    }

    /// The context that flags and files choose, where there is one.
    pub fn current(&self) -> Option<String> {
        self.flags.context.clone().or_else(|| self.loaded.merged.current_context.clone())
    }

    /// The connection of one context; `None` is the current one.
    pub fn resolve(&self, context: Option<&str>) -> Result<Connection, ClusterError> {
        let mut flags = self.flags.clone();
        flags.context = context.map(str::to_owned).or(flags.context);
        Ok(resolve_loaded(flags, self.loaded.clone(), &*self.env, Path::new(in_cluster::FOLDER))?)
    }
}

fn resolve_loaded(
    flags: KubeconfigOverrides,
    loaded: files::Loaded,
    env: Env<'_>,
    pod_folder: &Path,
) -> Result<Connection, KubeconfigError> {
    // client-go tries the pod's service account only where nothing says which
    // cluster is meant (`DeferredLoadingClientConfig.ClientConfig`).
    let named = [&loaded.merged.current_context, &flags.context, &flags.cluster, &flags.user, &flags.server];
    let nothing_chosen = named.iter().all(|name| name.is_none());
    if nothing_chosen && in_cluster::possible(env, pod_folder) {
        return in_cluster::connection(&flags, env, pod_folder);
    }
    if loaded.files.paths.is_empty() && flags.server.is_none() {
        return Err(KubeconfigError::Missing { looked_at: loaded.looked_at });
    }
    if nothing_chosen {
        return Err(KubeconfigError::NoCurrentContext { files: loaded.files });
    }
    let chosen = entries::choose(&flags, loaded.merged, &loaded.files)?;
    connection(&flags, chosen, &loaded.files, env)
}

fn connection(
    flags: &KubeconfigOverrides,
    chosen: entries::Chosen,
    files: &error::KubeconfigFiles,
    env: Env<'_>,
) -> Result<Connection, KubeconfigError> {
    let entries::Chosen { context, cluster_name, mut cluster, user_name, mut user, namespace } = chosen;
    let names = credentials::Names {
        cluster: cluster_name.as_deref().unwrap_or_default(),
        user: user_name.as_deref().unwrap_or_default(),
        files,
    };
    let (url, server) = entries::server(&cluster, &names)?;
    if let Some(how) = entries::not_verified(&url, &cluster, flags) {
        return Err(KubeconfigError::Unverified { cluster: cluster_name, context, server, how });
    }
    let root_cert = credentials::authority(&mut cluster, &names)?;
    credentials::user(&mut user, &cluster, &names)?;
    let mut config = kube::Config::new(url);
    config.proxy_url = proxy::choose(&cluster, &config.cluster_url, env, &names)?;
    config.default_namespace = namespace.clone();
    config.root_cert = root_cert;
    config.tls_server_name = cluster.tls_server_name;
    config.auth_info = user;
    let kubectl_flags = kubectl_flags(flags, files, context.as_deref());
    let entry = entry(&context, &cluster_name, &user_name, &server, &config);
    let target = ClusterTarget { context, cluster: cluster_name.unwrap_or_else(|| server.clone()), server, namespace };
    Ok(finish(config, target, entry, user_name, flags, kubectl_flags))
}

/// What names, server and plugins say. Of the user entry nothing that is, or
/// could be, a credential.
fn entry(
    context: &Option<String>,
    cluster: &Option<String>,
    user: &Option<String>,
    server: &str,
    config: &kube::Config,
) -> Entry {
    let exec = config.auth_info.exec.as_ref().map(|exec| {
        let pair = |entry: &HashMap<String, String>| Some((entry.get("name")?.clone(), entry.get("value")?.clone()));
        let env = exec.env.iter().flatten().filter_map(pair);
        Exec::of(exec.command.clone().unwrap_or_default(), exec.args.clone().unwrap_or_default(), env)
    });
    let auth_provider = config.auth_info.auth_provider.as_ref().map(|provider| AuthProvider {
        name: provider.name.clone(),
        config: ["apiserver-id", "tenant-id", "environment"]
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), provider.config.get(*name)?.clone())))
            .collect(),
    });
    Entry {
        context: context.clone(),
        cluster: cluster.clone(),
        user: user.clone(),
        server: server.to_owned(),
        tls_server_name: config.tls_server_name.clone(),
        authorities: config.root_cert.clone().unwrap_or_default(),
        in_pod: false,
        exec,
        auth_provider,
    }
}

fn kubectl_flags(flags: &KubeconfigOverrides, files: &error::KubeconfigFiles, context: Option<&str>) -> String {
    let path = |path: &std::path::PathBuf| path.to_string_lossy().into_owned();
    let given = [
        ("kubeconfig", files.paths.first().filter(|_| files.by_flag).map(path)),
        ("context", context.map(str::to_owned)),
        ("cluster", flags.cluster.clone()),
        ("user", flags.user.clone()),
        ("server", flags.server.clone()),
        ("certificate-authority", flags.certificate_authority.as_ref().map(path)),
        ("client-certificate", flags.client_certificate.as_ref().map(path)),
        ("client-key", flags.client_key.as_ref().map(path)),
        ("tls-server-name", flags.tls_server_name.clone()),
        ("as", flags.impersonate.clone()),
    ];
    let groups = flags.impersonate_groups.iter().map(|group| ("as-group", Some(group.clone())));
    let flag = |(name, value): (&str, Option<String>)| Some(format!(" --{name} {}", word(&value?)));
    given.into_iter().chain(groups).filter_map(flag).collect()
}

#[cfg(test)]
mod tests;
