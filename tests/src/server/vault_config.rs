//! The configuration of a Vault or `OpenBao` server: a test's options, and the configuration
//! file made from them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Product, text};

/// Where the server keeps its data. There is no file storage: neither Vault's
/// `minimal` build nor `OpenBao` 2.7 has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Storage {
    /// Integrated storage with one node.
    #[default]
    Raft,
    /// Dev mode: in memory, plain http, unsealed by itself.
    Dev,
}

/// How to start a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultOptions {
    pub product: Product,
    /// TLS with a certificate of a test authority. Dev mode has none.
    pub tls: bool,
    /// Where the data is.
    pub storage: Storage,
    /// Keep an audit log?
    pub audit: bool,
    /// Namespaces to make, parents included: `admin/team`. `OpenBao` only;
    /// Vault has them in its enterprise edition.
    pub namespaces: Vec<String>,
    /// File with the authorities that the server trusts where it is the client;
    /// its system's if absent.
    pub trusts: Option<PathBuf>,
}

impl VaultOptions {
    /// TLS, integrated storage, an audit log, no namespaces: what most tests want.
    pub fn new(product: Product) -> Self {
        Self { product, tls: true, storage: Storage::Raft, audit: true, namespaces: Vec::new(), trusts: None }
    }
}

/// The configuration file. `OpenBao` takes audit devices from here (its API
/// refuses to make them since 2.3.2), Vault from its API.
pub(super) fn configuration(options: &VaultOptions, folder: &Path, port: u16, address: &str, node: &str) -> Value {
    let path = |name: &str| text(&folder.join(name));
    let mut config = json!({"api_addr": address, "ui": false});
    if options.product == Product::Vault {
        // OpenBao no longer knows the setting.
        config["disable_mlock"] = json!(true);
    }
    if options.product == Product::OpenBao && options.audit {
        // Type and path a second time: HCL takes a JSON object with one member
        // for part of the key above it.
        // Relative to the server's folder: nodes of one cluster must agree on
        // the text, or the second one does not take up its standby reads.
        let device = json!({"type": "file", "path": "file", "options": {"file_path": "audit.log"}});
        config["audit"] = json!([{ "file": { "file": device } }]);
    }
    if options.storage == Storage::Dev {
        // Listener and storage come with dev mode.
        config = match config.get("audit") {
            Some(audit) => json!({ "audit": audit }),
            None => json!({}),
        };
        return config;
    }
    let mut listener =
        json!({"address": format!("127.0.0.1:{port}"), "cluster_address": format!("127.0.0.1:{}", port + 1)});
    if options.tls {
        listener["tls_cert_file"] = json!(path("server.crt"));
        listener["tls_key_file"] = json!(path("server.key"));
    } else {
        listener["tls_disable"] = json!(true);
    }
    config["listener"] = json!([{ "tcp": listener }]);
    config["cluster_addr"] = json!(format!("https://127.0.0.1:{}", port + 1));
    // The multiplier cuts the wait for the election of the only node from 5 to 1 s.
    config["storage"] = json!([{ "raft": {"path": path("data"), "node_id": node, "performance_multiplier": "1"} }]);
    config
}
