//! Installs peers that are Python packages: pip installs them with all dependencies that their
//! requirements file pins, and a small program that calls their `main`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::error::PeerError;
use super::pins::{Pin, Source};
use super::run::answer;
use super::wheel;
use crate::workspace;

/// The packages of a peer, with versions and hashes.
pub(super) fn requirements(pin: &Pin) -> PathBuf {
    workspace::root().join("tests/peers").join(pin.name).join("requirements.txt")
}

/// Installs the packages as `folder/lib`, and `folder/BINARY` that runs them.
pub(super) fn install(cache: &Cache, pin: &Pin, folder: &Path) -> Result<(), PeerError> {
    let Source::Python { module, .. } = &pin.source else { return Ok(()) };
    let what = format!("installing {} {}", pin.name, pin.version);
    let log = cache.log(pin.name, pin.version)?;
    wheel::pip(what.clone(), pin.takes, &requirements(pin), &folder.join("lib"), log)?;
    // Some of the packages fit no other Python than the one pip ran in.
    let python = answer("python3", &["-c", "import sys; print(sys.executable)"], &[]);
    let missing = || PeerError::Missing { what, tool: "python3", install: "apt-get install python3 python3-pip" };
    let python = python.ok_or_else(missing)?;
    let path = folder.join(pin.binary);
    fs::write(&path, program(&python, module)).map_err(PeerError::file("write", &path))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(PeerError::file("make executable", &path))
}

/// A program that finds its packages beside itself, wherever that is and
/// whatever packages the user has.
fn program(python: &str, module: &str) -> String {
    format!(
        "#!{python}
import os, sys
sys.path[0] = os.path.join(os.path.dirname(os.path.realpath(__file__)), \"lib\")
from {module} import main
sys.exit(main())
"
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_program_finds_its_packages_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("cache");
        fs::create_dir_all(place.join("lib/some")).unwrap();
        fs::write(place.join("lib/some/tool.py"), "import sys\ndef main():\n    print(sys.argv[1])\n    return 3\n")
            .unwrap();
        fs::write(place.join("tool"), program("/usr/bin/env python3", "some.tool")).unwrap();
        fs::set_permissions(place.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(place.join("tool"), &link).unwrap();
        let output = Command::new(link).arg("said").output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(3), &b"said\n"[..]));
    }
}
