//! Removes the files that a login wrote.

use crate::cli::settings::Settings;
use crate::command::error::Error;
use crate::files::existing_token::{self, ExistingTokenError};
use shared::Secret;
use std::io;
use std::path::Path;

/// Removes the token file and the info file; with `only`, not if another token was put in place
/// meanwhile.
pub fn remove(settings: &Settings, only: Option<&Secret>) -> Result<(), Error> {
    let other = |path: &Path| {
        existing_token::read(path).is_ok_and(|found| only.is_some_and(|only| only.expose() != found.expose()))
    };
    if settings.token_file.as_deref().is_some_and(other) {
        return Ok(());
    }
    for path in [&settings.token_file, &settings.info_file].into_iter().flatten() {
        remove_if_present(path).map_err(|source| ExistingTokenError::NotRemoved { path: path.clone(), source })?;
    }
    Ok(())
}

fn remove_if_present(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
