//! The harness: gets the real servers ([`peers`]), starts and stops them
//! ([`server`]), and builds the programs under test as they are shipped
//! ([`artefacts`]).
//!
//! Nothing it starts outlives the process that started it, however that
//! process ends ([`process`]).

pub mod artefacts;
pub mod certificates;
pub mod http;
pub mod keys;
pub mod peers;
pub mod process;
pub mod server;
pub mod workspace;
