//! Finds the operator's token: `VAULT_TOKEN`, else the token helper of the vault CLI's
//! configuration, else the file that `vault login` writes.

use crate::vault::settings::host::HostEnvironment;
use crate::vault::settings::token_helper::HelperError;
use crate::vault::settings::vault_cli_config;
use shared::Secret;
use shared::env::Lookup;
use shared::text::one_line;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Why there is no usable token. None of these shows a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("no Vault token")]
    Missing,
    #[error("the Vault token in {0} has blanks, line breaks or other characters that no token has")]
    Unprintable(String),
    #[error("could not read {what} \"{}\": {}", one_line(file), one_line(why))]
    Unreadable { what: &'static str, file: String, why: String },
    /// The vault CLI's configuration says something that is not understood. It may name a
    /// helper: a token left in a file from earlier may be another user's.
    #[error("could not read the vault CLI's configuration \"{}\": {why}", one_line(file))]
    Config {
        file: String,
        /// The cause, without content of the file.
        why: String,
    },
    #[error("\"{}\" and \"{}\" name different token helpers", one_line(first), one_line(second))]
    TwoHelpers { first: String, second: String },
    #[error("{error}")]
    Helper {
        /// The configuration that names the helper.
        config: String,
        error: HelperError,
    },
}

impl TokenError {
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing => "run 'vault login', or set VAULT_TOKEN".to_owned(),
            Self::Unprintable(_) => "run 'vault login' again, or set VAULT_TOKEN to the token alone".to_owned(),
            Self::Unreadable { .. } => "set VAULT_TOKEN, or make the file readable".to_owned(),
            Self::Config { .. } => "correct the file, or set VAULT_TOKEN".to_owned(),
            Self::TwoHelpers { first, .. } => {
                format!("say which file counts, for example VAULT_CONFIG_PATH={}", one_line(first))
            }
            Self::Helper { config, error } => error.hint(config),
        })
    }
}

/// Finds the token for the Vault at `address`.
pub fn find(address: &str, around: &dyn HostEnvironment) -> Result<Secret, TokenError> {
    if let Some(token) = of_variable(around)? {
        return Ok(token);
    }
    let env = Lookup(|name: &str| around.var(name));
    let home = around.home();
    let in_home = |name: &str| home.as_ref().map(|home| home.join(name));
    // Vault's CLI has `~/.vault`, OpenBao's `~/.bao`.
    let configs = match env.value("CONFIG_PATH") {
        Some(path) => vec![expand(&path, home.as_deref())],
        None => [".vault", ".bao"].iter().filter_map(|name| in_home(name)).collect(),
    };
    if let Some((helper, config)) = helper(&configs, around)? {
        let output =
            around.token_helper(Path::new(&helper), address).map_err(|error| TokenError::Helper { config, error })?;
        let source = format!("the output of the token helper \"{}\"", one_line(&helper));
        return trimmed(&output, &source);
    }
    let file = match env.value("TOKEN_PATH") {
        Some(path) => expand(&path, home.as_deref()),
        None => in_home(".vault-token").ok_or(TokenError::Missing)?,
    };
    let content = read("the Vault token file", &file, around)?.ok_or(TokenError::Missing)?;
    trimmed(&content, &format!("\"{}\"", one_line(&file.display().to_string())))
}

pub fn of_variable(around: &dyn HostEnvironment) -> Result<Option<Secret>, TokenError> {
    let env = Lookup(|name: &str| around.var(name));
    env.named("TOKEN").map(|(variable, token)| printable(&token, &variable)).transpose()
}

/// The configured token helper and the file that names it.
fn helper(configs: &[PathBuf], around: &dyn HostEnvironment) -> Result<Option<(String, String)>, TokenError> {
    let mut found: Option<(String, String)> = None;
    for config in configs {
        let Some(content) = read("the vault CLI's configuration", config, around)? else { continue };
        let file = config.display().to_string();
        let helper =
            vault_cli_config::token_helper(&content).map_err(|why| TokenError::Config { file: file.clone(), why })?;
        match (helper, &found) {
            (Some(helper), None) => found = Some((helper, file)),
            (Some(helper), Some((other, first))) if helper != *other => {
                return Err(TokenError::TwoHelpers { first: first.clone(), second: file });
            }
            _ => {}
        }
    }
    Ok(found)
}

/// The token in what a file or program holds; empty is none, as in the CLI.
fn trimmed(content: &[u8], source: &str) -> Result<Secret, TokenError> {
    match String::from_utf8_lossy(content).trim() {
        "" => Err(TokenError::Missing),
        token => printable(token, source),
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

/// The file's content; `None` where there is no such file.
fn read(what: &'static str, file: &Path, around: &dyn HostEnvironment) -> Result<Option<Vec<u8>>, TokenError> {
    match around.read(file) {
        Ok(content) => Ok(Some(content)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::settings::tests::FakeHost;

    fn find_in(outside: &FakeHost) -> Result<String, TokenError> {
        find("https://v:8200", outside).map(|t| t.expose().to_owned())
    }

    #[test]
    fn the_variable_beats_the_file_and_the_helper() {
        let outside =
            FakeHost::new().file("/h/.vault-token", "hvs.file").file("/h/.vault", "token_helper = \"/bin/x\"");
        assert_eq!(find_in(&outside.clone().var("VAULT_TOKEN", "hvs.env")), Ok("hvs.env".into()));
        let both = outside.var("VAULT_TOKEN", "hvs.env").var("BAO_TOKEN", "hvs.bao");
        assert_eq!(find_in(&both), Ok("hvs.bao".into()));
    }

    #[test]
    fn the_file_is_trimmed_and_its_path_can_be_given() {
        let outside = FakeHost::new().file("/h/.vault-token", " hvs.file\n").file("/h/t", "hvs.t").file("/t", "hvs.u");
        assert_eq!(find_in(&outside), Ok("hvs.file".into()));
        assert_eq!(find_in(&outside.clone().var("VAULT_TOKEN_PATH", "/t")), Ok("hvs.u".into()));
        assert_eq!(find_in(&outside.var("VAULT_TOKEN_PATH", "/t").var("BAO_TOKEN_PATH", "~/t")), Ok("hvs.t".into()));
    }

    #[test]
    fn no_token_says_how_to_get_one() {
        for outside in [FakeHost::new(), FakeHost::new().file("/h/.vault-token", "\n"), FakeHost::homeless()] {
            let error = find_in(&outside).unwrap_err();
            assert_eq!(error.to_string(), "no Vault token");
            assert_eq!(error.hint().as_deref(), Some("run 'vault login', or set VAULT_TOKEN"));
        }
    }

    #[test]
    fn what_is_no_token_is_refused_and_not_shown() {
        let error = find_in(&FakeHost::new().var("VAULT_TOKEN", "hvs.secret\n")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the Vault token in VAULT_TOKEN has blanks, line breaks or other characters that no token has"
        );
        let error = find_in(&FakeHost::new().file("/h/.vault-token", "hvs.a\nhvs.b")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the Vault token in \"/h/.vault-token\" has blanks, line breaks or other characters that no token has"
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_a_missing_one() {
        let error = find_in(&FakeHost::new().locked("/h/.vault-token")).unwrap_err();
        assert_eq!(error.to_string(), "could not read the Vault token file \"/h/.vault-token\": permission denied");
        assert_eq!(error.hint().as_deref(), Some("set VAULT_TOKEN, or make the file readable"));
    }

    #[test]
    fn the_token_helper_beats_the_file() {
        let outside = FakeHost::new().file("/h/.vault-token", "hvs.file").helper("/bin/x", b" hvs.helper\n");
        for config in ["token_helper = \"/bin/x\"", "{\"token_helper\": \"/bin/x\"}"] {
            for outside in [
                outside.clone().file("/h/.vault", config),
                outside.clone().file("/h/.bao", config),
                outside.clone().file("/h/.vault", config).file("/h/.bao", config),
                outside.clone().file("/h/.vault", "").file("/h/.bao", config),
                outside.clone().file("/c", config).var("VAULT_CONFIG_PATH", "/c"),
                outside.clone().file("/h/c", config).var("VAULT_CONFIG_PATH", "/c").var("BAO_CONFIG_PATH", "~/c"),
            ] {
                assert_eq!(find_in(&outside), Ok("hvs.helper".into()), "{outside:?}");
                assert_eq!(outside.asked(), ["/bin/x https://v:8200"]);
            }
        }
        for config in ["", "# token_helper = \"/bin/x\"", "token_helper = \"\""] {
            let outside = outside.clone().file("/h/.vault", config);
            assert_eq!(find_in(&outside), Ok("hvs.file".into()), "{config}");
            assert!(outside.asked().is_empty());
        }
        let elsewhere = outside.file("/h/.vault", "token_helper = \"/bin/x\"").var("VAULT_CONFIG_PATH", "/none");
        assert_eq!(find_in(&elsewhere), Ok("hvs.file".into()));
    }

    #[test]
    fn a_helper_without_a_token_is_not_passed_over() {
        let outside =
            FakeHost::new().file("/h/.vault-token", "hvs.file").file("/h/.vault", "token_helper = \"/bin/x\"");
        for output in ["", " \n"] {
            assert_eq!(find_in(&outside.clone().helper("/bin/x", output.as_bytes())), Err(TokenError::Missing));
        }
        for output in [b"hvs.a\nhvs.b".as_slice(), b"\xff"] {
            assert_eq!(
                find_in(&outside.clone().helper("/bin/x", output)).unwrap_err().to_string(),
                "the Vault token in the output of the token helper \"/bin/x\" has blanks, line breaks or other characters that no token has"
            );
        }
        let error = find_in(&outside).unwrap_err();
        assert_eq!(error.to_string(), "could not run the token helper \"/bin/x\": no such file or directory");
        assert_eq!(
            error.hint().as_deref(),
            Some("name a program that can be run as token_helper in \"/h/.vault\", or set VAULT_TOKEN")
        );
    }

    #[test]
    fn a_configuration_that_is_not_understood_is_not_passed_over() {
        let outside = FakeHost::new().file("/h/.vault-token", "hvs.file").file("/h/.vault", "hunter2");
        let error = find_in(&outside).unwrap_err();
        assert_eq!(
            error.to_string(),
            "could not read the vault CLI's configuration \"/h/.vault\": line 1 is not of the form token_helper = \"/path\""
        );
        assert_eq!(error.hint().as_deref(), Some("correct the file, or set VAULT_TOKEN"));
        let error = find_in(&FakeHost::new().locked("/h/.bao")).unwrap_err();
        assert_eq!(error.to_string(), "could not read the vault CLI's configuration \"/h/.bao\": permission denied");
    }

    #[test]
    fn two_helpers_are_one_too_many() {
        let outside = FakeHost::new()
            .file("/h/.vault", "token_helper = \"/bin/x\"")
            .file("/h/.bao", "token_helper = \"/bin/y\"")
            .helper("/bin/y", b"hvs.y");
        let error = find_in(&outside).unwrap_err();
        assert_eq!(error.to_string(), "\"/h/.vault\" and \"/h/.bao\" name different token helpers");
        assert_eq!(error.hint().as_deref(), Some("say which file counts, for example VAULT_CONFIG_PATH=/h/.vault"));
        assert!(outside.asked().is_empty());
        assert_eq!(find_in(&outside.var("VAULT_CONFIG_PATH", "/h/.bao")), Ok("hvs.y".into()));
    }
}
