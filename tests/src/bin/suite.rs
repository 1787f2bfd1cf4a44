//! `cargo suite`: runs all tests as CI does. It builds the programs under test first, reruns a
//! failed test once, alone, and lists the slowest tests.

use std::process::ExitCode;

use harness::tools::suite;

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
