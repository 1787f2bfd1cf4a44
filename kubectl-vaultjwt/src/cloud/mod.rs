//! Which cloud a cluster is of, told from what the kubeconfig says about it.
//! Pure: nothing is asked, and a name is no proof.
//!
//! `entry` is what the kubeconfig says, `eks`, `aks` and `gke` read the traces
//! that each cloud's own tools leave in it, `evidence` collects and ranks
//! them, `verdict` says what follows, or which two contradict each other,
//! `given` is what flags decide, `login` how a person logs in to a cloud.

pub mod aks;
pub mod eks;
pub mod entry;
pub mod evidence;
pub mod given;
pub mod gke;
pub mod login;
pub mod verdict;

pub use entry::Entry;
pub use evidence::Evidence;
pub use given::{Given, Identity, identify};
pub use verdict::{Contradiction, Verdict};

#[cfg(test)]
mod tests;
