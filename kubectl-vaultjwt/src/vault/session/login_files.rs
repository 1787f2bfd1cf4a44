//! Reads what a watcher logs in with: files that others replace, read again each time.

use crate::vault::session::login::{LoginFiles, LoginMethod, NoCredentials};
use crate::vault::session::session_token::LoginCredentials;
use crate::vault::settings::host::HostEnvironment;
use crate::vault::settings::{VaultOverrides, find_token};
use async_trait::async_trait;
use shared::Secret;
use shared::text::{one_line, os_cause};
use std::path::Path;
use std::sync::Arc;

pub struct HostLoginFiles {
    flags: VaultOverrides,
    around: Arc<dyn HostEnvironment + Send + Sync>,
}

impl HostLoginFiles {
    pub fn new(flags: VaultOverrides, around: Arc<dyn HostEnvironment + Send + Sync>) -> Self {
        Self { flags, around }
    }

    fn secret(&self, what: &str, file: &Path) -> Result<Secret, NoCredentials> {
        let shown = one_line(&file.display().to_string());
        let no_credentials = |text| NoCredentials { text, hint: None };
        let refuse = |why: &str| no_credentials(format!("{what} file \"{shown}\" {why}"));
        let content = self
            .around
            .read(file)
            .map_err(|error| no_credentials(format!("could not read {what} file \"{shown}\": {}", os_cause(&error))))?;
        let text = String::from_utf8_lossy(&content);
        match text.trim() {
            "" => Err(refuse("is empty")),
            secret if secret.bytes().all(|b| b.is_ascii_graphic()) => Ok(Secret::new(secret)),
            _ => Err(refuse("has blanks, line breaks or other characters that do not belong there")),
        }
    }
}

#[async_trait]
impl LoginFiles for HostLoginFiles {
    fn credentials(&self, login: &LoginMethod) -> Result<LoginCredentials, NoCredentials> {
        match login {
            LoginMethod::Jwt { mount, role, file } => Ok(LoginCredentials::Jwt {
                mount: mount.clone(),
                role: role.clone(),
                jwt: self.secret("the service account token", file)?,
            }),
            LoginMethod::AppRole { mount, role_id_file, secret_id_file } => Ok(LoginCredentials::AppRole {
                mount: mount.clone(),
                role_id: self.secret("the role id", role_id_file)?,
                secret_id: (secret_id_file.as_deref()).map(|file| self.secret("the secret id", file)).transpose()?,
            }),
        }
    }

    async fn token(&self) -> Result<Secret, NoCredentials> {
        // In a thread of its own, which can be left behind.
        let (found, token) = tokio::sync::oneshot::channel();
        let (flags, around) = (self.flags.clone(), self.around.clone());
        std::thread::spawn(move || found.send(find_token(&flags, &*around)));
        let lost = |_| NoCredentials { text: "the search for a Vault token ended early".to_owned(), hint: None };
        token.await.map_err(lost)?.map_err(|error| NoCredentials { text: error.to_string(), hint: error.hint() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::settings::tests::FakeHost;
    use shared::mount::MountPath;

    fn jwt(file: &str) -> LoginMethod {
        LoginMethod::Jwt { mount: MountPath::parse("jwt").unwrap(), role: "r".into(), file: file.into() }
    }

    fn approle(role_id: &str, secret_id: Option<&str>) -> LoginMethod {
        let secret_id_file = secret_id.map(Into::into);
        LoginMethod::AppRole { mount: MountPath::parse("a").unwrap(), role_id_file: role_id.into(), secret_id_file }
    }

    #[test]
    fn files_are_trimmed() {
        let outside = FakeHost::new().file("/jwt", "a.b.c\n").file("/role", "r1\n").file("/secret", " s1");
        let files = HostLoginFiles::new(VaultOverrides::default(), Arc::new(outside));
        assert!(
            matches!(files.credentials(&jwt("/jwt")), Ok(LoginCredentials::Jwt { jwt, .. }) if jwt.expose() == "a.b.c")
        );
        assert!(matches!(
            files.credentials(&approle("/role", Some("/secret"))),
            Ok(LoginCredentials::AppRole { role_id, secret_id: Some(secret_id), .. })
                if role_id.expose() == "r1" && secret_id.expose() == "s1"
        ));
        assert!(matches!(
            files.credentials(&approle("/role", None)),
            Ok(LoginCredentials::AppRole { secret_id: None, .. })
        ));
    }

    #[test]
    fn what_cannot_be_used_is_named_and_not_shown() {
        let outside = FakeHost::new().file("/empty", "\n").file("/two", "a\nb").locked("/locked");
        let files = HostLoginFiles::new(VaultOverrides::default(), Arc::new(outside));
        for (login, why) in [
            (jwt("/none"), "could not read the service account token file \"/none\": no such file or directory"),
            (jwt("/locked"), "could not read the service account token file \"/locked\": permission denied"),
            (jwt("/empty"), "the service account token file \"/empty\" is empty"),
            (
                jwt("/two"),
                "the service account token file \"/two\" has blanks, line breaks or other characters that do not belong there",
            ),
            (approle("/empty", None), "the role id file \"/empty\" is empty"),
        ] {
            assert_eq!(files.credentials(&login).unwrap_err().text, why);
        }
    }

    #[tokio::test]
    async fn the_token_is_looked_for_where_it_first_was() {
        let outside = FakeHost::new().var("VAULT_ADDR", "https://v").file("/h/.vault-token", "hvs.file");
        let files = HostLoginFiles::new(VaultOverrides::default(), Arc::new(outside));
        assert_eq!(files.token().await, Ok(Secret::new("hvs.file")));
        let files =
            HostLoginFiles::new(VaultOverrides::default(), Arc::new(FakeHost::new().var("VAULT_ADDR", "https://v")));
        let none = files.token().await.unwrap_err();
        assert_eq!(
            (none.text.as_str(), none.hint.as_deref()),
            ("no Vault token", Some("run 'vault login', or set VAULT_TOKEN"))
        );
    }
}
