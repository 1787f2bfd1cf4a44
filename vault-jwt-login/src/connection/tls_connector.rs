//! Connects the HTTP client to the TLS library. The client's own connector always verifies
//! the URL's host, while `VAULT_TLS_SERVER_NAME` asks for another name, with the `Host`
//! header and a proxy's CONNECT left alone.

use crate::connection::in_flight::InFlight;
use crate::connection::tls::TlsConfig;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::fmt;
use std::io::{self, Read, Write};
use std::time::Duration;
use ureq::unversioned::transport::time::{Duration as Budget, Instant};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

#[derive(Debug)]
pub struct TlsConnector {
    tls: Option<TlsConfig>,
    vault_host: String,
    in_flight: InFlight,
    /// Whether Vault is reached through a proxy, to which a connection is made first.
    proxied: bool,
}

impl TlsConnector {
    /// `tls` may be absent when nothing but `http` is asked for. The server
    /// name that `tls` holds counts for `vault_host`, not for a proxy. `in_flight` is told
    /// when the connection to Vault is made.
    pub fn new(tls: Option<TlsConfig>, vault_host: &str, in_flight: InFlight, proxied: bool) -> Self {
        Self { tls, vault_host: vault_host.to_owned(), in_flight, proxied }
    }

    fn connected(&self, details: &ConnectionDetails<'_>) {
        // The client connects to a proxy with a configuration that has none.
        if details.config.proxy().is_some() == self.proxied {
            self.in_flight.connected();
        }
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else { return Ok(None) };
        let (true, false, Some(tls)) = (details.needs_tls(), transport.is_tls(), &self.tls) else {
            // An https address that stays without TLS is refused by the client.
            self.connected(details);
            return Ok(Some(Either::A(transport)));
        };
        let host = details.uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let name = match &tls.server_name {
            Some(name) if host.eq_ignore_ascii_case(&self.vault_host) => name.clone(),
            _ => ServerName::try_from(host.to_owned())
                .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the host is not a name TLS can verify"))?,
        };
        let connection = ClientConnection::new(tls.config.clone(), name).map_err(io::Error::other)?;
        let adapter = TransportAdapter::new(transport.boxed(), details.current_time.clone());
        let mut stream = StreamOwned::new(connection, adapter);
        shake_hands(&mut stream, details)?;
        self.connected(details);
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Either::B(TlsTransport { stream, buffers })))
    }
}

/// The handshake, within the time to connect in as a whole: the bound of the adapter is one on
/// each read.
fn shake_hands(
    stream: &mut StreamOwned<ClientConnection, TransportAdapter>,
    details: &ConnectionDetails<'_>,
) -> Result<(), ureq::Error> {
    while stream.conn.is_handshaking() {
        stream.sock.set_timeout(left(details));
        if stream.conn.wants_write() {
            stream.conn.write_tls(&mut stream.sock)?;
        } else if stream.conn.read_tls(&mut stream.sock)? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        } else if let Err(error) = stream.conn.process_new_packets() {
            // The alert that says why; the connection is of no use either way.
            let _ = stream.conn.write_tls(&mut stream.sock);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error).into());
        }
    }
    // What is left to say, such as our last message of TLS 1.3.
    while stream.conn.wants_write() {
        stream.conn.write_tls(&mut stream.sock)?;
    }
    Ok(())
}

/// What the TCP connection has left of the time to connect in.
fn left(details: &ConnectionDetails<'_>) -> NextTimeout {
    let mut timeout = details.timeout;
    let spent = match (details.now, (details.current_time)()) {
        (Instant::Exact(start), Instant::Exact(now)) => now.saturating_duration_since(start),
        _ => Duration::ZERO,
    };
    if let Budget::Exact(budget) = timeout.after {
        timeout.after = Budget::Exact(budget.saturating_sub(spent));
    }
    timeout
}

pub struct TlsTransport {
    stream: StreamOwned<ClientConnection, TransportAdapter>,
    buffers: LazyBuffers,
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        self.stream.write_all(&self.buffers.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.sock.get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsTransport").finish_non_exhaustive()
    }
}
