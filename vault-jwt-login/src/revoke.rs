//! The `revoke` command, for a preStop hook: revokes the token in the file, and
//! removes the file. A token that Vault did not revoke keeps its file.

use crate::error::{Error, Failure};
use crate::found::{self, NotFound};
use crate::info;
use crate::log::{Level, Message};
use crate::login::{Login, RealWorld, clock, once, talk};
use crate::retry::until_done;
use crate::revocation::{self, Revoked};
use crate::settings::Settings;
use shared::Secret;
use std::io;
use std::path::Path;

/// Revokes the token in the file, and removes the file.
pub fn run(settings: &Settings, say: &dyn Fn(&Message<'_>)) -> Result<(), Failure> {
    let mut talk = talk(settings, say);
    let Some(path) = &settings.token_file else { return Ok(()) };
    let token = match found::read(path) {
        Ok(token) => token,
        Err(error) if error.is_absent() => {
            talk(&Message::new(Level::Info, format!("there is no token in \"{}\"", path.display())));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let mut login = Login::connect(settings)?;
    let expected = settings.info_file.as_deref().map(|path| info::expected(path, clock())).unwrap_or_default();
    let attempt = |left| revocation::revoke(login.vault(), &token, &expected, left);
    let revoked = until_done(settings.timeout, &mut RealWorld::new(), attempt, Error::wait, once(&mut talk))?;
    remove(settings, Some(&token))?;
    let path = path.display();
    talk(&Message::new(
        Level::Info,
        match revoked {
            Revoked::Now => format!("revoked the Vault token and removed \"{path}\""),
            Revoked::Before => format!("the Vault token had expired or been revoked; removed \"{path}\""),
            Revoked::Batch => {
                format!("the Vault token is a batch token, which expires and cannot be revoked; removed \"{path}\"")
            }
        },
    ));
    Ok(())
}

/// Removes the token file and the info file; with `only`, not if another token was put in place
/// meanwhile.
pub fn remove(settings: &Settings, only: Option<&Secret>) -> Result<(), Error> {
    let other =
        |path: &Path| found::read(path).is_ok_and(|found| only.is_some_and(|only| only.expose() != found.expose()));
    if settings.token_file.as_deref().is_some_and(other) {
        return Ok(());
    }
    for path in [&settings.token_file, &settings.info_file].into_iter().flatten() {
        gone(path).map_err(|source| NotFound::NotRemoved { path: path.clone(), source })?;
    }
    Ok(())
}

fn gone(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
