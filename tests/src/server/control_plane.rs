//! Starts and stops API servers.

use std::path::Path;

use super::cluster::{Cluster, Serving};
use super::etcd::GOGC;
use super::{ServerError, ready, text};
use crate::http::Http;
use crate::keys::SigningKey;
use crate::peers::{self, Peer};
use crate::process::{Supervised, clean_environment, locked};

/// What tells one API server of a cluster from another.
pub(super) struct Differing<'a> {
    pub(super) port: u16,
    /// The keys whose tokens it accepts, and publishes.
    pub(super) published: &'a [SigningKey],
    /// The one that it signs with.
    pub(super) signs: &'a SigningKey,
}

impl Cluster {
    pub(super) fn api_server_arguments(&self, of: &Differing<'_>) -> Result<Vec<String>, ServerError> {
        let path = |name: &str| text(&self.scratch.path().join(name));
        let mut arguments: Vec<String> = [
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            // Else it complains that 127.0.0.1 cannot be an endpoint.
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--profiling=false",
            "--kubelet-preferred-address-types=InternalIP",
        ]
        .map(String::from)
        .into();
        arguments.extend([
            format!("--secure-port={}", of.port),
            format!("--etcd-servers={}", self.store.address),
            format!("--etcd-prefix={}", self.store.prefix),
            format!("--cert-dir={}", path("certificates")),
            format!("--tls-cert-file={}", path("server.crt")),
            format!("--tls-private-key-file={}", path("server.key")),
            format!("--client-ca-file={}", path("ca.crt")),
            format!("--kubelet-client-certificate={}", path("kubelet.crt")),
            format!("--kubelet-client-key={}", path("kubelet.key")),
            // The first one signs, the others are accepted.
            format!("--service-account-issuer={}", self.issuer()),
        ]);
        arguments.extend(self.options.extra_issuers.iter().map(|issuer| format!("--service-account-issuer={issuer}")));
        if !self.options.api_audiences.is_empty() {
            arguments.push(format!("--api-audiences={}", self.options.api_audiences.join(",")));
        }
        if let Some(uri) = &self.options.jwks_uri {
            arguments.push(format!("--service-account-jwks-uri={uri}"));
        }
        if let Some(review) = &self.token_review {
            arguments.push(format!("--authentication-token-webhook-config-file={}", text(review.config())));
            arguments.push("--authentication-token-webhook-version=v1".to_owned());
            // So that what a test changes counts at once.
            arguments.push("--authentication-token-webhook-cache-ttl=1s".to_owned());
        }
        for key in of.published {
            let public = format!("sa-{}.pub", key.kid());
            // In one step: another API server may be reading it.
            let written = self.scratch.write(&format!("{public}.{}", of.port), key.public_pem());
            let place = self.scratch.path().join(&public);
            let moved = written.and_then(|written| std::fs::rename(written, &place));
            moved.map_err(ServerError::io("writing a key"))?;
            arguments.push(format!("--service-account-key-file={}", text(&place)));
        }
        // Beside the keys of others: it is read again while it runs.
        let signs = self.scratch.write(&format!("sa-{}.key", of.port), of.signs.private_pem());
        let signs = signs.map_err(ServerError::io("writing the signing key"))?;
        arguments.push(format!("--service-account-signing-key-file={}", text(&signs)));
        Ok(arguments)
    }

    /// Stops the API server; etcd keeps what it knew.
    pub fn stop_api_server(&self) {
        match &self.serving {
            Serving::Own(api) => drop(locked(api).take()),
            Serving::Shared { proxy, .. } => proxy.point_at(&[]),
        }
    }

    /// Starts the API server again, at the same address.
    ///
    /// # Errors
    /// It does not become ready.
    pub fn restart_api_server(&self) -> Result<(), ServerError> {
        match &self.serving {
            Serving::Own(_) => {
                self.stop_api_server();
                self.start_api_server_from(&peers::locate(Peer::KubeApiserver)?)
            }
            Serving::Shared { pool, proxy, .. } => self.switch(*pool, proxy),
        }
    }

    pub(super) fn start_api_server_from(&self, program: &Path) -> Result<(), ServerError> {
        let (published, signs) = (self.signing_keys(), self.signing_key());
        let of = Differing { port: self.port, published: &published, signs: &signs };
        let api = self.launch(program, &of, &self.http)?;
        if let Serving::Own(own) = &self.serving {
            *locked(own) = Some(api);
        }
        Ok(())
    }

    /// Starts an API server and waits until it serves.
    pub(super) fn launch(&self, program: &Path, of: &Differing<'_>, http: &Http) -> Result<Supervised, ServerError> {
        let arguments = self.api_server_arguments(of)?;
        let home = self.scratch.path();
        let log = home.join(format!("kube-apiserver-{}.log", of.port));
        let api = Supervised::start_with_log(&self.scratch, "kube-apiserver", &log, program, arguments, |command| {
            clean_environment(command, home, &[]);
            command.env(GOGC.0, GOGC.1).current_dir(home);
        });
        let api = api.map_err(ServerError::io("starting kube-apiserver"))?;
        ready::wait(&api, || match http.send("GET", "/readyz", &[], None) {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(format!("/readyz: HTTP {}", answer.status)),
            Err(error) => Err(error.to_string()),
        })?;
        Ok(api)
    }
}
