//! Which cloud a cluster is of, told from what the kubeconfig says about it.
//! Pure: nothing is asked, and a name is no proof.
//!
//! `entry` is what the kubeconfig says, `eks`, `aks` and `gke` read the traces
//! that each cloud's own tools leave in it, `evidence` collects and ranks
//! them, `verdict` says what follows, or which two contradict each other.

pub mod aks;
pub mod eks;
pub mod entry;
pub mod evidence;
pub mod gke;
pub mod verdict;

pub use entry::Entry;
pub use evidence::Evidence;
pub use verdict::{Contradiction, Verdict};

/// The issuer that an entry's names stand for: GKE makes its issuers of
/// project, location and name. Evidence that contradicts itself stands for none.
pub fn implied_issuer(entry: &Entry) -> Option<String> {
    match verdict::decide(&evidence::collect(entry)).ok()? {
        Verdict::Gke(gke) => gke.issuer(),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
