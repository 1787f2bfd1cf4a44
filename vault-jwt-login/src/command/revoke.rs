//! The `revoke` command, for a preStop hook: revokes the token in the file, and
//! removes the file. A token that Vault did not revoke keeps its file.

use crate::cli::settings::Settings;
use crate::command::error::{Error, Failure};
use crate::command::info_file;
use crate::command::messages::{once_per_text, unless_quiet};
use crate::command::reloading_client::ReloadingClient;
use crate::command::revoke_at_exit::remove_files;
use crate::connection::in_flight::InFlight;
use crate::files::existing_token;
use crate::lease::retry::until_done;
use crate::log::Message;
use crate::process::clock::{SystemClock, unix_now};
use crate::vault::revocation::{self, RevokeOutcome};

pub fn run(settings: &Settings, say: &dyn Fn(&Message<'_>)) -> Result<(), Failure> {
    let mut tell = unless_quiet(settings, say);
    let Some(path) = &settings.token_file else { return Ok(()) };
    let token = match existing_token::read(path) {
        Ok(token) => token,
        Err(error) if error.is_absent() => {
            tell(&Message::info(format!("there is no token in \"{}\"", path.display())));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let mut client = ReloadingClient::new(settings, InFlight::default())?;
    let expected = settings.info_file.as_deref().map(|path| info_file::expected(path, unix_now())).unwrap_or_default();
    let attempt = |left| revocation::revoke(client.for_connection(), &token, &expected, left).map_err(Error::from);
    let revoked =
        until_done(settings.timeout, &mut SystemClock::start(), attempt, Error::retry_kind, once_per_text(&mut tell))?;
    remove_files(settings, Some(&token))?;
    let path = path.display();
    tell(&Message::info(match revoked {
        RevokeOutcome::Revoked => format!("revoked the Vault token and removed \"{path}\""),
        RevokeOutcome::AlreadyInvalid => format!("the Vault token had expired or been revoked; removed \"{path}\""),
        RevokeOutcome::BatchToken => {
            format!("the Vault token is a batch token, which expires and cannot be revoked; removed \"{path}\"")
        }
    }));
    Ok(())
}
