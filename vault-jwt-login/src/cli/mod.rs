//! The command line and the environment, read into the settings of a run.

pub mod arguments;
mod flags;
pub mod settings;
pub mod usage_error;
