//! Writes tar archives whose bytes depend only on their entries: sorted, owned by root,
//! with time zero, each folder before its content.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// One file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    path: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    File { mode: u32, content: Vec<u8> },
    Link { target: String },
}

impl Entry {
    /// A program; the path is without a slash in front.
    pub fn program(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), kind: Kind::File { mode: 0o755, content: content.into() } }
    }

    /// A file that everybody may read.
    pub fn data(path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), kind: Kind::File { mode: 0o644, content: content.into() } }
    }

    pub fn link(path: impl Into<String>, target: impl Into<String>) -> Self {
        Self { path: path.into(), kind: Kind::Link { target: target.into() } }
    }
}

/// The archive of these entries.
pub(crate) fn tar(entries: &[Entry]) -> io::Result<Vec<u8>> {
    let mut sorted: BTreeMap<String, Option<&Kind>> = BTreeMap::new();
    for entry in entries {
        let folders = entry.path.match_indices('/').map(|(at, _)| format!("{}/", &entry.path[..at]));
        sorted.extend(folders.map(|folder| (folder, None)));
        sorted.insert(entry.path.clone(), Some(&entry.kind));
    }
    let mut archive = Builder::new(Vec::new());
    for (path, kind) in sorted {
        let mut header = Header::new_ustar();
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_mode(match kind {
            Some(Kind::File { mode, .. }) => *mode,
            Some(Kind::Link { .. }) => 0o777,
            None => 0o755,
        });
        match kind {
            Some(Kind::File { content, .. }) => {
                header.set_entry_type(EntryType::Regular);
                header.set_size(content.len() as u64);
                archive.append_data(&mut header, path, content.as_slice())?;
            }
            Some(Kind::Link { target }) => {
                header.set_entry_type(EntryType::Symlink);
                header.set_size(0);
                archive.append_link(&mut header, path, target)?;
            }
            None => {
                header.set_entry_type(EntryType::Directory);
                header.set_size(0);
                archive.append_data(&mut header, path, io::empty())?;
            }
        }
    }
    archive.into_inner()
}

/// Packed as small as it gets; no time and no name in the header.
pub(crate) fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut packed = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    packed.write_all(bytes)?;
    packed.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_first_and_modes_are_fixed() {
        let entries = [Entry::link("bin/sh", "busybox"), Entry::program("a", "x"), Entry::data("bin/busybox", "y")];
        let bytes = tar(&entries).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let seen: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                (entry.path().unwrap().display().to_string(), header.mode().unwrap(), header.entry_type())
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("a".to_owned(), 0o755, EntryType::Regular),
                ("bin/".to_owned(), 0o755, EntryType::Directory),
                ("bin/busybox".to_owned(), 0o644, EntryType::Regular),
                ("bin/sh".to_owned(), 0o777, EntryType::Symlink),
            ]
        );
    }

    #[test]
    fn no_time_of_day_gets_into_gzip() {
        let packed = gzip(b"x").unwrap();
        // RFC 1952: magic, method, flags, four bytes of time, flags of the method, system.
        assert_eq!(packed[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255]);
    }
}
