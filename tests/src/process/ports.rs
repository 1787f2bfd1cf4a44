//! Chooses free loopback ports.

use std::collections::HashSet;
use std::io;
use std::net::TcpListener;
use std::sync::Mutex;

use rand::RngExt as _;

/// Below the range from which Linux takes the ports of outgoing connections
/// (32768 and up): a port that is free now is not taken by some client before
/// the server binds it, or while a server is being restarted on it.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Ports already given out by this process.
static TAKEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// The first of `count` ports in a row, all free.
fn row(count: u16) -> io::Result<u16> {
    let mut taken = super::locked::locked(&TAKEN);
    let taken = taken.get_or_insert_with(HashSet::new);
    for _ in 0..1_000 {
        let first = rand::rng().random_range(RANGE);
        let ports = first..first + count;
        if ports.clone().all(|port| !taken.contains(&port) && is_free(port)) {
            taken.extend(ports);
            return Ok(first);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no free port between 20000 and 32000 on 127.0.0.1"))
}

/// A free port.
///
/// # Errors
/// There is none.
pub fn port() -> io::Result<u16> {
    row(1)
}

/// The first of two free ports in a row.
///
/// # Errors
/// There are none.
pub fn port_pair() -> io::Result<u16> {
    row(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_once() {
        let ports: HashSet<u16> = (0..50).map(|_| port().unwrap()).collect();
        assert_eq!(ports.len(), 50);
    }
}
