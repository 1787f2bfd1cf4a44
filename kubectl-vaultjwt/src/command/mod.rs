//! What the program does: one folder or file for each command, each from
//! resolved input through a plan to a report. Commands never print. `chain` is
//! what several of them plan: the keys of clusters on one mount.

pub mod chain;
pub mod progress;
pub mod proof;
pub mod setup;
pub mod sync;

pub use progress::{Progress, Step, patiently};
