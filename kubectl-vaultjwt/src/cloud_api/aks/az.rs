//! Runs az, and reads its default subscription, with the configuration folder that a
//! kubeconfig names for its plugin: the logins there and in the default folder can differ.

use crate::cloud::aks::AzureCloud;
use async_trait::async_trait;
use azure_identity::Executor;
use serde::Deserialize;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

/// `azureProfile.json`, as far as it says which one is the default
/// (azure-cli-core `_profile.py`).
#[derive(Deserialize)]
struct Profile {
    #[serde(default)]
    subscriptions: Vec<Subscription>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    id: String,
    #[serde(default)]
    is_default: bool,
    environment_name: Option<String>,
}

/// The default subscription of az for this cloud, where there is one. The
/// folder that a kubeconfig names goes before that of the environment, as it
/// does for its plugin.
pub(super) fn default_subscription(cloud: AzureCloud, config_dir: Option<&str>) -> Option<String> {
    let folder = config_dir.map(str::to_owned).or_else(|| variable("AZURE_CONFIG_DIR")).map(PathBuf::from);
    let folder = folder.or_else(|| std::env::home_dir().map(|home| home.join(".azure")))?;
    read(&folder, cloud)
}

fn read(folder: &Path, cloud: AzureCloud) -> Option<String> {
    let text = std::fs::read_to_string(folder.join("azureProfile.json")).ok()?;
    // az writes the file with a byte order mark.
    let profile: Profile = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()?;
    let name = match cloud {
        AzureCloud::Public => "AzureCloud",
        AzureCloud::China => "AzureChinaCloud",
        AzureCloud::UsGovernment => "AzureUSGovernment",
    };
    let is_it = |found: &&Subscription| {
        found.is_default && found.environment_name.as_ref().is_none_or(|environment| environment == name)
    };
    profile.subscriptions.iter().find(is_it).map(|found| found.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_one_of_the_right_cloud() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path(), AzureCloud::Public), None);
        let profile = "\u{feff}{\"installationId\": \"x\", \"subscriptions\": [\
            {\"id\": \"s1\", \"name\": \"one\", \"isDefault\": false, \"environmentName\": \"AzureCloud\"},\
            {\"id\": \"s2\", \"name\": \"two\", \"isDefault\": true, \"environmentName\": \"AzureCloud\"}]}";
        std::fs::write(folder.path().join("azureProfile.json"), profile).unwrap();
        assert_eq!(read(folder.path(), AzureCloud::Public).as_deref(), Some("s2"));
        assert_eq!(read(folder.path(), AzureCloud::China), None);
    }
}
