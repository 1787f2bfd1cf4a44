//! Tools for developing and releasing: they run the tests and the fuzz targets, build for other
//! machines, and package the plugin for Krew. They use the harness; the harness does not use them.

pub mod compare_recordings;
pub mod cross_build;
pub mod fuzzing;
pub mod krew;
pub mod suite;
pub mod svg;
pub mod typed;
