//! Which cloud a cluster belongs to, inferred from what the kubeconfig says about it. Pure:
//! no request is sent, and a name is no proof.
//!
//! `kubeconfig_entry` is what the kubeconfig says. `eks`, `aks`, and `gke` read the traces
//! that each cloud's own tools leave in it. `evidence` collects and ranks them. `verdict`
//! says what follows, or which two contradict each other. `overrides` is what flags decide.
//! `login` is how a person logs in to a cloud.

pub mod aks;
pub mod eks;
pub mod evidence;
pub mod gke;
pub mod kubeconfig_entry;
pub mod login;
pub mod overrides;
pub mod verdict;

pub use kubeconfig_entry::Entry;
pub use overrides::{CloudOverrides, Identity, identify};
pub use verdict::{Contradiction, Verdict};

#[cfg(test)]
mod tests;
