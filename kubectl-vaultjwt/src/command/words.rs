//! Numbers, names, and lists in sentences.

use shared::text::one_line;
use std::fmt::Display;

/// A number with its noun.
pub fn counted(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// `noun a` or `nouns a, b`.
pub fn named(noun: &str, names: &[String]) -> String {
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("{noun}{plural} {}", names.join(", "))
}

/// `a, b, c`
pub fn listed(items: impl IntoIterator<Item = impl Display>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// A name that somebody else gave, in quotes and on one line.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", one_line(name))
}
