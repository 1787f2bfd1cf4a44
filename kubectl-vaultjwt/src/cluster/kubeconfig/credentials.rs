//! Loads what the entries refer to: certificates, keys, and tokens, in files or inline.
//! Everything is checked before the first request, so that an error names the entry
//! (client-go `validation.go` does the same).

use crate::cluster::kubeconfig::error::{KubeconfigError, KubeconfigFiles, quoted};
use base64::Engine;
use kube::config::{AuthInfo, Cluster, ExecAuthCluster};
use shared::text::os_cause;
use std::path::Path;

/// Names for errors.
pub struct Names<'a> {
    pub cluster: &'a str,
    pub user: &'a str,
    pub files: &'a KubeconfigFiles,
}

impl Names<'_> {
    fn cluster_material(&self, what: String, cause: impl ToString) -> KubeconfigError {
        self.bad(what, "cluster", self.cluster, cause)
    }

    fn user_material(&self, what: String, cause: impl ToString) -> KubeconfigError {
        self.bad(what, "user", self.user, cause)
    }

    fn bad(&self, what: String, kind: &'static str, name: &str, cause: impl ToString) -> KubeconfigError {
        KubeconfigError::BadMaterial {
            what,
            kind,
            name: name.to_owned(),
            cause: cause.to_string(),
            files: self.files.clone(),
        }
    }
}

/// Inline data wins over a file. `None` where there is neither.
fn load(
    field: &str,
    data: Option<&str>,
    file: Option<&str>,
    wrong: impl Fn(String, String) -> KubeconfigError,
) -> Result<Option<Vec<u8>>, KubeconfigError> {
    if let Some(data) = data {
        // YAML block text has line breaks, which Go's decoder skips.
        let joined: String = data.split_ascii_whitespace().collect();
        let decoded = base64::engine::general_purpose::STANDARD.decode(joined);
        // The decoder's error shows a character of the data.
        return decoded.map(Some).map_err(|_| wrong(format!("{field}-data"), "it is not base64".to_owned()));
    }
    let Some(file) = file else { return Ok(None) };
    let path = Path::new(file);
    std::fs::read(path).map(Some).map_err(|error| wrong(format!("{field} {}", quoted(path)), os_cause(&error)))
}

/// The certificates that a server's certificate must lead to; `None` for the
/// system's.
pub fn authority(cluster: &mut Cluster, names: &Names<'_>) -> Result<Option<Vec<Vec<u8>>>, KubeconfigError> {
    let data = cluster.certificate_authority_data.as_deref();
    let file = cluster.certificate_authority.as_deref();
    let field = "certificate-authority";
    let Some(pem) = load(field, data, file, |what, cause| names.cluster_material(what, cause))? else {
        return Ok(None);
    };
    let what = match (data, file) {
        (None, Some(file)) => format!("{field} {}", quoted(Path::new(file))),
        _ => format!("{field}-data"),
    };
    let blocks = pem::parse_many(&pem).map_err(|error| names.cluster_material(what.clone(), error))?;
    let found: Vec<Vec<u8>> =
        blocks.into_iter().filter(|block| block.tag() == "CERTIFICATE").map(pem::Pem::into_contents).collect();
    if found.is_empty() {
        return Err(names.cluster_material(what, "it holds no PEM certificate"));
    }
    // One source, so that an exec plugin that asks for it gets the same one.
    cluster.certificate_authority_data = Some(base64::engine::general_purpose::STANDARD.encode(&pem));
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
            .map_err(|error| names.cluster_material("certificate-authority-data".to_owned(), error))?;
        exec.cluster = Some(info);
    }
    Ok(())
}

fn client_certificate(user: &mut AuthInfo, names: &Names<'_>) -> Result<(), KubeconfigError> {
    let wrong = |what, cause: String| names.user_material(what, cause);
    let data = user.client_certificate_data.as_deref();
    let Some(certificate) = load("client-certificate", data, user.client_certificate.as_deref(), wrong)? else {
        // A key without a certificate means nothing, and kube refuses it.
        user.client_key = None;
        user.client_key_data = None;
        return Ok(());
    };
    if user.client_key_data.is_some() {
        user.client_key = None;
    } else {
        let key = load("client-key", None, user.client_key.as_deref(), wrong)?;
        if key.is_none() {
            return Err(KubeconfigError::NoClientKey { user: names.user.to_owned(), files: names.files.clone() });
        }
    }
    user.client_certificate_data = Some(base64::engine::general_purpose::STANDARD.encode(certificate));
    user.client_certificate = None;
    Ok(())
}

/// A readable `tokenFile` wins over `token` (client-go `api/types.go`). kube
/// sends the file's text as it is, so one that ends in a line break is read
/// here, once.
fn token_file(user: &mut AuthInfo, names: &Names<'_>) -> Result<(), KubeconfigError> {
    let Some(file) = user.token_file.clone() else { return Ok(()) };
    let path = Path::new(&file);
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => {
            Err(names.user_material(format!("tokenFile {}", quoted(path)), "it is empty"))
        }
        Ok(text) => {
            let trimmed = text.trim();
            user.token = (trimmed.len() < text.len()).then(|| trimmed.to_owned().into());
            if user.token.is_some() {
                user.token_file = None;
            }
            Ok(())
        }
        Err(_) if user.token.is_some() => {
            user.token_file = None;
            Ok(())
        }
        Err(error) => Err(names.user_material(format!("tokenFile {}", quoted(path)), os_cause(&error))),
    }
}
