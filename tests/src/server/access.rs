//! Access to a test cluster: kubeconfigs of several users, and the real kubectl.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::Ordering;

use super::cluster::Cluster;
use super::kubeconfig::{Credentials, kubeconfig, way};
use super::{ServerError, Written};
use crate::peers::{self, Peer};
use crate::process::clean_environment;

impl Cluster {
    /// The name of its own that its certificate bears: no other cluster has it.
    pub fn server_name(&self) -> &str {
        &self.server_name
    }

    /// A new kubeconfig for this cluster with other credentials.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn kubeconfig_with(&self, user: &str, credentials: &Credentials) -> Written {
        self.kubeconfig_at(&self.url(), user, credentials)
    }

    /// What its kubeconfigs have after `server:`, the `tls-server-name` with it.
    /// A test that writes another host there replaces both.
    pub fn way(&self) -> String {
        way(&self.url(), self.server_name())
    }

    /// As [`Cluster::kubeconfig_with`], for another address of this cluster on
    /// this machine; it is known there by the same name.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn kubeconfig_at(&self, server: &str, user: &str, credentials: &Credentials) -> Written {
        let name = format!("{}.kubeconfig", self.files.fetch_add(1, Ordering::Relaxed));
        let config =
            kubeconfig(&self.context, &way(server, self.server_name()), &self.authority.pem(), user, credentials);
        self.scratch.write(&name, config).map_err(ServerError::io("writing a kubeconfig"))
    }

    /// A kubeconfig for a user with a client certificate; without a group and
    /// a binding he may do nothing but discover.
    ///
    /// # Errors
    /// The certificate or the file cannot be made.
    pub fn kubeconfig_for_user(&self, user: &str, group: Option<&str>) -> Written {
        self.kubeconfig_with(user, &Credentials::Certificate(self.authority.client(user, group)?))
    }

    /// A kubeconfig that shows an expired client certificate.
    ///
    /// # Errors
    /// The certificate or the file cannot be made.
    pub fn kubeconfig_expired(&self) -> Written {
        let expired = self.authority.expired_client("kubernetes-admin", Some("system:masters"))?;
        self.kubeconfig_with("admin", &Credentials::Certificate(expired))
    }

    /// A kubeconfig with a token of a service account for the API server.
    ///
    /// # Errors
    /// The API server does not issue the token.
    pub fn kubeconfig_for_service_account(&self, namespace: &str, name: &str) -> Written {
        let token = self.token(namespace, name, &[])?;
        self.kubeconfig_with(name, &Credentials::Token(token))
    }

    /// The real kubectl with the administrator's kubeconfig and a home of its
    /// own. `first` goes in front of `PATH`: the folder of a plugin.
    ///
    /// # Errors
    /// kubectl is missing.
    pub fn kubectl_command(&self, first: &[&Path]) -> Result<Command, ServerError> {
        self.command_of(&peers::locate(Peer::Kubectl)?, first)
    }

    /// As [`Cluster::kubectl_command`], for another program in kubectl's place.
    /// `kubectl NAME` looks for kubectl-NAME in `PATH` and becomes it, with the
    /// same environment: that takes it longer than our plugin takes for its work.
    ///
    /// # Errors
    /// kubectl is missing.
    pub fn command_of(&self, program: &Path, first: &[&Path]) -> Result<Command, ServerError> {
        let kubectl = peers::locate(Peer::Kubectl)?;
        let home = self.scratch.folder("home").map_err(ServerError::io("making a home folder"))?;
        let mut command = Command::new(program);
        let mut folders = first.to_vec();
        folders.extend(kubectl.parent());
        clean_environment(&mut command, &home, &folders);
        command.env("KUBECONFIG", &self.kubeconfig).env("KUBECACHEDIR", home.join("kube-cache")).current_dir(&home);
        Ok(command)
    }

    /// Runs kubectl.
    ///
    /// # Errors
    /// It cannot be run; that it fails is in the output.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<Output, ServerError> {
        self.kubectl_command(&[])?.args(arguments).output().map_err(ServerError::io("running kubectl"))
    }

    /// Runs kubectl and returns what it prints.
    ///
    /// # Errors
    /// It fails.
    pub fn kubectl_ok(&self, arguments: &[&str]) -> Result<String, ServerError> {
        let output = self.kubectl(arguments)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(ServerError::Command { command: format!("kubectl {}", arguments.join(" ")), stderr })
    }
}
