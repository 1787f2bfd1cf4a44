//! The process: its signals, and the command that it runs.

pub mod clock;
pub mod exec;
pub mod signals;
