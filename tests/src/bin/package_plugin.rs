//! `cargo package-plugin`: makes what Krew installs: the plugin's archives, their
//! checksums and the manifest.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use harness::artifacts::{self, ArtifactError};
use harness::tools::cross_build;
use harness::tools::krew::{self, PackageError, Platform};
use harness::workspace;

const USAGE: &str = "usage: cargo package-plugin [--all] [--program OS/ARCH=FILE]... [--tag TAG] [--uri URL] [FOLDER]

Makes kubectl-vaultjwt_OS_ARCH.tar.gz, checksums.txt and Krew's manifest vaultjwt.yaml
in FOLDER (target/krew). The same programs give the same bytes.

  --all                  for Linux on amd64 and arm64, static, built with zig; else
                         for this machine
  --program OS/ARCH=FILE pack this program in place of building one (repeatable)
  --tag TAG              the release (v and the version of the workspace)
  --uri URL              where the archives will be, for example http://127.0.0.1:8000;
                         else where the template says

Krew downloads over http and https alone. To try archives without a server:
  kubectl krew install --manifest=vaultjwt.yaml --archive=kubectl-vaultjwt_linux_amd64.tar.gz
";

#[derive(Default)]
struct Call {
    all: bool,
    programs: Vec<(Platform, PathBuf)>,
    tag: Option<String>,
    uri: Option<String>,
    folder: Option<PathBuf>,
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Call> {
    let mut call = Call::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--all" => call.all = true,
            "--program" => {
                let value = words.next()?;
                let (platform, file) = value.split_once('=')?;
                call.programs.push((Platform::named(platform)?, file.into()));
            }
            "--tag" => call.tag = Some(words.next()?).filter(|tag| tag.starts_with('v')),
            "--uri" => call.uri = Some(words.next()?),
            flag if flag.starts_with('-') => return None,
            folder if call.folder.is_none() => call.folder = Some(folder.into()),
            _ => return None,
        }
    }
    // Programs are given, or built.
    (call.programs.is_empty() || !call.all).then_some(call)
}

fn main() -> ExitCode {
    let Some(call) = parse(std::env::args().skip(1)) else {
        print!("{USAGE}");
        return ExitCode::from(2);
    };
    let folder = call.folder.clone().unwrap_or_else(|| workspace::target().join("krew"));
    let programs = match programs(&call) {
        Ok(programs) => programs,
        Err(error) => return failed(&error.to_string(), error.hint()),
    };
    match package(&call, &programs, &folder) {
        Ok(lines) => {
            print!("{lines}");
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error.to_string(), None),
    }
}

fn programs(call: &Call) -> Result<Vec<(Platform, PathBuf)>, ArtifactError> {
    if !call.programs.is_empty() {
        return Ok(call.programs.clone());
    }
    if call.all { cross_build::plugins() } else { Ok(vec![(Platform::HERE, artifacts::released_plugin()?)]) }
}

fn package(call: &Call, programs: &[(Platform, PathBuf)], folder: &Path) -> Result<String, PackageError> {
    let packed = krew::pack(programs, folder)?;
    let tag = call.tag.as_deref().unwrap_or(concat!("v", env!("CARGO_PKG_VERSION")));
    let path = krew::write_manifest(&packed, tag, call.uri.as_deref(), folder)?;
    let line = |one: &krew::Packed| format!("{}\t{}\t{} bytes\n", one.platform, one.path.display(), one.size);
    Ok(packed.iter().map(line).collect::<String>() + &format!("manifest\t{}\t{tag}\n", path.display()))
}

fn failed(error: &str, hint: Option<String>) -> ExitCode {
    eprintln!("error: {error}");
    if let Some(hint) = hint {
        eprintln!("hint: {hint}");
    }
    ExitCode::FAILURE
}
