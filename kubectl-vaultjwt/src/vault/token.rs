//! Owns where the operator's token comes from: `VAULT_TOKEN`, else the file
//! that `vault login` writes.

use super::settings::Surroundings;
use shared::Secret;
use shared::env::Lookup;
use shared::text::one_line;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Why there is no usable token. None of these shows a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is none anywhere.
    #[error("no Vault token")]
    Missing,
    /// There is one, but no token looks like that.
    #[error("the Vault token in {0} has blanks, line breaks or other characters that no token has")]
    Unprintable(String),
    /// The token's file, or the vault CLI's configuration, cannot be read.
    #[error("could not read {what} \"{}\": {}", one_line(file), one_line(why))]
    Unreadable {
        /// What the file is.
        what: &'static str,
        /// Its path.
        file: String,
        /// The cause.
        why: String,
    },
    /// The vault CLI keeps its token with a helper program. Another token,
    /// left in a file from earlier, may be somebody else's.
    #[error("the token helper configured in \"{}\" is not supported yet", one_line(.0))]
    Helper(String),
}

impl TokenError {
    /// The one thing to do next.
    pub fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Missing => "run 'vault login', or set VAULT_TOKEN",
                Self::Unprintable(_) => "run 'vault login' again, or set VAULT_TOKEN to the token alone",
                Self::Unreadable { .. } => "set VAULT_TOKEN, or make the file readable",
                Self::Helper(_) => "set VAULT_TOKEN, for example: export VAULT_TOKEN=$(vault print token)",
            }
            .to_owned(),
        )
    }
}

/// Finds the token.
pub fn find(around: &dyn Surroundings) -> Result<Secret, TokenError> {
    let env = Lookup(|name: &str| around.var(name));
    if let Some((variable, token)) = env.named("TOKEN") {
        return printable(&token, &variable);
    }
    let home = around.home();
    let in_home = |name: &str| home.as_ref().map(|home| home.join(name));
    // Vault's CLI has `~/.vault`, OpenBao's `~/.bao`.
    let configs = match env.value("CONFIG_PATH") {
        Some(path) => vec![expand(&path, home.as_deref())],
        None => [".vault", ".bao"].iter().filter_map(|name| in_home(name)).collect(),
    };
    for config in configs {
        if let Some(text) = read("the vault CLI's configuration", &config, around)?
            && names_a_helper(&text)
        {
            return Err(TokenError::Helper(config.display().to_string()));
        }
    }
    let file = match env.value("TOKEN_PATH") {
        Some(path) => Some(expand(&path, home.as_deref())),
        None => in_home(".vault-token"),
    };
    let Some(file) = file else { return Err(TokenError::Missing) };
    match read("the Vault token file", &file, around)?.as_deref().map(str::trim) {
        None | Some("") => Err(TokenError::Missing),
        Some(token) => printable(token, &format!("\"{}\"", one_line(&file.display().to_string()))),
    }
}

/// A header can carry it, and the vault CLI would take it too.
fn printable(token: &str, source: &str) -> Result<Secret, TokenError> {
    if token.bytes().all(|b| b.is_ascii_graphic()) {
        Ok(Secret::new(token))
    } else {
        Err(TokenError::Unprintable(source.to_owned()))
    }
}

/// The file's text; `None` where there is no such file.
fn read(what: &'static str, file: &Path, around: &dyn Surroundings) -> Result<Option<String>, TokenError> {
    match around.read(file) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => {
            Err(TokenError::Unreadable { what, file: file.display().to_string(), why: shared::text::os_cause(&e) })
        }
    }
}

/// `~/…` as the vault CLI expands it.
fn expand(path: &str, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => PathBuf::from(path),
    }
}

/// Whether the configuration (HCL or JSON) sets `token_helper` to something.
fn names_a_helper(text: &str) -> bool {
    text.lines().map(str::trim).filter(|line| !line.starts_with('#') && !line.starts_with("//")).any(|line| {
        let after = line.split_once("token_helper").map(|(_, rest)| rest.trim_start_matches(['"', ' ', '\t']));
        let value = after.and_then(|rest| rest.strip_prefix(['=', ':'])).map(str::trim);
        value.is_some_and(|value| !value.is_empty() && !value.starts_with("\"\""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::settings::tests::Outside;

    fn find_in(outside: &Outside) -> Result<String, TokenError> {
        find(outside).map(|t| t.expose().to_owned())
    }

    #[test]
    fn the_variable_beats_the_file_and_the_helper() {
        let outside = Outside::new().file("/h/.vault-token", "hvs.file").file("/h/.vault", "token_helper = \"/bin/x\"");
        assert_eq!(find_in(&outside.clone().var("VAULT_TOKEN", "hvs.env")), Ok("hvs.env".into()));
        let both = outside.var("VAULT_TOKEN", "hvs.env").var("BAO_TOKEN", "hvs.bao");
        assert_eq!(find_in(&both), Ok("hvs.bao".into()));
    }

    #[test]
    fn the_file_is_trimmed_and_its_path_can_be_given() {
        let outside = Outside::new().file("/h/.vault-token", " hvs.file\n").file("/h/t", "hvs.t").file("/t", "hvs.u");
        assert_eq!(find_in(&outside), Ok("hvs.file".into()));
        assert_eq!(find_in(&outside.clone().var("VAULT_TOKEN_PATH", "/t")), Ok("hvs.u".into()));
        assert_eq!(find_in(&outside.var("VAULT_TOKEN_PATH", "/t").var("BAO_TOKEN_PATH", "~/t")), Ok("hvs.t".into()));
    }

    #[test]
    fn no_token_says_how_to_get_one() {
        for outside in [Outside::new(), Outside::new().file("/h/.vault-token", "\n"), Outside::homeless()] {
            let error = find_in(&outside).unwrap_err();
            assert_eq!(error.to_string(), "no Vault token");
            assert_eq!(error.hint().as_deref(), Some("run 'vault login', or set VAULT_TOKEN"));
        }
    }

    #[test]
    fn what_is_no_token_is_refused_and_not_shown() {
        let error = find_in(&Outside::new().var("VAULT_TOKEN", "hvs.secret\n")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the Vault token in VAULT_TOKEN has blanks, line breaks or other characters that no token has"
        );
        let error = find_in(&Outside::new().file("/h/.vault-token", "hvs.a\nhvs.b")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the Vault token in \"/h/.vault-token\" has blanks, line breaks or other characters that no token has"
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_a_missing_one() {
        let error = find_in(&Outside::new().locked("/h/.vault-token")).unwrap_err();
        assert_eq!(error.to_string(), "could not read the Vault token file \"/h/.vault-token\": permission denied");
        assert_eq!(error.hint().as_deref(), Some("set VAULT_TOKEN, or make the file readable"));
    }

    #[test]
    fn a_token_helper_is_never_passed_over() {
        let outside = Outside::new().file("/h/.vault-token", "hvs.file");
        for config in ["token_helper = \"/bin/x\"", "{\"token_helper\": \"x\"}", "# c\n\ttoken_helper=\"x\"\n"] {
            for (outside, path) in [
                (outside.clone().file("/h/.vault", config), "/h/.vault"),
                (outside.clone().file("/h/.bao", config), "/h/.bao"),
                (outside.clone().file("/c", config).var("VAULT_CONFIG_PATH", "/c"), "/c"),
            ] {
                let error = find_in(&outside).unwrap_err();
                assert_eq!(
                    error.to_string(),
                    format!("the token helper configured in \"{path}\" is not supported yet")
                );
                assert_eq!(
                    error.hint().as_deref(),
                    Some("set VAULT_TOKEN, for example: export VAULT_TOKEN=$(vault print token)")
                );
            }
        }
        for config in ["", "# token_helper = \"x\"", "token_helper = \"\"", "my-ansible-password"] {
            assert_eq!(find_in(&outside.clone().file("/h/.vault", config)), Ok("hvs.file".into()), "{config}");
        }
    }
}
