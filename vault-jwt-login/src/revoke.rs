//! Owns `revoke`, for a preStop hook: the token in the file ends, and the file
//! goes away. Also what a sidecar does at its end.

use crate::error::{Error, Failure};
use crate::found::{self, NotFound};
use crate::log::{Level, Message};
use crate::login::{Login, RealWorld, once, talk};
use crate::retry::until_done;
use crate::settings::Settings;
use crate::vault::VaultError;
use shared::Secret;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Revokes the token in the file, and removes the file.
pub fn run(settings: &Settings, say: impl FnMut(&Message<'_>)) -> Result<(), Failure> {
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
    let attempt = |left| end(login.vault().revoke(&token, left));
    until_done(settings.timeout, &mut RealWorld::new(), attempt, Error::wait, once(&mut talk))?;
    remove(settings)?;
    talk(&Message::new(Level::Info, format!("revoked the Vault token and removed \"{}\"", path.display())));
    Ok(())
}

/// Revokes `token` in one attempt, and removes the files all the same: without
/// a sidecar nobody keeps what is in them.
pub fn revoke(settings: &Settings, token: &Secret, within: Duration) -> Result<(), Failure> {
    let revoked = Login::connect(settings).and_then(|mut login| Ok(end(login.vault().revoke(token, within))?));
    remove(settings)?;
    revoked
}

/// A token that Vault no longer knows is as good as revoked.
fn end(answer: Result<(), VaultError>) -> Result<(), Error> {
    match answer {
        Err(VaultError::Denied(denied)) if denied.status == 403 => Ok(()),
        other => Ok(other?),
    }
}

/// Removes the token file and the info file.
fn remove(settings: &Settings) -> Result<(), Error> {
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
