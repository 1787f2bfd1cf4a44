//! Text for people and programs: steps as they happen, errors at the end, and
//! the forms a report can take. Renderers never fetch anything.

pub mod age;
pub mod commands;
pub mod console;
pub mod diff;
pub mod go_json;
pub mod issuer;
pub mod json_yaml;
pub mod keys;
pub mod log;
pub mod metrics;
pub mod pod_manifest;
pub mod remove;
pub mod setup;
pub mod status;
pub mod sync;
pub mod table;
pub mod terminal;
