//! The `check` command, for probes in images without a shell: whether the token file holds
//! a token that has not expired. Vault is not asked: a probe runs every few seconds.

use crate::cli::settings::Settings;
use crate::command::error::Failure;
use crate::command::info_file;
use crate::command::messages::unless_quiet;
use crate::files::existing_token::{self, ExistingTokenError};
use crate::log::Message;
use crate::process::clock::unix_now;
use shared::duration;
use std::time::Duration;

/// Whether there is a token that can be used, as far as the files tell.
pub fn run(settings: &Settings, say: &dyn Fn(&Message<'_>)) -> Result<(), Failure> {
    let Some(path) = &settings.token_file else { return Ok(()) };
    existing_token::read(path)?;
    let place = path.display();
    let text = match &settings.info_file {
        None => format!("there is a token in \"{place}\""),
        Some(info_file) => {
            let unreadable = |why: String| ExistingTokenError::NoInfo { path: info_file.clone(), why };
            let content = existing_token::read_regular_file(info_file)
                .map_err(|error| unreadable(shared::text::os_cause(&error)))?;
            let ends =
                info_file::expires_at(&content).ok_or_else(|| unreadable("it is not what a login writes".to_owned()));
            match ends? {
                None => format!("there is a token in \"{place}\", without expiry"),
                Some(end) if end > unix_now() => {
                    let left = Duration::from_secs(end.abs_diff(unix_now()));
                    format!("there is a token in \"{place}\" for {}", duration::short(left))
                }
                Some(end) => {
                    let ago = duration::short(Duration::from_secs(unix_now().abs_diff(end)));
                    return Err(ExistingTokenError::Expired { path: path.clone(), ago }.into());
                }
            }
        }
    };
    unless_quiet(settings, say)(&Message::info(text));
    Ok(())
}
