//! `cargo suite`: all tests as CI runs them. The programs under test are built
//! first, a test that failed is run once more alone, the slowest ones are told.

use std::process::ExitCode;

use harness::suite;

fn main() -> ExitCode {
    if std::env::args().len() > 1 {
        println!("usage: cargo suite\n\nRuns all tests as CI does. For some of them: cargo test NAME");
        return ExitCode::from(2);
    }
    match suite::run() {
        Ok(report) => {
            print!("{}", report.text());
            if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
