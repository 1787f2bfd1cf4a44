//! Prints the table.

use super::contenders::{Contender, OURS, Row};
use super::measure::median;

/// Prints a line for each contender, with its costs as times of ours. `memory`
/// is ours, in KiB, as the program itself had it.
pub fn print(rows: &[Row], contenders: &[Contender], memory: u64) {
    let of = |row: &Row| {
        let costs = &row.1;
        let memory = if row.0 == OURS { memory as f64 } else { median(costs.iter().map(|cost| cost.memory as f64)) };
        (median(costs.iter().map(|cost| cost.wall)), median(costs.iter().map(|cost| cost.cpu)), memory)
    };
    let Some(ours) = rows.iter().find(|row| row.0 == OURS).map(of) else { return };
    println!(
        "{:16} {:>8} {:>6} {:>8} {:>6} {:>8} {:>6} {:>9} {:>12}",
        "", "wall ms", "times", "CPU ms", "times", "RSS KiB", "times", "requests", "bytes"
    );
    for row in rows {
        let (wall, cpu, memory) = of(row);
        let requests = row.1.iter().map(|cost| cost.requests).max().unwrap_or_default();
        let programs = contenders.iter().filter(|contender| contender.name == row.0).flat_map(|one| &one.programs);
        let bytes: u64 = programs.filter_map(|program| program.metadata().ok()).map(|data| data.len()).sum();
        println!(
            "{:16} {:>8.1} {:>6.1} {:>8.1} {:>6.1} {:>8} {:>6.1} {:>9} {:>12}",
            row.0,
            wall * 1_000.0,
            wall / ours.0,
            cpu * 1_000.0,
            cpu / ours.1,
            memory,
            memory / ours.2,
            requests,
            bytes
        );
    }
}
