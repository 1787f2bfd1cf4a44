//! What a caller asks for when an issuer and its keys are resolved.

use crate::cloud::CloudOverrides;
use crate::cloud_api::Clouds;
use crate::issuer::site::IssuerSite;
use crate::keychain::jwk::KeySet;
use serde::Serialize;

/// Whom an issuer and its keys are asked of, besides the API server.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub site: &'a dyn IssuerSite,
    pub clouds: &'a dyn Clouds,
}

/// When a cluster's cloud is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloudLookup {
    /// Before the API server: a cluster that is enrolled needs the most evidence.
    #[default]
    Always,
    /// Only where API server or issuer's site cannot be read: a refresh needs no login to the
    /// cloud.
    OnlyIfNeeded,
}

/// What the user decides.
#[derive(Clone, Debug, Default)]
pub struct IssuerOverrides {
    pub issuer: Option<String>,
    pub cluster_uid: Option<String>,
    /// Whether the issuer's own site must be read (`--issuer-ca-cert` names the authority to
    /// trust there, so ignoring it would be a surprise).
    pub site_required: bool,
    pub keys_from: Option<KeysFrom>,
    pub given: CloudOverrides,
    pub ask: CloudLookup,
}

/// `--keys-from`: where keys are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysFrom {
    /// At the issuer's URL, and nowhere else.
    Issuer,
    ApiServer,
    File(KeySet),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum NamedBy {
    /// `--issuer`
    Flag,
    /// The API server's discovery document.
    ApiServer,
    /// The API of the cluster's cloud.
    Cloud,
    /// A fresh token of the cluster.
    Token,
    /// The names in the kubeconfig, where GKE makes its issuers of them.
    Kubeconfig,
}
