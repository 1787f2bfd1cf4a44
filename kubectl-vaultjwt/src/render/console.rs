//! Owns stderr: steps as they happen, and the error at the end. Colours only
//! where the stream is a terminal that shows them and NO_COLOR is not set
//! (anstream decides), and the words say the same without them.

use crate::command::{Progress, Step};
use crate::error::Error;
use anstyle::{AnsiColor, Style};
use shared::text;
use std::io::{IsTerminal as _, Write as _};

const GOOD: Style = AnsiColor::Green.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Steps on stderr.
#[derive(Clone, Debug)]
pub struct Console {
    /// `-v`
    pub verbosity: u8,
}

impl Console {
    /// A line of log at level 6 and above.
    pub fn request(&self, line: &str) {
        if self.verbosity >= 6 {
            put(&format!("  {}", text::one_line(line)));
        }
    }

    /// The end of a run that failed.
    pub fn error(&self, error: &Error) {
        put(&format!("{BAD}error:{BAD:#} {}", text::lines(&error.to_string())));
        if let Some(hint) = error.hint() {
            put(&format!("hint: {}", text::lines(&hint)));
        }
    }
}

/// A line on stderr; a closed stderr is nobody's error.
fn put(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

impl Progress for Console {
    fn step(&self, step: Step) {
        match step {
            // Only a person is waiting; a log gets what was done.
            Step::Doing(words) if std::io::stderr().is_terminal() => put(&format!("… {}", text::one_line(&words))),
            Step::Doing(_) => {}
            Step::Done(words) => put(&format!("{GOOD}✓{GOOD:#} {}", text::one_line(&words))),
            Step::Skipped(words) => put(&format!("{WARN}-{WARN:#} {}", text::one_line(&words))),
            Step::Warning(words) => put(&format!("{WARN}warning:{WARN:#} {}", text::one_line(&words))),
            Step::Detail(words) if self.verbosity >= 1 => put(&format!("  {}", text::one_line(&words))),
            Step::Detail(_) => {}
        }
    }
}
