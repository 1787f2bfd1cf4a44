//! Writes to stderr: steps as they happen, notes beside a result, questions, and the error
//! at the end. The words say the same without colors and signs (`terminal`).

use crate::command::{Confirm, Progress, Reply, Step};
use crate::error::Error;
use crate::render::terminal::signs;
use anstyle::{AnsiColor, Style};
use async_trait::async_trait;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use shared::text;
use std::io::{IsTerminal as _, Write as _};

const GOOD: Style = AnsiColor::Green.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

#[derive(Clone, Debug)]
pub struct Console {
    verbosity: u8,
    /// Drawn on a terminal only, and gone when it is full.
    bar: ProgressBar,
}

/// Something about a part of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    Error {
        /// What failed, and why.
        text: String,
        hint: Option<String>,
    },
    /// A fact that the user may want to change.
    Note(String),
}

impl Console {
    /// Steps at the level of `-v`.
    pub fn new(verbosity: u8) -> Self {
        // Hidden until it is used: else it would be drawn, empty, below each line.
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
            bar.set_style(style);
        }
        Self { verbosity, bar }
    }

    /// A line on stderr; a closed stderr is not an error.
    fn put(&self, line: &str) {
        self.bar.suspend(|| {
            let _ = writeln!(anstream::stderr(), "{}", signs(line));
        });
    }

    /// What became of a part of a run.
    pub fn trouble(&self, trouble: &Problem) {
        match trouble {
            Problem::Error { text, hint } => {
                self.put(&format!("{BAD}error:{BAD:#} {}", text::lines(text)));
                if let Some(hint) = hint {
                    self.put(&format!("hint: {}", text::lines(hint)));
                }
            }
            Problem::Note(text) => self.put(&format!("{WARN}-{WARN:#} {}", text::one_line(text))),
        }
    }

    /// A line of log at level 6 and above.
    pub fn request(&self, line: &str) {
        if self.verbosity >= 6 {
            self.put(&format!("  {}", text::one_line(line)));
        }
    }

    /// A line beside the result.
    pub fn say(&self, line: &str) {
        self.put(&text::one_line(line));
    }

    /// Something to know about the result.
    pub fn note(&self, line: &str) {
        self.put(&format!("{WARN}note:{WARN:#} {}", text::one_line(line)));
    }

    /// The end of a run that failed.
    pub fn error(&self, error: &Error) {
        self.trouble(&Problem::Error { text: error.to_string(), hint: error.hint() });
    }
}

impl Progress for Console {
    fn step(&self, step: Step) {
        match step {
            // Only a person is waiting; a log gets what was done.
            Step::Doing(words) if std::io::stderr().is_terminal() => self.put(&format!("… {}", text::one_line(&words))),
            Step::Doing(_) => {}
            Step::Done(words) => self.put(&format!("{GOOD}✓{GOOD:#} {}", text::one_line(&words))),
            Step::Skipped(words) => self.put(&format!("{WARN}-{WARN:#} {}", text::one_line(&words))),
            Step::Warning(words) => self.put(&format!("{WARN}warning:{WARN:#} {}", text::one_line(&words))),
            Step::Detail(words) if self.verbosity >= 1 => self.put(&format!("  {}", text::one_line(&words))),
            Step::Detail(_) => {}
        }
    }
    fn advance(&self, what: &str, done: usize, of: usize) {
        // One cluster needs no bar; a log gets the table at the end.
        if of < 2 {
            return;
        }
        if self.bar.is_hidden() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_length(of as u64);
        self.bar.set_message(what.to_owned());
        self.bar.set_position(done as u64);
        if done == of {
            self.bar.finish_and_clear();
            self.bar.set_draw_target(ProgressDrawTarget::hidden());
        }
    }
}

#[async_trait]
impl Confirm for Console {
    async fn confirm(&self, question: &str) -> Reply {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Reply::Nobody;
        }
        self.bar.suspend(|| {
            let _ = write!(anstream::stderr(), "{} [y/N] ", text::one_line(question));
        });
        // A thread of its own: Ctrl-C must not wait for a line that never comes.
        let (tell, told) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = std::io::stdin().read_line(&mut line);
            let _ = tell.send(if read.is_ok() { reply(&line) } else { Reply::No });
        });
        told.await.unwrap_or(Reply::No)
    }
}

/// What a typed line means: yes only where it says so.
fn reply(line: &str) -> Reply {
    match line.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Reply::Yes,
        _ => Reply::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for line in ["y\n", "Y\n", " yes \n", "YES"] {
            assert_eq!(reply(line), Reply::Yes, "{line:?}");
        }
        for line in ["", "\n", "n\n", "yeah\n", "ja\n", "y y\n"] {
            assert_eq!(reply(line), Reply::No, "{line:?}");
        }
    }
}
