//! Memory and CPU time of a process, as Linux counts them (proc(5)).

use std::fs;
use std::path::Path;

/// Resident memory now and at most, in KiB, and seconds on a CPU.
pub fn costs(pid: u32) -> (u64, u64, f64) {
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let status = read("status");
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    // Fields 14 and 15 of proc(5), counted after the name in brackets.
    let stat = read("stat");
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
    (kib("VmRSS:"), kib("VmHWM:"), (ticks(11) + ticks(12)) / 100.0)
}

/// The process of this program that has a file below `folder` in its arguments.
pub fn pid_of(program: &str, folder: &Path) -> Option<u32> {
    let folder = folder.to_str()?;
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let arguments = fs::read(entry.path().join("cmdline")).ok()?;
        let mut words = arguments.split(|byte| *byte == 0);
        let first = words.next()?;
        let runs = Path::new(std::str::from_utf8(first).ok()?).file_name()? == program;
        let names = words.any(|word| String::from_utf8_lossy(word).contains(folder));
        if runs && names { entry.file_name().to_str()?.parse().ok() } else { None }
    })
}
