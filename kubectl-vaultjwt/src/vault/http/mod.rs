//! The HTTP client of Vault: requests, TLS, redirects, and the active node of a cluster.

pub mod active_node;
pub mod client;
pub mod connect_error;
pub mod redirect;
pub mod transport;
