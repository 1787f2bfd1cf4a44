//! `cargo compare-recordings BEFORE AFTER`: compares two recordings of the tests, each made
//! with `VAULTJWT_TEST_RECORDING=FOLDER cargo suite`. With `--show TEST`, prints one
//! test's recordings as they are compared, to `diff` them.

use std::path::Path;
use std::process::ExitCode;

use harness::tools::compare_recordings::{compare, normalized};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--show", file] => match normalized(Path::new(file)) {
            Ok(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => fail(&format!("{file}: {error}")),
        },
        [before, after] => match compare(Path::new(before), Path::new(after)) {
            Ok(found) => {
                for (test, kinds) in &found.different {
                    println!("different: {test}: {}", kinds.iter().cloned().collect::<Vec<_>>().join(", "));
                }
                found.reordered.iter().for_each(|test| println!("other order: {test}"));
                found.alone.iter().for_each(|test| println!("in one only: {test}"));
                println!(
                    "{} the same, {} in another order, {} different, {} in one only",
                    found.same.len(),
                    found.reordered.len(),
                    found.different.len(),
                    found.alone.len()
                );
                if found.different.is_empty() && found.alone.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
            }
            Err(error) => fail(&format!("{before}, {after}: {error}")),
        },
        _ => fail("usage: compare_recordings BEFORE AFTER | --show FILE"),
    }
}

fn fail(text: &str) -> ExitCode {
    eprintln!("error: {text}");
    ExitCode::FAILURE
}
