//! Prints results to stdout.

use crate::cli::values::Format;
use crate::command::failure::Failure;
use crate::error::Error;
use crate::render::json_yaml;
use crate::render::terminal::signs;
use serde::Serialize;

/// How a command ended: its exit code, or why it failed.
pub type Ending = Result<u8, Error>;

/// A reader that went away is not an error.
pub fn plain(text: &str) -> Result<(), Error> {
    put(std::io::stdout().lock(), text)
}

/// For people: with colors where stdout is a terminal that shows them.
pub fn styled(text: &str) -> Result<(), Error> {
    put(anstream::stdout().lock(), &signs(text))
}

pub fn document(report: &impl Serialize, format: Format) -> Result<(), Error> {
    match format {
        Format::Json => plain(&json_yaml::json(report)?),
        Format::Yaml => plain(&json_yaml::yaml(report)?),
    }
}

/// The report of a command. Where it stopped after it wrote, a document that was asked
/// for is printed all the same: it holds what existed before.
pub fn finish<R: Serialize, E: Into<Error>>(
    result: Result<R, Failure<E, R>>,
    format: Option<Format>,
) -> Result<R, Error> {
    let Failure { error, report } = match result {
        Ok(report) => return Ok(report),
        Err(failure) => failure,
    };
    if let (Some(report), Some(format)) = (report, format) {
        document(&*report, format)?;
    }
    Err(error.into())
}

/// Prints that report, as the document that was asked for or else in words.
pub fn report<R: Serialize, E: Into<Error>>(
    result: Result<R, Failure<E, R>>,
    format: Option<Format>,
    words: fn(&R) -> String,
) -> Result<R, Error> {
    let report = finish(result, format)?;
    match format {
        Some(format) => document(&report, format)?,
        None => styled(&words(&report))?,
    }
    Ok(report)
}

fn put(mut stdout: impl std::io::Write, text: &str) -> Result<(), Error> {
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}
