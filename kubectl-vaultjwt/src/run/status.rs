//! Owns `status` from typed arguments to text.

use super::{Ending, out, painted, text};
use crate::cli::status::{Output, StatusArgs};
use crate::command::{patiently, status};
use crate::render::console::Console;
use crate::render::status as render_status;

/// Runs `status`.
pub async fn status(args: StatusArgs, console: Console) -> Ending {
    let vault = super::vault(&args.vault, &console).await?;
    let work = status::run(&vault, &args.mount, jiff::Timestamp::now());
    let report = patiently(&console, "reading the mount's keys", work).await?;
    match args.output {
        Output::Json => out(&text::json(&report)?)?,
        Output::Yaml => out(&text::yaml(&report)?)?,
        Output::Name => out(&render_status::names(&report))?,
        Output::Table => painted(&render_status::table(&report))?,
        Output::Wide => painted(&render_status::wide(&report))?,
    }
    // Beside a document, stderr stays empty as kubectl keeps it.
    if matches!(args.output, Output::Table | Output::Wide | Output::Name)
        && let Some(nothing) = render_status::nothing(&report)
    {
        console.say(&nothing);
    }
    if matches!(args.output, Output::Table | Output::Wide) {
        for note in render_status::notes(&report) {
            console.note(&note);
        }
    }
    Ok(0)
}
