//! Proxies between a program and Vault: one delays requests, one holds a request at a given point.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rand::RngExt as _;

use super::ServerError;
use super::held_request::{HeldRequest, HeldRequests, Point};
use super::listener::{Listener, Open};
use super::raw_http::Request;
use crate::process::locked;

pub(super) fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Passes bytes on unseen, TLS too, and holds back what the server answers.
#[derive(Debug)]
pub struct DelayingProxy {
    listener: Listener,
}

impl DelayingProxy {
    /// Stands in front of 127.0.0.1:`target`. Whatever the server says after
    /// the client said something waits a random number of milliseconds in
    /// `delay`: an answer waits once, however long it is.
    ///
    /// # Errors
    /// There is no port to listen on.
    pub fn start(target: u16, delay: RangeInclusive<u64>) -> Result<Self, ServerError> {
        let listener = Listener::start(move |client, open| relay(&client, &connect(target)?, &delay, open));
        Ok(Self { listener: listener.map_err(ServerError::io("starting a delaying proxy"))? })
    }

    pub fn port(&self) -> u16 {
        self.listener.port()
    }
}

fn relay(client: &TcpStream, server: &TcpStream, delay: &RangeInclusive<u64>, open: &Open) -> io::Result<()> {
    let _kept = open.keep(server)?;
    let asked = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = pass_on(client, server, || asked.store(true, Ordering::SeqCst));
        });
        pass_on(server, client, || {
            if asked.swap(false, Ordering::SeqCst) {
                open.pause(Duration::from_millis(rand::rng().random_range(delay.clone())));
            }
        })
    })
}

/// Passes on what both sides say, until both have ended.
pub(super) fn pass_both_ways(client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = pass_on(client, server, || ());
        });
        pass_on(server, client, || ())
    })
}

/// Copies until one side ends, then tells the other.
fn pass_on(mut from: &TcpStream, mut to: &TcpStream, before: impl Fn()) -> io::Result<()> {
    let mut chunk = [0; 16 * 1024];
    let copied = loop {
        match from.read(&mut chunk) {
            Ok(0) => break Ok(()),
            Ok(length) => {
                before();
                if let Err(error) = to.write_all(&chunk[..length]) {
                    break Err(error);
                }
            }
            Err(error) => break Err(error),
        }
    };
    // What cannot be passed on any more need not come: a client that is gone
    // ends the server's side, and the other way round.
    let _ = to.shutdown(Shutdown::Write);
    if copied.is_err() {
        let _ = from.shutdown(Shutdown::Both);
    }
    copied
}

/// Understands plain HTTP, and holds requests where a test says.
///
/// Every request has a connection of its own to the target and from the
/// client, so that a client that is killed disturbs no other request, and the
/// target finishes what has been forwarded.
#[derive(Debug)]
pub struct InterceptingProxy {
    shared: Arc<Shared>,
    listener: Listener,
}

#[derive(Debug, Default)]
struct Shared {
    held_requests: HeldRequests,
    seen: Mutex<Vec<String>>,
    /// What is answered in the target's place.
    instead: Mutex<Option<Vec<u8>>>,
}

impl InterceptingProxy {
    /// Stands in front of the plain HTTP server at 127.0.0.1:`target`.
    ///
    /// # Errors
    /// There is no port to listen on.
    pub fn start(target: u16) -> Result<Self, ServerError> {
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let listener = Listener::start(move |client, open| serving.serve(client, target, open));
        Ok(Self { shared, listener: listener.map_err(ServerError::io("starting an intercepting proxy"))? })
    }

    pub fn port(&self) -> u16 {
        self.listener.port()
    }

    /// Its address, for `VAULT_ADDR`.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// Holds the `nth` request with this method and a path (without its query)
    /// that ends so. Requests are counted from 1; those that have come before
    /// the hold do not count.
    pub fn hold(&self, point: Point, method: &str, path_suffix: &str, nth: u32) -> HeldRequest {
        self.shared.held_requests.hold(point, method, path_suffix, nth)
    }

    /// From now on every request gets this answer, and the target none of them:
    /// a status with its reason, further header lines, a body.
    pub fn answer_with(&self, status: &str, headers: &str, body: &str) {
        let answer =
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        *locked(&self.shared.instead) = Some(answer.into_bytes());
    }

    /// Requests go to the target again.
    pub fn pass_on(&self) {
        *locked(&self.shared.instead) = None;
    }

    /// The requests that have come, as `GET /v1/…`, in order.
    pub fn requests(&self) -> Vec<String> {
        locked(&self.shared.seen).clone()
    }
}

impl Drop for InterceptingProxy {
    fn drop(&mut self) {
        self.shared.held_requests.discard_all();
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream, target: u16, open: &Open) -> io::Result<()> {
        let Some(request) = Request::read(&mut client, &mut Vec::new())? else { return Ok(()) };
        locked(&self.seen).push(format!("{} {}", request.method, request.target));
        let instead = locked(&self.instead).clone();
        if let Some(answer) = instead {
            client.write_all(&answer)?;
            return client.shutdown(Shutdown::Both);
        }
        let holds = self.held_requests.of(&request);
        let pass = |point| holds.iter().all(|hold| hold.pass(point));
        if !pass(Point::BeforeForwarding) {
            return client.shutdown(Shutdown::Both);
        }
        let mut server = connect(target)?;
        let _kept = open.keep(&server)?;
        server.write_all(&request.as_last())?;
        // The target closes the connection after its answer, which says so to
        // the client as well.
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        if pass(Point::BeforeAnswer) {
            client.write_all(&answer)?;
        }
        client.shutdown(Shutdown::Both)
    }
}
