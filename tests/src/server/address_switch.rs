//! A proxy with a fixed address whose targets change while it runs, like a load balancer.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rand::RngExt as _;

use super::ServerError;
use super::listener::{Listener, Open};
use super::proxy::{connect, pass_both_ways};
use crate::process::locked;

/// Passes bytes on unseen, TLS too, each connection to one of its targets.
#[derive(Debug)]
pub struct AddressSwitch {
    shared: Arc<Shared>,
    listener: Listener,
}

#[derive(Debug, Default)]
struct Shared {
    targets: Mutex<Targets>,
    connections: AtomicU64,
    streams: Mutex<Vec<TcpStream>>,
}

#[derive(Debug, Default)]
struct Targets {
    ports: Vec<u16>,
    next: usize,
    at_random: bool,
}

impl AddressSwitch {
    /// Stands in front of 127.0.0.1:`targets`, each new connection at the next
    /// of them.
    ///
    /// # Errors
    /// There is no port to listen on.
    pub fn start(targets: &[u16]) -> Result<Self, ServerError> {
        let shared = Arc::new(Shared::default());
        shared.point(targets, false);
        let serving = Arc::clone(&shared);
        let listener = Listener::start(move |client, open| serving.serve(&client, open));
        Ok(Self { shared, listener: listener.map_err(ServerError::io("starting an address switch"))? })
    }

    pub fn port(&self) -> u16 {
        self.listener.port()
    }

    /// Its address, for a kubeconfig.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port())
    }

    /// New connections go to these in turn; all that are open end. Without a
    /// target, connections end at once.
    pub fn point_at(&self, targets: &[u16]) {
        self.shared.point(targets, false);
    }

    /// The same, each new connection at any of them.
    pub fn point_at_any(&self, targets: &[u16]) {
        self.shared.point(targets, true);
    }

    /// How many connections have come.
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Shared {
    fn point(&self, ports: &[u16], at_random: bool) {
        *locked(&self.targets) = Targets { ports: ports.to_vec(), next: 0, at_random };
        for stream in locked(&self.streams).drain(..) {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn choose(&self) -> Option<u16> {
        let mut targets = locked(&self.targets);
        let count = targets.ports.len();
        if count == 0 {
            return None;
        }
        let at = if targets.at_random { rand::rng().random_range(0..count) } else { targets.next % count };
        targets.next = at + 1;
        targets.ports.get(at).copied()
    }

    fn serve(&self, client: &TcpStream, open: &Open) -> io::Result<()> {
        self.connections.fetch_add(1, Ordering::SeqCst);
        let Some(port) = self.choose() else { return client.shutdown(Shutdown::Both) };
        let server = connect(port)?;
        let _kept = open.keep(&server)?;
        {
            let mut streams = locked(&self.streams);
            streams.retain(|stream| stream.peer_addr().is_ok());
            streams.extend([client.try_clone()?, server.try_clone()?]);
        }
        pass_both_ways(client, &server)
    }
}
