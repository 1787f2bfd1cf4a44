//! What a chain costs, as tables: `cargo bench --bench chain` (all of it, about
//! ten minutes), or with the names of parts: `plan`, `login`, `sync`, `manual`.
//!
//! Both sides of a comparison run in one go, on the same servers. Absolute
//! times mean little on a shared machine; ratios and requests do. The plugin is
//! built for release, unless `VAULTJWT_BENCH_PLUGIN` names one.

mod fixture;
mod login;
mod manual;
mod plan;
mod sync;

use std::env;

pub type Failure = Box<dyn std::error::Error>;

/// A part: its name, and what prints its table.
type Part = (&'static str, fn() -> Result<(), Failure>);

fn main() -> Result<(), Failure> {
    let parts: [Part; 4] = [("plan", plan::run), ("login", login::run), ("sync", sync::run), ("manual", manual::run)];
    // cargo passes --bench.
    let asked: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    for (name, part) in parts {
        if asked.is_empty() || asked.iter().any(|word| word == name) {
            part()?;
        }
    }
    Ok(())
}
