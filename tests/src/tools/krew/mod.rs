//! Makes what Krew installs: the plugin's archives, one for each machine, their checksums, and
//! the manifest that names them. The same programs give the same bytes.
//!
//! `krew/vaultjwt.yaml` is the template, as krew-release-bot takes it.

mod template;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::image::layer::{Entry, gzip, tar};
use crate::image::sha256;
use crate::workspace;

/// Every machine the manifest is for, as Go names them.
pub const PLATFORMS: [Platform; 5] = [
    Platform { os: "linux", arch: "amd64" },
    Platform { os: "linux", arch: "arm64" },
    Platform { os: "darwin", arch: "amd64" },
    Platform { os: "darwin", arch: "arm64" },
    Platform { os: "windows", arch: "amd64" },
];

/// The file with the sums of the archives.
pub const CHECKSUMS: &str = "checksums.txt";

/// The manifest, by the name that Krew wants of it.
pub const MANIFEST: &str = "vaultjwt.yaml";

/// What hands kubectl's completion over to the plugin.
const SHIM: &str = "kubectl_complete-vaultjwt";

/// An operating system on a processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Platform {
    /// `linux`, `darwin`, `windows`.
    pub os: &'static str,
    /// `amd64`, `arm64`.
    pub arch: &'static str,
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.arch)
    }
}

impl Platform {
    pub const HERE: Self = Self { os: here(std::env::consts::OS), arch: here(std::env::consts::ARCH) };

    /// The one of that name, as in `linux/amd64`.
    pub fn named(name: &str) -> Option<Self> {
        PLATFORMS.into_iter().find(|platform| platform.to_string() == name)
    }

    /// The plugin's file name.
    pub fn program(self) -> &'static str {
        if self.os == "windows" { "kubectl-vaultjwt.exe" } else { "kubectl-vaultjwt" }
    }

    /// The archive's file name.
    pub fn archive(self) -> String {
        format!("kubectl-vaultjwt_{}_{}.tar.gz", self.os, self.arch)
    }
}

/// Go's name for what Rust calls otherwise.
const fn here(name: &'static str) -> &'static str {
    match name.as_bytes() {
        b"x86_64" => "amd64",
        b"aarch64" => "arm64",
        b"macos" => "darwin",
        _ => name,
    }
}

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A file cannot be read or written.
    #[error("\"{}\": {}", .path.display(), shared::text::os_cause(.cause))]
    File { path: PathBuf, cause: io::Error },
    /// The template has something that this program cannot fill in.
    #[error("\"{}\", line {line}: {cause}", .path.display())]
    Template {
        path: PathBuf,
        /// Counted from one.
        line: usize,
        cause: String,
    },
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> PackageError + use<> {
    let path = path.to_path_buf();
    |cause| PackageError::File { path, cause }
}

/// The archive of one machine: flat, because Krew's defaults then do, with the
/// licence under the one name that Krew's index looks for. Windows cannot run
/// the shim.
///
/// # Errors
/// A file of the workspace, or the program, cannot be read.
pub fn archive(platform: Platform, program: &Path) -> Result<Vec<u8>, PackageError> {
    let read = |path: &Path| fs::read(path).map_err(file(path));
    let mut entries = vec![
        Entry::program(platform.program(), read(program)?),
        Entry::data("LICENSE", read(&workspace::root().join("LICENSE"))?),
    ];
    if platform.os != "windows" {
        let shim = workspace::root().join("kubectl-vaultjwt/src/completion/scripts").join(SHIM);
        entries.push(Entry::program(SHIM, read(&shim)?));
    }
    tar(&entries).and_then(|tar| gzip(&tar)).map_err(file(Path::new(&platform.archive())))
}

#[derive(Debug)]
pub struct Packed {
    pub platform: Platform,
    pub path: PathBuf,
    pub sha256: String,
    /// Its size in bytes.
    pub size: usize,
}

/// Writes the archives of these programs, and `checksums.txt`, into a folder.
///
/// # Errors
/// A file cannot be read or written.
pub fn pack(programs: &[(Platform, PathBuf)], folder: &Path) -> Result<Vec<Packed>, PackageError> {
    fs::create_dir_all(folder).map_err(file(folder))?;
    let mut packed = Vec::new();
    for (platform, program) in programs {
        let bytes = archive(*platform, program)?;
        let path = folder.join(platform.archive());
        fs::write(&path, &bytes).map_err(file(&path))?;
        packed.push(Packed { platform: *platform, path, sha256: sha256(&bytes), size: bytes.len() });
    }
    let mut lines: Vec<_> =
        packed.iter().map(|packed| format!("{}  {}\n", packed.sha256, packed.platform.archive())).collect();
    // By name, as `sha256sum *` has them.
    lines.sort_by(|a, b| a[64..].cmp(&b[64..]));
    let sums = folder.join(CHECKSUMS);
    fs::write(&sums, lines.concat()).map_err(file(&sums))?;
    Ok(packed)
}

/// The manifest of the machines that were packed, as krew-release-bot would
/// render it. With `base`, archives are looked for below that address in place of
/// the template's.
///
/// # Errors
/// The template cannot be read, or has something unknown.
pub fn manifest(packed: &[Packed], tag: &str, base: Option<&str>) -> Result<String, PackageError> {
    let path = workspace::root().join("krew").join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(file(&path))?;
    let sum = |name: &str| packed.iter().find(|one| one.platform.archive() == name).map(|one| one.sha256.clone());
    template::render(&text, tag, base, sum).map_err(|(line, cause)| PackageError::Template { path, line, cause })
}

/// Writes the manifest into a folder, and returns its path.
///
/// # Errors
/// As [`manifest`], or it cannot be written.
pub fn write_manifest(
    packed: &[Packed],
    tag: &str,
    base: Option<&str>,
    folder: &Path,
) -> Result<PathBuf, PackageError> {
    let path = folder.join(MANIFEST);
    fs::write(&path, manifest(packed, tag, base)?).map_err(file(&path))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_for_exactly_the_platforms() {
        let packed: Vec<_> = PLATFORMS
            .into_iter()
            .map(|platform| Packed { platform, path: PathBuf::new(), sha256: "0".repeat(64), size: 0 })
            .collect();
        let manifest = manifest(&packed, "v1.2.3", None).unwrap();
        for platform in PLATFORMS {
            let entry = format!("        os: {}\n        arch: {}\n    uri: ", platform.os, platform.arch);
            let uri = format!("/releases/download/v1.2.3/{}\n    sha256: {}\n", platform.archive(), "0".repeat(64));
            let at = manifest.find(&entry).unwrap();
            let (address, rest) = manifest[at + entry.len()..].split_once('\n').unwrap();
            assert!(format!("{address}\n{rest}").contains(&uri), "{manifest}");
            assert!(rest.lines().nth(1).unwrap() == format!("    bin: {}", platform.program()), "{rest}");
        }
        assert_eq!(manifest.matches("- selector:").count(), PLATFORMS.len());
        assert!(manifest.contains("\n  version: v1.2.3\n"), "{manifest}");
    }

    /// Krew cuts a longer one off; 80 columns is what its index asks for.
    #[test]
    fn the_texts_fit() {
        let text = fs::read_to_string(workspace::root().join("krew").join(MANIFEST)).unwrap();
        let short = text.lines().find_map(|line| line.trim().strip_prefix("shortDescription: ")).unwrap();
        assert!(short.len() <= 50, "{short}");
        let prose =
            text.lines().skip_while(|line| line.trim() != "description: |").take_while(|l| l.trim() != "platforms:");
        assert!(prose.clone().count() > 5);
        for line in prose {
            assert!(line.len() <= 84, "{line}");
        }
        // A comment in a template would be published with it.
        assert!(!text.contains('#'));
    }
}
