//! Which issuer a cluster's tokens have, which keys it publishes, and whether this API
//! server and that issuer belong together.
//!
//! `resolve` finds issuer and keys (from a `request` to the `resolved` result), `form`
//! decides what the owner on the mount is, `find_issuer` finds the issuer. `cloud_lookup`
//! queries the cluster's cloud, `cloud_answer` is what it says, and what lies between that
//! and the kubeconfig. `managed_hosts` says what a host name shows, `site` reads an issuer's
//! own documents over HTTPS, `rotation_policy` knows whose keys do not last. `proof` checks
//! a token against what was found, `possession` which tokens show more than that. A claimed
//! issuer is not proof: nothing is written before `proof` succeeds.

mod cloud_answer;
pub mod cloud_lookup;
mod error;
mod find_issuer;
mod form;
mod managed_hosts;
pub mod possession;
pub mod proof;
pub mod request;
pub mod resolve;
pub mod resolved;
pub mod rotation_policy;
pub mod site;

pub use cloud_answer::{CloudAnswer, EndpointMismatch};
pub use error::IssuerError;
pub use managed_hosts::{is_a_clouds, is_managed};
pub use proof::ProofError;
pub use request::{CloudLookup, KeysFrom, NamedBy, Sources};
pub use resolved::{KeyDifference, KeySource, Lag, Resolved};
pub use site::{HttpsSite, IssuerSite, SiteError};

#[cfg(test)]
mod tests;
