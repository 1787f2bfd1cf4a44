//! The HTTP client's side of a connection: reads and writes with the client's
//! timeouts.

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, LazyBuffers, NextTimeout, Transport};

/// A TCP or Unix stream.
pub trait Stream: Read + Write + AsFd + Debug + Send + Sync + 'static {}

impl<S: Read + Write + AsFd + Debug + Send + Sync + 'static> Stream for S {}

#[derive(Debug)]
pub struct StreamTransport {
    stream: Box<dyn Stream>,
    buffers: LazyBuffers,
}

impl StreamTransport {
    /// With the buffers that the client is configured to have.
    pub fn new(stream: impl Stream, details: &ConnectionDetails<'_>) -> Self {
        let (config, stream) = (details.config, Box::new(stream));
        Self { stream, buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()) }
    }
}

impl Transport for StreamTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        in_time(timeout)?;
        set_socket_timeout(&self.stream, Timeout::Send, left(timeout)).map_err(io::Error::from)?;
        // Goes on after an interruption by itself.
        self.stream.write_all(&self.buffers.output()[..amount]).map_err(|error| timed(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        in_time(timeout)?;
        let (bound, started) = (left(timeout), Instant::now());
        let mut rest = bound;
        loop {
            set_socket_timeout(&self.stream, Timeout::Recv, rest).map_err(io::Error::from)?;
            match self.stream.read(self.buffers.input_append_buf()) {
                Ok(amount) => {
                    self.buffers.input_appended(amount);
                    return Ok(amount > 0);
                }
                // A bounded read ends when the process is stopped and continued (signal(7)).
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    rest = bound.map(|bound| bound.saturating_sub(started.elapsed()));
                    if rest.is_some_and(|rest| rest.is_zero()) {
                        return Err(Error::Timeout(timeout.reason));
                    }
                }
                Err(error) => return Err(timed(error, timeout)),
            }
        }
    }

    /// Asked of connections that are kept; none is.
    fn is_open(&mut self) -> bool {
        false
    }
}

/// Whether there is any time left: of none, [`NextTimeout::not_zero`] makes a second, and a peer
/// that sends a byte now and then would get one after the other.
fn in_time(timeout: NextTimeout) -> Result<(), Error> {
    if timeout.after.is_zero() { Err(Error::Timeout(timeout.reason)) } else { Ok(()) }
}

/// What is left, for a socket option.
pub fn left(timeout: NextTimeout) -> Option<Duration> {
    timeout.not_zero().map(|left| *left)
}

/// The kernel words a bound that ran out as a call that would block. `TimedOut` is its
/// word for a dead peer (tcp(7)), which is not our bound.
pub fn timed(error: io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}
