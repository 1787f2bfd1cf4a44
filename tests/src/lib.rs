//! The harness: gets the real servers ([`peers`]), starts and stops them ([`server`]), and builds
//! the programs under test as they are shipped ([`artifacts`], [`image`]). The commands in `src/bin`
//! that test and release use [`tools`] too.
//!
//! Nothing that it starts outlives the process that started it, however that
//! process ends ([`process`]).

pub mod artifacts;
pub mod certificates;
pub mod http;
pub mod image;
pub mod keys;
pub mod peers;
pub mod process;
pub mod recording;
pub mod secrets;
pub mod server;
pub mod tools;
pub mod workspace;

/// What begins the message of an assertion about keys or tokens that are gone,
/// that exist and must not, or that leaked.
pub const NEVER_FLAKY: &str = "keys or tokens, never flaky";
