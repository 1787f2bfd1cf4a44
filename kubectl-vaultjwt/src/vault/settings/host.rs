//! Where Vault's settings come from outside the program: environment, files, token helper.

use crate::vault::settings::token_helper::{self, HelperError};
use std::io;
use std::path::{Path, PathBuf};

/// What lies outside the program, as far as settings come from there.
pub trait HostEnvironment {
    fn var(&self, name: &str) -> Option<String>;
    fn home(&self) -> Option<PathBuf>;
    fn read(&self, file: &Path) -> io::Result<Vec<u8>>;
    /// Every file under a directory, however deep, in a stable order. Links
    /// to directories are passed over: volumes of ConfigMaps have one
    /// (`..data`), and its files are also found without it.
    fn files(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;
    /// What a token helper writes when it is asked for the token of the Vault
    /// at `address`.
    fn token_helper(&self, helper: &Path, address: &str) -> Result<Vec<u8>, HelperError>;
}

#[derive(Clone, Copy, Debug)]
pub struct RealHost;

impl HostEnvironment for RealHost {
    fn var(&self, name: &str) -> Option<String> {
        // What is not Unicode stays visible as wrong instead of counting as unset.
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    fn home(&self) -> Option<PathBuf> {
        std::env::home_dir().filter(|home| !home.as_os_str().is_empty())
    }

    fn read(&self, file: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(file)
    }

    fn files(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        let mut open = vec![directory.to_owned()];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    open.push(entry.path());
                } else if !(kind.is_symlink() && entry.path().is_dir()) {
                    found.push(entry.path());
                }
            }
        }
        found.sort();
        Ok(found)
    }

    fn token_helper(&self, helper: &Path, address: &str) -> Result<Vec<u8>, HelperError> {
        token_helper::get(helper, address, token_helper::TIME_LIMIT)
    }
}
