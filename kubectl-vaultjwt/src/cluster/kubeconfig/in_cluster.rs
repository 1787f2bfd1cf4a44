//! The connection of a pod to its own cluster, by its service account (client-go
//! `rest/config.go` `InClusterConfig` and `tools/clientcmd/client_config.go`
//! `inClusterClientConfig`).

use crate::cloud::Entry;
use crate::cluster::ClusterTarget;
use crate::cluster::kubeconfig::connection::{Connection, Env, finish, named};
use crate::cluster::kubeconfig::entries;
use crate::cluster::kubeconfig::error::{KubeconfigError, NotVerified, quoted};
use crate::cluster::kubeconfig::overrides::KubeconfigOverrides;
use kube::config::AuthInfo;
use shared::text::os_cause;
use std::path::Path;

/// Where the kubelet puts a service account's token, CA and namespace.
pub const FOLDER: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Used in place of the name of a cluster entry.
const IN_CLUSTER: &str = "in-cluster";

/// Whether this process runs in a pod that has a service account token.
pub fn possible(env: Env<'_>, folder: &Path) -> bool {
    named(env, "KUBERNETES_SERVICE_HOST").is_some()
        && named(env, "KUBERNETES_SERVICE_PORT").is_some()
        && folder.join("token").is_file()
}

/// The connection of this pod. Unlike kubectl, which forgets them here, it
/// obeys the impersonation flags.
pub fn connection(flags: &KubeconfigOverrides, env: Env<'_>, folder: &Path) -> Result<Connection, KubeconfigError> {
    let refuse = |cause: String| KubeconfigError::InCluster { cause };
    let host = named(env, "KUBERNETES_SERVICE_HOST").unwrap_or_default();
    let port = named(env, "KUBERNETES_SERVICE_PORT").unwrap_or_default();
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let server = format!("https://{host}:{port}");
    let url: http::Uri = server.parse().map_err(|error| refuse(format!("\"{server}\" is no URL: {error}")))?;

    if flags.insecure_skip_tls_verify == Some(true) {
        let (cluster, how) = (Some(IN_CLUSTER.to_owned()), NotVerified::ByFlag);
        return Err(KubeconfigError::Unverified { cluster, context: None, server, how });
    }

    let mut config = kube::Config::new(url);
    let authority = flags.certificate_authority.clone().unwrap_or_else(|| folder.join("ca.crt"));
    let pem = std::fs::read(&authority)
        .map_err(|error| refuse(format!("could not read {}: {}", quoted(&authority), os_cause(&error))))?;
    let blocks = pem::parse_many(&pem).map_err(|error| refuse(format!("{}: {error}", quoted(&authority))))?;
    config.root_cert = Some(blocks.into_iter().map(pem::Pem::into_contents).collect());
    // kube reads this file again when the CA is rotated.
    config.root_cert_file = Some(authority);

    let token_file = Some(folder.join("token").to_string_lossy().into_owned());
    let user = AuthInfo { token_file, ..AuthInfo::default() };
    config.auth_info = entries::with_user_flags(user, flags)?;

    let own_namespace = || std::fs::read_to_string(folder.join("namespace")).ok().map(|text| text.trim().to_owned());
    let namespace = (flags.namespace.clone())
        .or_else(|| named(env, "POD_NAMESPACE"))
        .or_else(own_namespace)
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "default".to_owned());
    config.default_namespace = namespace.clone();
    let authorities = config.root_cert.clone().unwrap_or_default();
    let entry = Entry { server: server.clone(), authorities, in_pod: true, ..Entry::default() };
    let target = ClusterTarget { context: None, cluster: IN_CLUSTER.to_owned(), server, namespace };
    Ok(finish(config, target, entry, None, flags, String::new()))
}
