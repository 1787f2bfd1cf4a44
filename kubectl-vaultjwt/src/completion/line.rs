//! Reads an unfinished command line: which command it is, which flags are given, and what
//! the last word could become. Everything comes from clap's description of the command
//! line, so a new flag needs no change here.

use crate::completion::candidate::Candidate;
use clap::{Arg, ArgAction, Command};

/// What was typed, understood.
pub(super) struct Line<'a> {
    /// The command that was chosen.
    pub(super) command: &'a Command,
    /// Flags with their values, in order.
    pub(super) given: Vec<(&'a Arg, Option<String>)>,
    /// What the last word could become.
    pub(super) wanted: Expected<'a>,
    /// What is there of it: of a value only, where `--flag=` is in front.
    pub(super) typed: String,
}

/// What a word could become.
pub(super) enum Expected<'a> {
    Command,
    Flag,
    /// A value of this flag, or this positional argument.
    Value(&'a Arg),
    /// Nothing that is known.
    Nothing,
}

impl<'a> Line<'a> {
    /// Reads the words after the program's name; the last one is unfinished, and
    /// empty where nothing of it is there yet. `root` is built.
    pub(super) fn read(root: &'a Command, words: &[String]) -> Self {
        let (last, before) = match words.split_last() {
            Some((last, before)) => (last.as_str(), before),
            None => ("", words),
        };
        let mut line = Line { command: root, given: Vec::new(), wanted: Expected::Nothing, typed: last.to_owned() };
        let mut positionals = 0;
        let mut pending: Option<&Arg> = None;
        let mut only_positionals = false;
        for word in before {
            if let Some(arg) = pending.take()
                && (needs_value(arg) || !word.starts_with('-'))
            {
                if let Some((_, value)) = line.given.last_mut() {
                    *value = Some(word.clone());
                }
                continue;
            }
            if only_positionals || !word.starts_with('-') || word == "-" {
                match line.command.find_subcommand(word) {
                    Some(command) if !only_positionals => line.command = command,
                    _ => positionals += 1,
                }
            } else if word == "--" {
                only_positionals = true;
            } else {
                pending = line.take_flag(word);
            }
        }
        line.wanted = line.want(last, pending, only_positionals, positionals);
        line
    }

    fn want(
        &mut self,
        last: &str,
        pending: Option<&'a Arg>,
        only_positionals: bool,
        positionals: usize,
    ) -> Expected<'a> {
        if let Some(arg) = pending
            && (needs_value(arg) || !last.starts_with('-'))
        {
            // It is not given yet.
            self.given.pop();
            return Expected::Value(arg);
        }
        if !only_positionals && last.starts_with('-') {
            let Some((flag, value)) = last.split_once('=') else { return Expected::Flag };
            let arg = match flag.strip_prefix("--") {
                Some(long) => self.long(long),
                None => flag.chars().nth(1).filter(|_| flag.chars().count() == 2).and_then(|short| self.short(short)),
            };
            self.typed = value.to_owned();
            return arg.filter(|arg| takes_value(arg)).map_or(Expected::Nothing, Expected::Value);
        }
        match self.command.get_positionals().nth(positionals) {
            Some(arg) => Expected::Value(arg),
            None if positionals == 0 && !only_positionals && self.command.has_subcommands() => Expected::Command,
            None => Expected::Nothing,
        }
    }

    /// Takes a word that begins with a dash; returns the flag whose value the next
    /// word is, or may be.
    fn take_flag(&mut self, word: &str) -> Option<&'a Arg> {
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (long, None),
            };
            let arg = self.long(name)?;
            let open = value.is_none() && takes_value(arg) && !arg.is_require_equals_set();
            self.given.push((arg, value));
            return open.then_some(arg);
        }
        // -abc, where c may take a value: -ovalue, -o=value, -o value.
        let mut rest = word.strip_prefix('-')?.chars();
        while let Some(short) = rest.next() {
            let arg = self.short(short)?;
            if !takes_value(arg) {
                self.given.push((arg, None));
                continue;
            }
            let value = rest.as_str();
            if value.is_empty() {
                self.given.push((arg, None));
                return (!arg.is_require_equals_set()).then_some(arg);
            }
            self.given.push((arg, Some(value.strip_prefix('=').unwrap_or(value).to_owned())));
            return None;
        }
        None
    }

    fn long(&self, name: &str) -> Option<&'a Arg> {
        let is =
            |arg: &&Arg| arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|all| all.contains(&name));
        self.command.get_arguments().find(is)
    }

    fn short(&self, name: char) -> Option<&'a Arg> {
        self.command.get_arguments().find(|arg| arg.get_short() == Some(name))
    }

    /// The last value that was given to a flag.
    pub(super) fn value(&self, long: &str) -> Option<&str> {
        let of_flag = self.given.iter().filter(|(arg, _)| arg.get_long() == Some(long));
        of_flag.filter_map(|(_, value)| value.as_deref()).next_back()
    }

    pub(super) fn subcommands(&self) -> Vec<Candidate> {
        let shown = self.command.get_subcommands().filter(|command| !command.is_hide_set());
        shown.map(|command| Candidate::described(command.get_name(), command.get_about())).collect()
    }

    /// The flags, without those that can be given once and are. The short form is offered
    /// beside the long one only after a single dash.
    pub(super) fn flags(&self) -> Vec<Candidate> {
        let mut found = Vec::new();
        for arg in self.command.get_arguments().filter(|arg| !arg.is_positional() && !arg.is_hide_set()) {
            let repeatable = matches!(arg.get_action(), ArgAction::Append | ArgAction::Count);
            if !repeatable && self.given.iter().any(|(given, _)| given.get_id() == arg.get_id()) {
                continue;
            }
            if let Some(long) = arg.get_long() {
                found.push(Candidate::described(format!("--{long}"), arg.get_help()));
            }
            if let Some(short) = arg.get_short().filter(|_| self.typed == "-" || arg.get_long().is_none()) {
                found.push(Candidate::described(format!("-{short}"), arg.get_help()));
            }
        }
        found
    }
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// Whether the next word is its value whatever it looks like.
fn needs_value(arg: &Arg) -> bool {
    arg.get_num_args().is_none_or(|range| range.min_values() > 0)
}
