//! Runs az with the configuration folder that a kubeconfig names for its plugin: the logins
//! there and in the default folder can differ.

use async_trait::async_trait;
use azure_identity::Executor;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a program with `AZURE_CONFIG_DIR`.
#[derive(Debug)]
pub(super) struct InConfigDir(OsString);

impl InConfigDir {
    /// azure_identity runs az in another folder, so the path is made whole.
    pub(super) fn new(folder: &str) -> Self {
        Self(std::path::absolute(Path::new(folder)).map_or_else(|_| folder.into(), Into::into))
    }
}

#[async_trait]
impl Executor for InConfigDir {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        let mut command = Command::new(program);
        command.args(args).env("AZURE_CONFIG_DIR", &self.0);
        tokio::task::spawn_blocking(move || command.output()).await.map_err(io::Error::other)?
    }
}

pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
