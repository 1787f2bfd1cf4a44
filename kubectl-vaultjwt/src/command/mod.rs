//! What the program does: one folder or file for each command, each from
//! resolved input through a plan to a report. Commands never print.

pub mod progress;
pub mod setup;

pub use progress::{Progress, Step, patiently};
