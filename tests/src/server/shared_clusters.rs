//! Clusters that tests share: each is started by the first test that needs it, and ends with
//! the process.
//!
//! Whoever takes one leaves it as it was: keys, roles, and what is there for all
//! to see. What concerns a service account or names of one's own may stay.

use std::sync::{Mutex, OnceLock};

use super::{Cluster, ClusterOptions, ServerError};
use crate::process::locked;

/// What comes of one start.
type Started = OnceLock<Result<Cluster, ServerError>>;

/// Every cluster that was asked for: which it is, and how it was started.
static SHARED: Mutex<Vec<(u32, ClusterOptions, &'static Started)>> = Mutex::new(Vec::new());

/// One cluster per test binary, as most tests want it.
///
/// # Errors
/// It could not be started; every caller is told the same.
pub fn shared_cluster() -> Result<&'static Cluster, &'static ServerError> {
    Cluster::shared(ClusterOptions::default())
}

impl Cluster {
    /// The shared cluster with these options.
    ///
    /// # Errors
    /// It could not be started; every caller is told the same.
    pub fn shared(options: ClusterOptions) -> Result<&'static Self, &'static ServerError> {
        numbered(0, options)
    }

    /// Another shared cluster with the same options, for tests that want two.
    ///
    /// # Errors
    /// It could not be started; every caller is told the same.
    pub fn shared_second(options: ClusterOptions) -> Result<&'static Self, &'static ServerError> {
        numbered(1, options)
    }
}

fn numbered(number: u32, options: ClusterOptions) -> Result<&'static Cluster, &'static ServerError> {
    let started = {
        let mut shared = locked(&SHARED);
        let found = shared.iter().find(|(which, like, _)| *which == number && *like == options);
        if let Some((_, _, started)) = found {
            *started
        } else {
            // As long as the process lives, like any other static.
            let started: &'static Started = Box::leak(Box::default());
            shared.push((number, options.clone(), started));
            started
        }
    };
    // Others wait for this one here, and not for one with other options.
    started.get_or_init(|| Cluster::start(options)).as_ref()
}
