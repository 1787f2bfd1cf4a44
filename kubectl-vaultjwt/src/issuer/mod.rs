//! Who the issuer of a cluster's tokens is, which keys it publishes, and
//! whether this API server and that issuer belong together.
//!
//! `resolve` finds issuer and keys, `site` reads an issuer's own documents
//! over HTTPS, `proof` checks a token against what was found,
//! `rotation` knows whose keys do not last. A claimed
//! issuer is not proof: nothing is written before `proof` said yes.

pub mod proof;
pub mod resolve;
pub mod rotation;
pub mod site;

pub use proof::ProofError;
pub use resolve::{IssuerError, KeySource, NamedBy, Resolved, is_managed};
pub use site::{HttpsSite, IssuerSite, SiteError};
