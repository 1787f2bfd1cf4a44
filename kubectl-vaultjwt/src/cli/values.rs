//! Values that the flags of several commands share.

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error, ValueEnum};
use std::ffi::OsStr;

/// Takes the names of `T`, and of any other word what the function makes of it. Help and
/// errors list the names in their own words, so they are hidden from clap's; completion
/// offers them.
#[derive(Clone)]
pub(super) struct OneOf<T>(pub(super) fn(&str) -> Result<T, String>);

impl<T: ValueEnum + Send + Sync + 'static> TypedValueParser for OneOf<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, typed: &OsStr) -> Result<T, Error> {
        let otherwise = self.0;
        let parse = move |typed: &str| T::from_str(typed, false).or_else(|_| otherwise(typed));
        parse.parse_ref(command, arg, typed)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let named = T::value_variants().iter().filter_map(T::to_possible_value);
        Some(Box::new(named.map(|value| value.hide(true))))
    }
}

/// For `-o` and `--log-format`.
pub(super) fn no_format<T: ValueEnum>(_: &str) -> Result<T, String> {
    let named = T::value_variants().iter().filter_map(T::to_possible_value);
    let names: Vec<String> = named.map(|value| value.get_name().to_owned()).collect();
    Err(format!("allowed formats are: {}", names.join(", ")))
}

/// A document that programs read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Json,
    Yaml,
}

/// kubectl's `--dry-run`, as far as it can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DryRun {
    None,
    Client,
}

pub(super) fn no_dry_run(typed: &str) -> Result<DryRun, String> {
    Err(match typed {
        "server" => "Vault has no server-side dry run: use \"client\"".to_owned(),
        _ => "must be \"none\" or \"client\"".to_owned(),
    })
}

/// The text, if it is fit to be a value, else why not.
pub(super) fn text_if(fit: bool, typed: &str, why: &str) -> Result<String, String> {
    if fit { Ok(typed.to_owned()) } else { Err(why.to_owned()) }
}
