//! Who the issuer of a cluster's tokens is, which keys it publishes, and
//! whether this API server and that issuer belong together.
//!
//! `resolve` finds issuer and keys, `form` what stands on the mount for the cluster,
//! `difference` how two key sets differ, `named` who names the issuer, `cloud` is
//! what the cluster's cloud says, `gap` what lies between that and the
//! kubeconfig, `hosts` what a host name tells, `site` reads an issuer's own
//! documents over HTTPS, `proof` checks a token against what was found,
//! `possession` which tokens show more than that, `rotation` knows whose keys do not last. A claimed
//! issuer is not proof: nothing is written before `proof` said yes.

mod cloud;
mod difference;
mod error;
mod form;
mod gap;
mod hosts;
mod named;
pub mod possession;
pub mod proof;
pub mod resolve;
pub mod rotation;
pub mod site;

pub use cloud::CloudWord;
pub use difference::{KeyDifference, Lag};
pub use error::IssuerError;
pub use gap::Gap;
pub use hosts::{is_a_clouds, is_managed};
pub use proof::ProofError;
pub use resolve::{Ask, KeySource, KeysFrom, NamedBy, Resolved, Sources};
pub use site::{HttpsSite, IssuerSite, SiteError};

#[cfg(test)]
mod cloud_tests;
#[cfg(test)]
mod fakes;
