//! Reads the JWT. It is read for every attempt, since the kubelet replaces a projected token
//! while we wait. Its claims serve messages only: Vault validates them.

use crate::files::jwt_claims::DecodedJwt;
use crate::files::paths;
use serde::de::DeserializeOwned;
use shared::Secret;
use shared::jwt::{self, NotAJwt};
use shared::text::os_cause;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use thiserror::Error;

pub const PROJECTED: &str = "/var/run/secrets/tokens/vault-token";
/// The token every pod has, unless switched off. It is a credential for the
/// API server, so it is used only when asked for.
pub const STANDARD: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

#[derive(Clone, Debug)]
pub struct Jwt {
    pub secret: Secret,
    pub decoded: DecodedJwt,
}

#[derive(Debug, Error)]
pub enum JwtFileError {
    #[error("could not read the JWT file \"{}\": {}", path.display(), os_cause(source))]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the JWT file \"{}\" is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Empty or only white space: the kubelet has not written it yet.
    #[error("the JWT file \"{}\" is empty", .0.display())]
    Empty(PathBuf),
    #[error("the JWT file \"{}\" holds no JWT: {why}", path.display())]
    NotAJwt {
        path: PathBuf,
        /// What is wrong with its content, without showing it.
        why: String,
    },
}

impl JwtFileError {
    pub fn can_heal(&self) -> bool {
        matches!(self, Self::Empty(_))
    }

    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { path, source } if source.kind() == io::ErrorKind::NotFound => format!(
                "mount a projected volume with a serviceAccountToken at \"{}\", or name its place with --jwt-file",
                paths::absolute_parent_dir(path).display()
            ),
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "set securityContext.fsGroup of the pod, so that its user may read the projected token".to_owned()
            }
            Self::Empty(path) => {
                format!("look who writes \"{}\"; a projected token is never empty for long", path.display())
            }
            Self::Unreadable { .. } | Self::NotAFile(_) | Self::NotAJwt { .. } => {
                "name the file that holds the token alone with --jwt-file or VAULT_JWT_FILE".to_owned()
            }
        })
    }
}

/// Reads the JWT at `path`. Links are followed: the kubelet's token is one.
pub fn read(path: &Path) -> Result<Jwt, JwtFileError> {
    let unreadable = |source| JwtFileError::Unreadable { path: path.to_owned(), source };
    // Before opening it: opening a pipe would wait for a writer, past any deadline.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(JwtFileError::NotAFile(path.to_owned()));
    }
    let mut bytes = Vec::with_capacity(2_048);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(jwt::LARGEST as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    decode(&bytes).map_err(|why| match why {
        NoJwt::Empty => JwtFileError::Empty(path.to_owned()),
        NoJwt::Other(why) => JwtFileError::NotAJwt { path: path.to_owned(), why },
    })
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoJwt {
    /// There are none, or only white space.
    Empty,
    /// What is wrong with them, without showing them.
    Other(String),
}

/// Takes the JWT out of a file's content, and looks into it.
pub fn decode(content: &[u8]) -> Result<Jwt, NoJwt> {
    let other = |why: &str| NoJwt::Other(why.to_owned());
    let text = std::str::from_utf8(content).map_err(|_| other("it is not text"))?.trim();
    let parts = jwt::segments(text).map_err(|why| match why {
        NotAJwt::Empty => NoJwt::Empty,
        why => NoJwt::Other(why.to_string()),
    })?;
    let decoded = DecodedJwt {
        header: json(&parts.header).ok_or_else(|| other("its header is not a JSON object"))?,
        claims: json(&parts.claims).ok_or_else(|| other("its payload is not a JSON object"))?,
    };
    Ok(Jwt { secret: Secret::new(text), decoded })
}

/// The known members of a JSON object. Members of an unexpected type are for
/// Vault to judge: then nothing is known. `None` if it is no object at all.
fn json<T: DeserializeOwned + Default>(bytes: &[u8]) -> Option<T> {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    match serde_json::from_slice(bytes) {
        Ok(known) => Some(known),
        Err(error) if error.is_data() => Some(T::default()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // {"alg":"RS256","kid":"a"} . {"iss":"x"} . "sig"
    const TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ.eyJpc3MiOiJ4In0.c2ln";

    fn file(content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, content).unwrap();
        (dir, path)
    }

    #[test]
    fn white_space_around_the_token_is_not_part_of_it() {
        let (_dir, path) = file(format!(" {TOKEN}\r\n").as_bytes());
        let jwt = read(&path).unwrap();
        assert_eq!(jwt.secret.expose(), TOKEN);
        assert_eq!(jwt.decoded.header.kid.as_deref(), Some("a"));
        assert_eq!(jwt.decoded.claims.iss.as_deref(), Some("x"));
    }

    #[test]
    fn a_link_to_the_token_is_followed() {
        let (dir, path) = file(TOKEN.as_bytes());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(read(&link).unwrap().secret.expose(), TOKEN);
    }

    #[test]
    fn claims_of_unexpected_types_are_left_to_vault() {
        // {"exp":"soon"}
        let (_dir, path) = file(b"e30.eyJleHAiOiJzb29uIn0.c2ln");
        assert_eq!(read(&path).unwrap().decoded, DecodedJwt::default());
    }

    #[test]
    fn what_is_no_token_is_told_without_showing_it() {
        for (content, why) in [
            (&b"$TOKEN"[..], "holds no JWT: it has 1 segment, not 3"),
            (b"hvs.CAESIJ", "holds no JWT: it has 2 segments, not 3"),
            (b"\xff\xfe", "holds no JWT: it is not text"),
            (b"c2ln.e30.c2ln", "holds no JWT: its header is not a JSON object"),
            (b"e30.W10.c2ln", "holds no JWT: its payload is not a JSON object"),
            (b" \n", "is empty"),
        ] {
            let (_dir, path) = file(content);
            let error = read(&path).unwrap_err();
            assert_eq!(error.to_string(), format!("the JWT file \"{}\" {why}", path.display()));
            assert_eq!(error.can_heal(), why == "is empty");
        }
    }

    #[test]
    fn a_missing_file_says_what_to_mount() {
        let error = read(Path::new("/nowhere/token")).unwrap_err();
        assert_eq!(error.to_string(), "could not read the JWT file \"/nowhere/token\": no such file or directory");
        assert_eq!(
            error.hint().as_deref(),
            Some(
                "mount a projected volume with a serviceAccountToken at \"/nowhere\", or name its place with --jwt-file"
            )
        );
        let error = read(Path::new("/")).unwrap_err();
        assert_eq!(error.to_string(), "the JWT file \"/\" is not a regular file");
    }
}
