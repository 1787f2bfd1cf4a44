//! What `sync --watch` was asked for, resolved, and its ports.

use crate::command::sync::{self, SyncInput};
use crate::command::watch::reporter::Reporter;
use crate::command::watch::schedule::Pace;
use crate::vault::session::login::{LoginFiles, LoginMethod};
use crate::vault::session::session_token::SessionToken;

/// Everything a watcher decides from, besides what it observes.
#[derive(Clone, Debug)]
pub struct WatchInput {
    /// What each poll is; its time and scope are set for each.
    pub sync: SyncInput,
    pub pace: Pace,
    /// How a token is had when there is none, in the order to try.
    pub logins: Vec<LoginMethod>,
    /// The command with which a person refreshes the same keys.
    pub by_hand: String,
}

#[derive(Clone, Copy)]
pub struct WatchPorts<'a> {
    pub sync: sync::input::SyncPorts<'a>,
    pub token: &'a dyn SessionToken,
    pub login_files: &'a dyn LoginFiles,
    pub reporter: &'a Reporter<'a>,
}
