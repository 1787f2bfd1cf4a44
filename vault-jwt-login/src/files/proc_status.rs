//! Reads a mask of this process from `/proc/self/status` (proc_pid_status(5)).

/// The mask in a field such as `SigIgn`; `None` where the kernel does not say.
pub fn mask(field: &str) -> Option<u64> {
    parse(&std::fs::read_to_string("/proc/self/status").unwrap_or_default(), field)
}

fn parse(status: &str, field: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_the_kernel() {
        let status = |mask: &str| format!("SigBlk:\t0000000000000000\nSigIgn:\t{mask}\nSigCgt:\t0000000000000000\n");
        let ignored = |status: &str| parse(status, "SigIgn");
        // nohup (HUP) in a shell's background (INT, QUIT), beside the PIPE of Rust.
        assert_eq!(ignored(&status("0000000000001007")), Some(0x1007));
        assert_eq!(ignored(&status("0000000000000000")), Some(0));
        assert_eq!(ignored(&status("no number")), None);
        assert_eq!(ignored(""), None);
    }
}
