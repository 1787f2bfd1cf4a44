//! A test of the suite, how it ended, and why the suite could not run it.

use std::io;
use std::time::Duration;

use crate::artifacts::ArtifactError;

/// Why tests cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// A program under test or a test binary does not build.
    #[error(transparent)]
    Build(#[from] ArtifactError),
    /// A test binary cannot be run, or a log cannot be kept.
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    /// A test binary ended without an account of its tests.
    #[error("{binary} ended without a result ({status})")]
    NoResult { binary: String, status: String },
}

pub(super) fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> SuiteError {
    let what = what.into();
    move |source| SuiteError::Io { what, source }
}

/// One test and what became of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// The binary it is in, as `tests/e2e`.
    pub binary: String,
    /// Its name, as `plugin::setup::writes_once`.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// What it wrote, if it failed; else none.
    pub failed: Option<String>,
}

/// How a test that failed ended the second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    Passed,
    Failed,
    /// It was not run: keys or tokens were lost, or too many tests had failed.
    NotRun,
}

/// Flaky tests of a run that still counts as a good one.
pub const MOST_FLAKY: usize = 3;
