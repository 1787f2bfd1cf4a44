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
use std::path::PathBuf;

/// The entries that apply, with the flags laid over them.
pub struct Chosen {
    pub context: Option<String>,
    pub cluster_name: Option<String>,
    pub cluster: Cluster,
    pub user_name: Option<String>,
    pub user: AuthInfo,
    pub namespace: String,
}

/// `flags` with empty values as not given, as in client-go.
pub fn given(flags: &KubeconfigOverrides) -> KubeconfigOverrides {
    let mut flags = flags.clone();
    for text in [
        &mut flags.context,
        &mut flags.cluster,
        &mut flags.user,
        &mut flags.namespace,
        &mut flags.server,
        &mut flags.tls_server_name,
        &mut flags.impersonate,
        &mut flags.impersonate_uid,
    ] {
        text.take_if(|text| text.is_empty());
    }
    let KubeconfigOverrides { kubeconfig, certificate_authority, client_certificate, client_key, .. } = &mut flags;
    for path in [kubeconfig, certificate_authority, client_certificate, client_key] {
        path.take_if(|path| path.as_os_str().is_empty());
    }
    flags
}

pub fn choose(
    flags: &KubeconfigOverrides,
    config: Kubeconfig,
    files: &KubeconfigFiles,
) -> Result<Chosen, KubeconfigError> {
    let name = flags.context.clone().or(config.current_context);
    let context = match &name {
        None => Context::default(),
        Some(name) => {
            let (current, files) = (flags.context.is_none(), files.clone());
            let found = config.contexts.into_iter().find(|entry| entry.name == *name);
            let found = found.ok_or(KubeconfigError::UnknownContext { context: name.clone(), current, files })?;
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

fn text(path: &Option<PathBuf>) -> Option<String> {
    path.as_ref().map(|path| path.to_string_lossy().into_owned())
}

fn with_cluster_flags(mut cluster: Cluster, flags: &KubeconfigOverrides) -> Cluster {
    let insecure = flags.insecure_skip_tls_verify == Some(true);
    if insecure || flags.certificate_authority.is_some() {
        cluster.insecure_skip_tls_verify = Some(insecure);
        cluster.certificate_authority = text(&flags.certificate_authority);
        cluster.certificate_authority_data = None;
    }
    // The name in the file belongs to the server in the file.
    if flags.server.is_some() || flags.tls_server_name.is_some() {
        cluster.tls_server_name = flags.tls_server_name.clone();
    }
    cluster.server = flags.server.clone().or(cluster.server);
    cluster
}

pub fn with_user_flags(mut user: AuthInfo, flags: &KubeconfigOverrides) -> Result<AuthInfo, KubeconfigError> {
    if flags.client_certificate.is_some() {
        user.client_certificate = text(&flags.client_certificate);
        user.client_certificate_data = None;
    }
    if flags.client_key.is_some() {
        user.client_key = text(&flags.client_key);
        user.client_key_data = None;
    }
    user.impersonate = flags.impersonate.clone().or(user.impersonate);
    user.impersonate_uid = flags.impersonate_uid.clone().or(user.impersonate_uid);
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

/// The server's address, and how it is shown.
pub fn server(cluster: &Cluster, names: &Names<'_>) -> Result<(http::Uri, String), KubeconfigError> {
    let typed = cluster
        .server
        .as_deref()
        .ok_or_else(|| KubeconfigError::NoServer { cluster: names.cluster.to_owned(), files: names.files.clone() })?;
    let accepted = |url: &http::Uri| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty())
    };
    parse_url("server", typed, names, accepted, "it is not an http or https URL")
}

/// A URL as typed, and how it is shown. One without a scheme is http, whatever else is given
/// (seen with kubectl 1.37).
pub fn parse_url(
    what: &'static str,
    typed: &str,
    names: &Names<'_>,
    accepted: impl Fn(&http::Uri) -> bool,
    otherwise: &str,
) -> Result<(http::Uri, String), KubeconfigError> {
    let whole = if typed.contains("://") { typed.to_owned() } else { format!("http://{typed}") };
    let shown = without_userinfo(&whole);
    let cause = match whole.parse::<http::Uri>() {
        _ if has_stray_at(&whole) => STRAY_AT.to_owned(),
        Err(error) => error.to_string(),
        Ok(url) if accepted(&url) => return Ok((url, shown)),
        Ok(_) => otherwise.to_owned(),
    };
    let (cluster, files) = (names.cluster.to_owned(), names.files.clone());
    Err(KubeconfigError::BadUrl { what, url: shown, cluster, cause, files })
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
