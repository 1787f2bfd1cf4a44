//! Ends a run when a signal arrives or the command ends.

use crate::cli::settings::Settings;
use crate::command::live_tokens::LiveTokens;
use crate::command::revoke_at_exit::revoke_all;
use crate::command::stored_files;
use crate::log::{Level, Message};
use crate::vault::revocation::RevokeOutcome;

/// What a signal does, and the exit code: the token in use is revoked and its files are
/// removed where that was asked for. A token that is not in place yet is revoked in any
/// case. `None` where no token is in place.
pub fn on_signal(settings: &Settings, live: &LiveTokens, name: &str, say: &dyn Fn(&Message<'_>)) -> Option<u8> {
    let stored = live.is_stored();
    let revoked = revoke_all(settings, live, |live| settings.revoke_on_exit || !live.stored);
    let tell = |text: String| {
        if !settings.quiet {
            say(&Message::new(Level::Info, text));
        }
    };
    match (revoked, stored && settings.revoke_on_exit) {
        // The files of a token that lives are kept: the next start reuses it.
        (Err(unrevoked), true) => {
            say(&unrevoked.message(Level::Error));
            return Some(unrevoked.error.exit_code());
        }
        (Err(unrevoked), false) => say(&unrevoked.message(Level::Warn)),
        (Ok(revoked), true) => {
            if let Err(error) = stored_files::remove(settings, None) {
                say(&error.message(Level::Error, ""));
                return Some(error.exit_code());
            }
            tell(match revoked {
                Some(RevokeOutcome::BatchToken) => {
                    format!("ended by {name}: the Vault token is a batch token, which expires and cannot be revoked")
                }
                _ => format!("ended by {name}: the Vault token is revoked"),
            });
            return Some(0);
        }
        (Ok(_), false) => {}
    }
    if stored {
        tell(format!("ended by {name}"));
    }
    stored.then_some(0)
}
