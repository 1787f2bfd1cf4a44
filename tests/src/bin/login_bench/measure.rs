//! Measures a program that runs until it exits.

use super::Failure;
use std::process::{Command, Stdio};
use std::time::Instant;
use wait4::Wait4 as _;

/// What a run took, its children included.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Seconds that passed.
    pub wall: f64,
    /// Seconds on a CPU.
    pub cpu: f64,
    /// The most memory of one process, in KiB; not less than that of this
    /// program, which starts it.
    pub memory: u64,
    pub requests: usize,
}

/// Runs a program to a good end.
pub fn run(command: &mut Command) -> Result<Cost, Failure> {
    let start = Instant::now();
    let used = command.spawn()?.wait4()?;
    let wall = start.elapsed().as_secs_f64();
    if !used.status.success() {
        return Err(format!("it ended with {}", used.status).into());
    }
    let cpu = (used.rusage.utime + used.rusage.stime).as_secs_f64();
    Ok(Cost { wall, cpu, memory: used.rusage.maxrss / 1_024, requests: 0 })
}

/// Instructions that callgrind counts.
pub fn valgrind(command: &mut Command) -> Result<u64, Failure> {
    let output = command.stderr(Stdio::piped()).output().map_err(|error| {
        format!("instructions are not counted, valgrind does not run: {error} (apt-get install valgrind)")
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    let counted = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    counted.filter(|_| output.status.success()).ok_or_else(|| format!("valgrind counted nothing:\n{said}").into())
}

pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
