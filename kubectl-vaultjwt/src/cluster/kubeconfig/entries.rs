//! Chooses context, cluster, and user, and lays the flags over them: client-go
//! `tools/clientcmd/client_config.go` (`getContext`, `getCluster`, `getAuthInfo`) and
//! `validation.go`.

use crate::cluster::kubeconfig::credentials::Names;
use crate::cluster::kubeconfig::error::{KubeconfigError, KubeconfigFiles, NotVerified};
use crate::cluster::kubeconfig::overrides::KubeconfigOverrides;
use kube::config::{AuthInfo, Cluster, Context, Kubeconfig};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The entries that apply, with the flags laid over them.
pub struct Chosen {
    /// The context's name, if there is one.
    pub context: Option<String>,
    /// The cluster entry's name, if there is one.
    pub cluster_name: Option<String>,
    pub cluster: Cluster,
    /// The user entry's name, if there is one.
    pub user_name: Option<String>,
    pub user: AuthInfo,
    /// The namespace that applies.
    pub namespace: String,
}

/// `flags` with empty values as not given, as in client-go.
pub fn given(flags: &KubeconfigOverrides) -> KubeconfigOverrides {
    let mut flags = flags.clone();
    let KubeconfigOverrides {
        context,
        cluster,
        user,
        namespace,
        server,
        tls_server_name,
        impersonate,
        impersonate_uid,
        ..
    } = &mut flags;
    for value in [context, cluster, user, namespace, server, tls_server_name, impersonate, impersonate_uid] {
        *value = value.take().filter(|text| !text.is_empty());
    }
    let KubeconfigOverrides { kubeconfig, certificate_authority, client_certificate, client_key, .. } = &mut flags;
    for value in [kubeconfig, certificate_authority, client_certificate, client_key] {
        *value = value.take().filter(|path| !path.as_os_str().is_empty());
    }
    flags
}

/// Chooses the entries of `config` that `flags` ask for.
pub fn choose(
    flags: &KubeconfigOverrides,
    config: Kubeconfig,
    files: &KubeconfigFiles,
) -> Result<Chosen, KubeconfigError> {
    let name = flags.context.clone().or(config.current_context);
    let context = match &name {
        None => Context::default(),
        Some(name) => {
            let found = config.contexts.into_iter().find(|entry| entry.name == *name);
            let found = found.ok_or_else(|| KubeconfigError::UnknownContext {
                context: name.clone(),
                current: flags.context.is_none(),
                files: files.clone(),
            })?;
            without_empty_values(found.context.unwrap_or_default())
        }
    };
    let unknown = |kind, entry: &str, by_flag: bool| KubeconfigError::UnknownEntry {
        kind,
        name: entry.to_owned(),
        context: name.clone().filter(|_| !by_flag),
        files: files.clone(),
    };

    let cluster_name = flags.cluster.clone().or(Some(context.cluster).filter(|name| !name.is_empty()));
    let cluster = match &cluster_name {
        Some(wanted) => {
            let found = config.clusters.into_iter().find(|entry| entry.name == *wanted);
            // kubectl continues without the entry of a context if --server says where to.
            if found.is_none() && (flags.cluster.is_some() || flags.server.is_none()) {
                return Err(unknown("cluster", wanted, flags.cluster.is_some()));
            }
            found.and_then(|entry| entry.cluster).unwrap_or_default()
        }
        None if flags.server.is_some() => Cluster::default(),
        None => {
            return Err(KubeconfigError::NoCluster { context: name.unwrap_or_default(), files: files.clone() });
        }
    };

    let user_name = flags.user.clone().or(context.user);
    let user = match &user_name {
        Some(wanted) => {
            let found = config.auth_infos.into_iter().find(|entry| entry.name == *wanted);
            // kubectl continues without credentials; the server would then answer
            // about `system:anonymous`, which hides the cause.
            if found.is_none() && (flags.user.is_some() || flags.client_certificate.is_none()) {
                return Err(unknown("user", wanted, flags.user.is_some()));
            }
            found.and_then(|entry| entry.auth_info).unwrap_or_default()
        }
        None => AuthInfo::default(),
    };

    let namespace = flags.namespace.clone().or(context.namespace).unwrap_or_else(|| "default".to_owned());
    let cluster = with_cluster_flags(without_empty_values(cluster), flags);
    let user = with_user_flags(without_empty_values(user), flags)?;
    Ok(Chosen { context: name, cluster_name, cluster, user_name, user, namespace })
}

fn text(path: &Path) -> Option<String> {
    Some(path.to_string_lossy().into_owned())
}

fn with_cluster_flags(mut cluster: Cluster, flags: &KubeconfigOverrides) -> Cluster {
    let insecure = flags.insecure_skip_tls_verify == Some(true);
    if insecure || flags.certificate_authority.is_some() {
        cluster.insecure_skip_tls_verify = Some(insecure);
        cluster.certificate_authority = flags.certificate_authority.as_deref().and_then(text);
        cluster.certificate_authority_data = None;
    }
    // The name in the file belongs to the server in the file.
    if flags.server.is_some() || flags.tls_server_name.is_some() {
        cluster.tls_server_name = flags.tls_server_name.clone();
    }
    if flags.server.is_some() {
        cluster.server = flags.server.clone();
    }
    cluster
}

/// The flags that say as whom, laid over `user`.
pub fn with_user_flags(mut user: AuthInfo, flags: &KubeconfigOverrides) -> Result<AuthInfo, KubeconfigError> {
    let path = |path: &Option<PathBuf>| path.as_deref().and_then(text);
    if flags.client_certificate.is_some() {
        user.client_certificate = path(&flags.client_certificate);
        user.client_certificate_data = None;
    }
    if flags.client_key.is_some() {
        user.client_key = path(&flags.client_key);
        user.client_key_data = None;
    }
    if flags.impersonate.is_some() {
        user.impersonate = flags.impersonate.clone();
    }
    if flags.impersonate_uid.is_some() {
        user.impersonate_uid = flags.impersonate_uid.clone();
    }
    if !flags.impersonate_groups.is_empty() {
        user.impersonate_groups = Some(flags.impersonate_groups.clone());
    }
    if !flags.impersonate_user_extra.is_empty() {
        let mut extra: HashMap<String, Vec<String>> = HashMap::new();
        for (key, value) in &flags.impersonate_user_extra {
            extra.entry(key.clone()).or_default().push(value.clone());
        }
        user.impersonate_user_extra = Some(extra);
    }
    let details = user.impersonate_uid.is_some()
        || user.impersonate_groups.as_ref().is_some_and(|groups| !groups.is_empty())
        || user.impersonate_user_extra.as_ref().is_some_and(|extra| !extra.is_empty());
    if details && user.impersonate.is_none() {
        return Err(KubeconfigError::NoImpersonatedUser);
    }
    Ok(user)
}

/// Why a connection to `url` does not verify the server, if it does not. An attacker on the
/// network path can then name any issuer and publish any key, on a loopback address too: a
/// tunnel ends there.
pub fn not_verified(url: &http::Uri, cluster: &Cluster, flags: &KubeconfigOverrides) -> Option<NotVerified> {
    if flags.insecure_skip_tls_verify == Some(true) {
        Some(NotVerified::ByFlag)
    } else if cluster.insecure_skip_tls_verify == Some(true) {
        Some(NotVerified::ByEntry)
    } else {
        (url.scheme() != Some(&http::uri::Scheme::HTTPS)).then_some(NotVerified::NoTls)
    }
}

/// The server's address, and how it is shown. An address without a scheme is
/// http, whatever else is given (seen with kubectl 1.37).
pub fn server(cluster: &Cluster, names: &Names<'_>) -> Result<(http::Uri, String), KubeconfigError> {
    let typed = cluster
        .server
        .as_deref()
        .ok_or_else(|| KubeconfigError::NoServer { cluster: names.cluster.to_owned(), files: names.files.clone() })?;
    let whole = if typed.contains("://") { typed.to_owned() } else { format!("http://{typed}") };
    let shown = without_userinfo(&whole);
    let refuse = |cause: &str| KubeconfigError::BadUrl {
        what: "server",
        url: shown.clone(),
        cluster: names.cluster.to_owned(),
        cause: cause.to_owned(),
        files: names.files.clone(),
    };
    if has_stray_at(&whole) {
        return Err(refuse(STRAY_AT));
    }
    let url: http::Uri = whole.parse().map_err(|error: http::uri::InvalidUri| refuse(&error.to_string()))?;
    match url.scheme_str() {
        Some("http" | "https") if url.host().is_some_and(|host| !host.is_empty()) => Ok((url, shown)),
        _ => Err(refuse("it is not an http or https URL")),
    }
}

/// `url` without user and password. Whatever is before the last '@' may be
/// a password: one that is not encoded can hold anything.
pub fn without_userinfo(url: &str) -> String {
    let Some(at) = url.rfind('@') else { return url.to_owned() };
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    match scheme.filter(|scheme| scheme.bytes().all(|b| b.is_ascii_alphanumeric())) {
        Some(scheme) => format!("{scheme}://{}", &url[at + 1..]),
        None => url[at + 1..].to_owned(),
    }
}

/// Why a URL of [`has_stray_at`] is refused.
pub const STRAY_AT: &str = "it has an '@' after a '/', '?' or '#': in a user name or password these are written \
                            %2F, %3F and %23, in a path '@' is written %40";

/// Whether the '@' that seems to end user and password comes after what ends a
/// host. Such a URL leads elsewhere than its reader thinks, and elsewhere than
/// [`without_userinfo`] shows.
pub fn has_stray_at(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find(['/', '?', '#']).is_some_and(|end| rest[end..].contains('@'))
}

/// An entry with its empty values as absent, as client-go treats them (kube
/// would send an empty bearer token).
fn without_empty_values<T: Serialize + DeserializeOwned>(entry: T) -> T {
    let Ok(serde_json::Value::Object(mut fields)) = serde_json::to_value(&entry) else { return entry };
    // The one field that must be present when it is read back.
    fields.retain(|name, value| name == "cluster" || value.as_str() != Some(""));
    serde_json::from_value(serde_json::Value::Object(fields)).unwrap_or(entry)
}
