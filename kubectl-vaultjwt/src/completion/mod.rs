//! Completes a command line when TAB is pressed: the hidden command `__complete`, in the
//! protocol of cobra (spf13/cobra `completions.go`), because kubectl speaks it: candidates,
//! one a line, each with an optional description after a tab; at the end a colon and a
//! number that says what the shell does with them.
//!
//! `line` reads what was typed, with clap's own description of the command line; `lookup`
//! asks for values; `candidate` decides what is offered; `scripts/` has what shells load. A
//! failure only means fewer candidates, and no message: the shell would take it for
//! a candidate.

mod candidate;
mod line;
mod lookup;

use crate::cli::completion::Shell;
use crate::cli::{Cli, help};
use crate::completion::candidate::{Candidate, Directive};
use crate::completion::line::{Expected, Line};
use clap::{Arg, CommandFactory as _};
use std::ffi::OsString;
use std::io::Write as _;

/// The command line after `__complete`, where that is what the program was called
/// for. Not clap's work: words that are wrong until they are finished must not be
/// errors.
pub fn asked(arguments: impl IntoIterator<Item = OsString>) -> Option<CompletionRequest> {
    let mut arguments = arguments.into_iter().skip(1);
    let with_descriptions = match arguments.next()?.to_str()? {
        "__complete" => true,
        "__completeNoDesc" => false,
        _ => return None,
    };
    let words = arguments.map(|word| word.to_string_lossy().into_owned()).collect();
    Some(CompletionRequest { words, with_descriptions })
}

#[derive(Debug, Clone)]
pub struct CompletionRequest {
    /// The words after the program's name, the last one unfinished.
    words: Vec<String>,
    with_descriptions: bool,
}

pub fn answer(request: &CompletionRequest) {
    let (candidates, directive) = complete(&request.words);
    let text = candidate::text(&candidates, request.with_descriptions, directive);
    // A shell that has gone away misses nothing.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

fn complete(words: &[String]) -> (Vec<Candidate>, Directive) {
    let mut root = Cli::command();
    root.build();
    let root = root.mut_subcommand("help", |command| command.about(help::HELP));
    let line = Line::read(&root, words);
    let (found, directive) = match &line.wanted {
        Expected::Nothing => (Vec::new(), Directive::Values),
        Expected::Command => (line.subcommands(), Directive::Values),
        Expected::Flag => (line.flags(), Directive::Values),
        Expected::Value(arg) => known(arg).unwrap_or_else(|| lookup::of(&line, arg)),
    };
    let mut offered: Vec<Candidate> = Vec::new();
    for candidate in found {
        if candidate.continues(&line.typed) && !offered.iter().any(|one| one.value == candidate.value) {
            offered.push(candidate);
        }
    }
    (offered, directive)
}

/// What is known without a request: the values of a list, and files. A list that is hidden
/// from clap's help is in the help's own words.
fn known(arg: &Arg) -> Option<(Vec<Candidate>, Directive)> {
    let listed = arg.get_possible_values();
    if !listed.is_empty() {
        let described = listed.iter().map(|value| Candidate::described(value.get_name(), value.get_help()));
        return Some((described.collect(), Directive::Values));
    }
    match arg.get_value_names()?.first()?.as_str() {
        "FILE" => Some((Vec::new(), Directive::Files)),
        "DIR" => Some((Vec::new(), Directive::Folders)),
        _ => None,
    }
}

/// The script for a shell, or the program that kubectl looks for.
pub fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Kubectl => include_str!("scripts/kubectl_complete-vaultjwt"),
        Shell::Bash => include_str!("scripts/completion.bash"),
        Shell::Zsh => include_str!("scripts/completion.zsh"),
        Shell::Fish => include_str!("scripts/completion.fish"),
        Shell::Powershell => include_str!("scripts/completion.ps1"),
    }
}

#[cfg(test)]
mod tests;
