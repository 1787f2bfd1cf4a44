//! Connections to Vault.

pub mod address;
pub mod handshake_error;
pub mod in_flight;
pub mod proxy;
pub mod stream;
pub mod tcp;
#[cfg(test)]
pub mod test_server;
pub mod tls;
pub mod tls_connector;
pub mod unix_socket;
