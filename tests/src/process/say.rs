//! Prints progress while something takes long.

use std::io::Write;

/// One line on the real standard error, also from inside a test: `eprintln!`
/// would be held back by the test runner until the test has failed.
pub fn say(line: &str) {
    let mut stderr = std::io::stderr().lock();
    // Nobody reads it: then there is nobody to tell.
    let _ = writeln!(stderr, "{line}");
}
