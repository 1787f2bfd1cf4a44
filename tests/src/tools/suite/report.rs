//! The report at the end: how many tests ran, which failed, which were flaky, and which were slowest.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use super::libtest::Ended;
use super::test::{Again, MOST_FLAKY, Test};

/// How many of the slowest tests are told.
const SLOWEST: usize = 10;

/// What all tests came to.
#[derive(Debug, Default)]
pub struct Report {
    tests: Vec<Test>,
    /// Each binary that gave an account, with its ignored tests and its time.
    binaries: Vec<(String, usize, Duration)>,
    again: Vec<(Test, Again, Option<PathBuf>)>,
    broken: Vec<String>,
}

impl Report {
    pub(super) fn add(&mut self, binary: &str, ended: Ended) {
        self.tests.extend(ended.tests);
        self.binaries.push((binary.to_owned(), ended.ignored, ended.took));
    }

    pub(super) fn failed(&self) -> impl Iterator<Item = &Test> {
        self.tests.iter().filter(|test| test.failed.is_some())
    }

    pub(super) fn again(&mut self, test: Test, again: Again, log: Option<PathBuf>) {
        self.again.push((test, again, log));
    }

    /// A binary that gave no account of its tests.
    pub(super) fn broken(&mut self, error: String) {
        self.broken.push(error);
    }

    fn flaky(&self) -> usize {
        self.flaky_of(|_| true)
    }

    fn flaky_of(&self, which: impl Fn(&Test) -> bool) -> usize {
        self.again.iter().filter(|(test, again, _)| *again == Again::Passed && which(test)).count()
    }

    /// The line that libtest ends with when it does not speak JSON, for each binary:
    /// CI systems count tests by it. A flaky test has passed.
    fn libtest_lines(&self, text: &mut String) {
        for (binary, ignored, took) in &self.binaries {
            let all = self.tests.iter().filter(|test| test.binary == *binary).count();
            let failed = self.failed().filter(|test| test.binary == *binary).count();
            let failed = failed - self.flaky_of(|test| test.binary == *binary);
            let (result, passed) = (if failed == 0 { "ok" } else { "FAILED" }, all - failed);
            let _ = writeln!(
                text,
                "\ntests of {binary}\ntest result: {result}. {passed} passed; {failed} failed; {ignored} ignored; \
                 0 measured; 0 filtered out; finished in {:.2}s",
                took.as_secs_f64()
            );
        }
    }

    /// Whether every test ran and passed, the first or the second time.
    pub fn is_good(&self) -> bool {
        !self.tests.is_empty()
            && self.broken.is_empty()
            && self.failed().count() == self.flaky()
            && self.flaky() <= MOST_FLAKY
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        self.libtest_lines(&mut text);
        let mut slowest: Vec<&Test> = self.tests.iter().collect();
        slowest.sort_by_key(|test| std::cmp::Reverse(test.took));
        text.push_str("\nslowest tests, with what each waited for its turn:\n");
        for test in slowest.iter().take(SLOWEST) {
            let _ = writeln!(text, "{:>7.1} s  {} {}", test.took.as_secs_f64(), test.binary, test.name);
        }
        for (test, again, log) in &self.again {
            let (binary, name) = (&test.binary, &test.name);
            let _ = match (again, log) {
                (Again::Passed, Some(log)) => {
                    writeln!(text, "FLAKY {binary} {name}: passed alone; log of the failure: {}", log.display())
                }
                (Again::Passed, None) => writeln!(text, "FLAKY {binary} {name}: passed alone"),
                (Again::Failed, _) => writeln!(text, "FAILED {binary} {name}: failed alone too"),
                (Again::NotRun, _) => writeln!(text, "FAILED {binary} {name}: not run again"),
            };
        }
        for error in &self.broken {
            let _ = writeln!(text, "BROKEN {error}");
        }
        let failed = self.failed().count() - self.flaky();
        let passed = self.tests.len() - failed;
        // What a broken binary would have said is not known, and not passed over.
        let failed = failed + self.broken.len();
        let ignored: usize = self.binaries.iter().map(|(_, ignored, _)| ignored).sum();
        let _ = writeln!(text, "flaky: {}, at most {MOST_FLAKY}", self.flaky());
        // The last line is in a form that CI systems count tests by.
        let _ = writeln!(text, "tests: {passed} passed, {failed} failed, {ignored} skipped");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(name: &str, seconds: u64, failed: bool) -> Test {
        Test {
            binary: "tests/e2e".into(),
            name: name.into(),
            took: Duration::from_secs(seconds),
            failed: failed.then(|| "why".to_owned()),
        }
    }

    fn report(again: &[Again]) -> Report {
        let mut report = Report::default();
        let failed: Vec<Test> = (0..again.len()).map(|number| test(&format!("f{number}"), 1, true)).collect();
        let mut tests: Vec<Test> = (0..12).map(|number| test(&format!("t{number}"), number, false)).collect();
        tests.extend(failed.clone());
        let took = Duration::from_millis(12_340);
        report.add("tests/e2e", Ended { tests, ignored: 2, took });
        for (test, again) in failed.into_iter().zip(again) {
            report.again(test, *again, (*again == Again::Passed).then(|| "/t/f.log".into()));
        }
        report
    }

    #[test]
    fn three_flaky_tests_are_told_and_a_fourth_is_too_many() {
        assert!(report(&[]).is_good());
        assert!(report(&[Again::Passed; 3]).is_good());
        assert!(!report(&[Again::Passed; 4]).is_good());
        assert!(!report(&[Again::Passed, Again::Failed]).is_good());
        assert!(!report(&[Again::NotRun]).is_good());
        assert!(!Report::default().is_good(), "no test ran");
        let mut broken = report(&[]);
        broken.broken("tests/e2e ended without a result (signal: 6)".to_owned());
        assert!(!broken.is_good() && broken.text().contains("\nBROKEN tests/e2e ended without a result (signal: 6)\n"));
        assert!(broken.text().ends_with("\ntests: 12 passed, 1 failed, 2 skipped\n"), "{}", broken.text());
    }

    #[test]
    fn the_text_names_them() {
        let text = report(&[Again::Passed, Again::Failed, Again::NotRun]).text();
        let counted = "\ntests of tests/e2e\n\
            test result: FAILED. 13 passed; 2 failed; 2 ignored; 0 measured; 0 filtered out; finished in 12.34s\n";
        let green = report(&[Again::Passed]).text();
        assert!(green.contains("\ntest result: ok. 13 passed; 0 failed; 2 ignored; "), "{green}");
        let text = text.strip_prefix(counted).unwrap_or_else(|| panic!("{text}"));
        assert!(text.starts_with("\nslowest tests, with what each waited for its turn:\n   11.0 s  tests/e2e t11\n   10.0 s  tests/e2e t10\n"), "{text}");
        assert_eq!(text.matches(" s  tests/e2e ").count(), 10);
        let end = "FLAKY tests/e2e f0: passed alone; log of the failure: /t/f.log\n\
            FAILED tests/e2e f1: failed alone too\n\
            FAILED tests/e2e f2: not run again\n\
            flaky: 1, at most 3\n\
            tests: 13 passed, 2 failed, 2 skipped\n";
        assert!(text.ends_with(end), "{text}");
    }
}
