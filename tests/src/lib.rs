//! The harness: gets the real servers ([`peers`]), starts and stops them
//! ([`server`]), and builds the programs under test as they are shipped
//! ([`artefacts`]), puts them into images ([`image`]) and Krew's archives ([`krew`]), runs the fuzz
//! targets ([`fuzzing`]), and all tests as CI does ([`suite`]).
//!
//! Nothing it starts outlives the process that started it, however that
//! process ends ([`process`]).

pub mod artefacts;
pub mod certificates;
pub mod fuzzing;
pub mod http;
pub mod image;
pub mod keys;
pub mod krew;
pub mod peers;
pub mod process;
pub mod recording;
pub mod secrets;
pub mod server;
pub mod suite;
pub mod svg;
pub mod typed;
pub mod workspace;
