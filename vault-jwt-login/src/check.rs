//! Owns `check`, for probes of images without a shell: is there a token, and
//! is it not over. Vault is not asked: a probe runs every few seconds.

use crate::error::{Error, Failure};
use crate::found::{self, NotFound};
use crate::info;
use crate::log::{Level, Message};
use crate::login::{clock, talk};
use crate::settings::Settings;
use shared::duration;
use std::time::Duration;

/// Whether there is a token that can be used, as far as the files tell.
pub fn run(settings: &Settings, say: &dyn Fn(&Message<'_>)) -> Result<(), Failure> {
    let Some(path) = &settings.token_file else { return Ok(()) };
    found::read(path).map_err(Error::from)?;
    let place = path.display();
    let text = match &settings.info_file {
        None => format!("there is a token in \"{place}\""),
        Some(info_file) => {
            let unreadable = |why: String| NotFound::NoInfo { path: info_file.clone(), why };
            let content = found::regular(info_file)
                .map_err(|error| unreadable(shared::text::os_cause(&error)))
                .map_err(Error::from)?;
            let ends = info::expires_at(&content).ok_or_else(|| unreadable("it is not what a login writes".to_owned()));
            match ends.map_err(Error::from)? {
                None => format!("there is a token in \"{place}\", without expiry"),
                Some(end) if end > clock() => {
                    let left = Duration::from_secs(end.abs_diff(clock()));
                    format!("there is a token in \"{place}\" for {}", duration::short(left))
                }
                Some(end) => {
                    let ago = duration::short(Duration::from_secs(clock().abs_diff(end)));
                    return Err(Error::from(NotFound::Over { path: path.clone(), ago }).into());
                }
            }
        }
    };
    talk(settings, say)(&Message::new(Level::Info, text));
    Ok(())
}
