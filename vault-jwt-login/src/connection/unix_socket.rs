//! Connects to a Unix socket (`unix:///run/vault.sock`), such as Vault Agent
//! and Vault Proxy listen on.

use crate::connection::in_flight::InFlight;
use crate::connection::stream::{StreamTransport, left, timed};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::Error;
use ureq::unversioned::transport::{ConnectionDetails, Connector};

#[derive(Debug)]
pub struct SocketConnector {
    path: PathBuf,
    in_flight: InFlight,
}

impl SocketConnector {
    /// For the socket at `path`. `in_flight` is told when the connection is made.
    pub fn new(path: &Path, in_flight: InFlight) -> Self {
        Self { path: path.to_owned(), in_flight }
    }
}

impl Connector<()> for SocketConnector {
    type Out = StreamTransport;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Self::Out>, Error> {
        let timeout = details.timeout;
        let stream = dial(&self.path, left(timeout)).map_err(|error| timed(error, timeout))?;
        self.in_flight.connected();
        Ok(Some(StreamTransport::new(stream, details)))
    }
}

/// A connection within `left`: a socket whose backlog is full makes callers
/// wait, as long as its time to send allows (unix(7), socket(7)).
fn dial(path: &Path, left: Option<Duration>) -> io::Result<UnixStream> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&socket, Timeout::Send, left)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(UnixStream::from(socket))
}
