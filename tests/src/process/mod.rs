//! Starts and stops child processes, and makes temporary folders.
//!
//! Each server runs below a small `sh` that holds one end of a pipe
//! (`supervise.sh`); each folder has an `sh` of its own that waits the same
//! way (`janitor.sh`). When the harness closes the pipe, panics, is
//! interrupted, or is killed with kill -9, the pipe ends, the servers stop and
//! the folders go. Nothing depends on destructors, so servers may also live in
//! statics.

mod keeper;
mod locked;
mod logs;
mod ports;
mod say;
mod scratch;
mod supervised;
mod turns;

pub use keeper::{is_ignored, stop_everything};
pub(crate) use locked::locked;
pub use logs::{keep_logs, tail};
pub use ports::{port, port_pair};
pub use say::say;
pub use scratch::Scratch;
pub use supervised::Supervised;
pub use turns::Turn;

use std::path::Path;
use std::process::Command;

/// The environment of a program that must not see the developer's: his home,
/// tokens, proxies and kubeconfig. `PATH` is kept, with `first` in front.
pub fn clean_environment(command: &mut Command, home: &Path, first: &[&Path]) {
    command.env_clear().env("PATH", crate::workspace::path_with(first)).env("HOME", home).env("LC_ALL", "C.UTF-8");
}
