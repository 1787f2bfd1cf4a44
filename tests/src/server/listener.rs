//! Listeners inside the test process, with a thread for each connection. When the owner is
//! dropped, the port is closed and every connection ends.

use std::collections::HashMap;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::process::locked;

/// A listener on a loopback port.
#[derive(Debug)]
pub(super) struct Listener {
    port: u16,
    open: Arc<Open>,
    accepting: Option<JoinHandle<()>>,
}

/// What is open, so that it can be closed.
#[derive(Debug, Default)]
pub(super) struct Open {
    stopping: AtomicBool,
    count: AtomicU64,
    streams: Mutex<HashMap<u64, TcpStream>>,
}

/// A connection that ends with the listener.
#[derive(Debug)]
pub(super) struct OpenStream<'a> {
    open: &'a Open,
    number: u64,
}

impl Drop for OpenStream<'_> {
    fn drop(&mut self) {
        locked(&self.open.streams).remove(&self.number);
    }
}

/// Longest part of a pause in which a stop goes unnoticed.
const SLICE: Duration = Duration::from_millis(20);

impl Open {
    /// Is the owner gone?
    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Remembers a connection until the result is dropped.
    pub(super) fn keep(&self, stream: &TcpStream) -> io::Result<OpenStream<'_>> {
        let copy = stream.try_clone()?;
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let mut streams = locked(&self.streams);
        if self.is_stopping() {
            return Err(io::ErrorKind::NotConnected.into());
        }
        streams.insert(number, copy);
        Ok(OpenStream { open: self, number })
    }

    /// Waits, but not longer than the owner is there.
    pub(super) fn pause(&self, length: Duration) {
        let until = Instant::now() + length;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_stopping() {
                return;
            }
            thread::sleep(left.min(SLICE));
        }
    }

    fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for stream in locked(&self.streams).values() {
            // It may have ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Listener {
    /// Listens on a free port and gives every connection to `serve`, each in a
    /// thread of its own. What goes wrong there ends that connection alone.
    pub(super) fn start(
        serve: impl Fn(TcpStream, &Open) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let open = Arc::new(Open::default());
        let serve = Arc::new(serve);
        let all = Arc::clone(&open);
        let accepting = thread::spawn(move || {
            for stream in listener.incoming() {
                if all.is_stopping() {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (open, serve) = (Arc::clone(&all), Arc::clone(&serve));
                thread::spawn(move || {
                    let Ok(_kept) = open.keep(&stream) else { return };
                    // Else each small part of an answer waits for the last one's receipt.
                    let _ = stream.set_nodelay(true);
                    // A client that goes away is nothing to tell anybody.
                    let _ = serve(stream, &open);
                });
            }
        });
        Ok(Self { port, open, accepting: Some(accepting) })
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.open.stop();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}
