//! Reads libFuzzer's log: how many inputs were run, and what was found.

use std::path::PathBuf;

/// What a run without a finding did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    /// Inputs that were run.
    pub executions: u64,
    /// The same in a second.
    pub per_second: u64,
    /// Edges of the control flow that were taken.
    pub edges: u64,
    /// Inputs in the corpus, each with something the others do not have.
    pub corpus: u64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { executions, per_second, edges, corpus } = self;
        write!(f, "{executions} executions, {per_second} a second, {edges} edges, {corpus} inputs in the corpus")
    }
}

impl Figures {
    /// From the log of a run that came to its end.
    pub fn read(log: &str) -> Option<Self> {
        let number = |text: &str| text.trim().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
        let stat = |name: &str| log.lines().rev().find_map(|line| number(line.strip_prefix(name)?));
        // #81207 DONE   cov: 912 ft: 3361 corp: 441/40Kb lim: 4096 exec/s: 2619 rss: 95Mb
        let done = log.lines().rev().find(|line| line.starts_with('#') && line.contains("DONE"))?;
        let after = |name: &str| number(&done[done.find(name)? + name.len()..]);
        Some(Self {
            executions: stat("stat::number_of_executed_units:")?,
            per_second: stat("stat::average_exec_per_sec:")?,
            edges: after(" cov: ")?,
            corpus: after(" corp: ")?,
        })
    }
}

/// Where libFuzzer put the input it stopped at.
pub(super) fn written(log: &str) -> Option<PathBuf> {
    log.lines().rev().find_map(|line| line.split_once("Test unit written to ")).map(|(_, path)| path.trim().into())
}

/// What was wrong: the panic's message, else libFuzzer's own words.
pub(super) fn said(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    if let Some(at) = lines.iter().position(|line| line.contains(" panicked at ")) {
        let place = lines[at].split_once(" panicked at ").map_or("", |(_, place)| place.trim_end_matches(':'));
        let ends = ["note: ", "stack backtrace:", "=="];
        let is_word = |line: &&&str| !ends.iter().any(|end| line.starts_with(end));
        let words: Vec<&str> = lines[at + 1..].iter().take_while(is_word).copied().collect();
        return format!("{} ({place})", words.join("\n").trim_end());
    }
    let own = lines.iter().find_map(|line| line.split_once("ERROR: libFuzzer: ")).map(|(_, words)| words);
    own.unwrap_or("no reason given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_run() {
        let log = "#2\tINITED cov: 1 ft: 1 corp: 1/1b exec/s: 0 rss: 40Mb\n\
                   #81207\tDONE   cov: 912 ft: 3361 corp: 441/40Kb lim: 4096 exec/s: 2619 rss: 95Mb\n\
                   Done 81207 runs in 31 second(s)\n\
                   stat::number_of_executed_units: 81207\nstat::average_exec_per_sec:     2619\n";
        let figures = Figures::read(log).unwrap();
        assert_eq!(figures, Figures { executions: 81_207, per_second: 2_619, edges: 912, corpus: 441 });
        assert_eq!(figures.to_string(), "81207 executions, 2619 a second, 912 edges, 441 inputs in the corpus");
        assert_eq!(Figures::read("#2\tINITED cov: 1 ft: 1 corp: 1/1b\n"), None);
    }

    #[test]
    fn a_panic_is_what_is_said() {
        let log = "thread '<unnamed>' (7) panicked at targets/jwt.rs:5:9:\nassertion failed\n  left: 1\n\
                   note: run with `RUST_BACKTRACE=1`\n==7== ERROR: libFuzzer: deadly signal\n\
                   artifact_prefix='/t/'; Test unit written to /t/crash-1\n";
        assert_eq!(said(log), "assertion failed\n  left: 1 (targets/jwt.rs:5:9)");
        assert_eq!(written(log), Some("/t/crash-1".into()));
    }

    #[test]
    fn without_a_panic_libfuzzer_says_it() {
        let log = "==7== ERROR: libFuzzer: timeout after 5 seconds\nTest unit written to /t/timeout-1\n";
        assert_eq!(said(log), "timeout after 5 seconds");
        assert_eq!(said("killed"), "no reason given");
        assert_eq!(written("killed"), None);
    }
}
