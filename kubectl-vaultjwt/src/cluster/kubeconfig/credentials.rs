//! Loads what the entries refer to: certificates, keys, and tokens, in files or inline.
//! Everything is checked before the first request, so that an error names the entry
//! (client-go `validation.go` does the same).

use crate::cluster::kubeconfig::error::{KubeconfigError, KubeconfigFiles, quoted};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::{AuthInfo, Cluster, ExecAuthCluster};
use shared::text::os_cause;
use std::path::Path;

pub struct Names<'a> {
    pub cluster: &'a str,
    pub user: &'a str,
    pub files: &'a KubeconfigFiles,
}

impl Names<'_> {
    /// `kind` is `cluster` or `user`.
    fn bad(&self, kind: &'static str, what: String, cause: impl ToString) -> KubeconfigError {
        let name = if kind == "cluster" { self.cluster } else { self.user };
        let (name, cause, files) = (name.to_owned(), cause.to_string(), self.files.clone());
        KubeconfigError::BadMaterial { what, kind, name, cause, files }
    }

    /// The bytes, and the name of what they are from: inline data wins over a file. `None`
    /// where there is neither.
    fn load(
        &self,
        kind: &'static str,
        field: &str,
        data: Option<&str>,
        file: Option<&str>,
    ) -> Result<Option<(String, Vec<u8>)>, KubeconfigError> {
        if let Some(data) = data {
            let what = format!("{field}-data");
            // YAML block text has line breaks, which Go's decoder skips.
            let joined: String = data.split_ascii_whitespace().collect();
            return match STANDARD.decode(joined) {
                Ok(bytes) => Ok(Some((what, bytes))),
                // The decoder's error shows a character of the data.
                Err(_) => Err(self.bad(kind, what, "it is not base64")),
            };
        }
        let Some(file) = file.map(Path::new) else { return Ok(None) };
        let what = format!("{field} {}", quoted(file));
        match std::fs::read(file) {
            Ok(bytes) => Ok(Some((what, bytes))),
            Err(error) => Err(self.bad(kind, what, os_cause(&error))),
        }
    }
}

/// The certificates that a server's certificate must lead to; `None` for the
/// system's.
pub fn authority(cluster: &mut Cluster, names: &Names<'_>) -> Result<Option<Vec<Vec<u8>>>, KubeconfigError> {
    let data = cluster.certificate_authority_data.as_deref();
    let file = cluster.certificate_authority.as_deref();
    let Some((what, pem)) = names.load("cluster", "certificate-authority", data, file)? else { return Ok(None) };
    let blocks = pem::parse_many(&pem).map_err(|error| names.bad("cluster", what.clone(), error))?;
    let found: Vec<Vec<u8>> =
        blocks.into_iter().filter(|block| block.tag() == "CERTIFICATE").map(pem::Pem::into_contents).collect();
    if found.is_empty() {
        return Err(names.bad("cluster", what, "it holds no PEM certificate"));
    }
    // One source, so that an exec plugin that asks for it gets the same one.
    cluster.certificate_authority_data = Some(STANDARD.encode(&pem));
    cluster.certificate_authority = None;
    Ok(Some(found))
}

/// Checks and completes the user's credentials.
pub fn user(user: &mut AuthInfo, cluster: &Cluster, names: &Names<'_>) -> Result<(), KubeconfigError> {
    if let Some(provider) = user.auth_provider.as_ref().filter(|provider| provider.name != "oidc") {
        return Err(KubeconfigError::AuthProvider { user: names.user.to_owned(), provider: provider.name.clone() });
    }
    client_certificate(user, names)?;
    token_file(user, names)?;
    if let Some(exec) = &mut user.exec
        && exec.provide_cluster_info
    {
        let info = ExecAuthCluster::try_from(cluster)
            .map_err(|error| names.bad("cluster", "certificate-authority-data".to_owned(), error))?;
        exec.cluster = Some(info);
    }
    Ok(())
}

fn client_certificate(user: &mut AuthInfo, names: &Names<'_>) -> Result<(), KubeconfigError> {
    let (data, file) = (user.client_certificate_data.as_deref(), user.client_certificate.as_deref());
    let Some((_, certificate)) = names.load("user", "client-certificate", data, file)? else {
        // A key without a certificate means nothing, and kube refuses it.
        user.client_key = None;
        user.client_key_data = None;
        return Ok(());
    };
    if user.client_key_data.is_some() {
        user.client_key = None;
    } else if names.load("user", "client-key", None, user.client_key.as_deref())?.is_none() {
        return Err(KubeconfigError::NoClientKey { user: names.user.to_owned(), files: names.files.clone() });
    }
    user.client_certificate_data = Some(STANDARD.encode(certificate));
    user.client_certificate = None;
    Ok(())
}

/// A readable `tokenFile` wins over `token` (client-go `api/types.go`). kube
/// sends the file's text as it is, so one that ends in a line break is read
/// here, once.
fn token_file(user: &mut AuthInfo, names: &Names<'_>) -> Result<(), KubeconfigError> {
    let Some(file) = user.token_file.clone() else { return Ok(()) };
    let wrong = |cause: &str| names.bad("user", format!("tokenFile {}", quoted(Path::new(&file))), cause);
    match std::fs::read_to_string(&file) {
        Ok(text) if text.trim().is_empty() => return Err(wrong("it is empty")),
        Ok(text) => {
            let trimmed = text.trim();
            user.token = (trimmed.len() < text.len()).then(|| trimmed.to_owned().into());
        }
        Err(_) if user.token.is_some() => {}
        Err(error) => return Err(wrong(&os_cause(&error))),
    }
    if user.token.is_some() {
        user.token_file = None;
    }
    Ok(())
}
