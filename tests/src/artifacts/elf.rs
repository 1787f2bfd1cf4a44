//! Reads ELF headers: whether a program is static (it names no loader), and for which machine it is.

use std::path::Path;

/// Program header type of the loader's path (System V ABI, PT_INTERP).
const PT_INTERP: u32 = 3;

/// Is there no loader in the program's headers? The error says what is there.
pub(crate) fn check_static(path: &Path) -> Result<(), String> {
    let file = std::fs::read(path).map_err(|error| error.to_string())?;
    let types = header_types(&file).ok_or("it is no 64-bit little-endian ELF file")?;
    if types.contains(&PT_INTERP) { Err("it asks for a loader (PT_INTERP)".to_owned()) } else { Ok(()) }
}

/// Is the program for this machine, as Go names it? e_machine is at 18.
pub(crate) fn check_machine(path: &Path, architecture: &str) -> Result<(), String> {
    let file = std::fs::read(path).map_err(|error| error.to_string())?;
    let machine = file.get(18..20).and_then(|bytes| Some(u16::from_le_bytes(bytes.try_into().ok()?)));
    match (machine, architecture) {
        (Some(62), "amd64") | (Some(183), "arm64") => Ok(()),
        (machine, _) => Err(format!("is not for {architecture}, but for machine {machine:?}")),
    }
}

/// The types of all program headers: e_phoff at 32, e_phentsize at 54,
/// e_phnum at 56 (ELF-64 object file format).
fn header_types(file: &[u8]) -> Option<Vec<u32>> {
    // Magic, 64 bits, little endian.
    file.strip_prefix(b"\x7fELF\x02\x01")?;
    let short = |at: usize| Some(u16::from_le_bytes(file.get(at..at + 2)?.try_into().ok()?));
    let start = usize::try_from(u64::from_le_bytes(file.get(32..40)?.try_into().ok()?)).ok()?;
    let (size, count) = (usize::from(short(54)?), usize::from(short(56)?));
    let entry = |index: usize| {
        let at = start.checked_add(index * size)?;
        Some(u32::from_le_bytes(file.get(at..at.checked_add(4)?)?.try_into().ok()?))
    };
    (0..count).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_program_asks_for_a_loader() {
        let dynamic = check_static(&std::env::current_exe().unwrap());
        assert_eq!(dynamic, Err("it asks for a loader (PT_INTERP)".to_owned()));
    }

    #[test]
    fn headers_are_read_where_the_file_says() {
        let mut file = vec![0; 64];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[32] = 64;
        file[54] = 56;
        file[56] = 2;
        let mut header = vec![0; 112];
        header[0] = 1;
        header[56] = 2;
        file.extend(header);
        assert_eq!(header_types(&file), Some(vec![1, 2]));
        assert_eq!(header_types(&file[..100]), None);
        assert_eq!(header_types(b"#!/bin/sh\n"), None);
    }

    #[test]
    fn the_machine_is_in_the_header() {
        let own = std::env::current_exe().unwrap();
        let other = if crate::artifacts::architecture() == "amd64" { "arm64" } else { "amd64" };
        assert_eq!(check_machine(&own, crate::artifacts::architecture()), Ok(()));
        let error = check_machine(&own, other).unwrap_err();
        assert!(error.starts_with(&format!("is not for {other}, but for machine Some(")), "{error}");
    }
}
