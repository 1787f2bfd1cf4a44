//! Opens TCP connections that notice a dead host. A request that was sent waits
//! for minutes, and without keepalive a host that lost its power or its network
//! would be waited for as long.

use crate::connection::stream::{StreamTransport, left};
use rustix::net::sockopt::{
    set_socket_keepalive, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl, set_tcp_user_timeout,
};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use ureq::unversioned::transport::{ConnectionDetails, Connector, Either, Transport};
use ureq::{Error, Timeout};

/// A connection that is silent for this long is probed.
const IDLE: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_secs(5);
/// A host that acknowledges neither probes nor data for this long is dead.
const DEAD_AFTER: Duration = Duration::from_secs(30);

/// Connects to the first address of a host that answers.
#[derive(Debug)]
pub struct TcpConnector;

impl<In: Transport> Connector<In> for TcpConnector {
    type Out = Either<In, StreamTransport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        if let Some(connected) = chained {
            return Ok(Some(Either::A(connected)));
        }
        let stream = first_of(&details.addrs, left(details.timeout))?;
        stream.set_nodelay(true)?;
        // Where the kernel does not know an option, a login without it is better than none.
        let _ = notice_a_dead_host(&stream);
        Ok(Some(Either::B(StreamTransport::new(stream, details))))
    }
}

/// Connects to the first address that answers, within `bound`. Each address gets half of
/// the time that is left, and the last one all of it.
fn first_of(addresses: &[SocketAddr], bound: Option<Duration>) -> Result<TcpStream, Error> {
    let started = Instant::now();
    let mut last = Error::HostNotFound;
    for (number, address) in addresses.iter().enumerate() {
        let left = bound.map(|bound| bound.saturating_sub(started.elapsed()));
        let own = left.map(|left| if number + 1 == addresses.len() { left } else { left / 2 });
        let connected = match own {
            Some(own) if own.is_zero() => return Err(Error::Timeout(Timeout::Connect)),
            Some(own) => TcpStream::connect_timeout(address, own),
            None => TcpStream::connect(address),
        };
        last = match connected {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Error::Timeout(Timeout::Connect),
            Err(error) => error.into(),
        };
    }
    Err(last)
}

/// Lets the kernel end the connection of a host that is gone (tcp(7)): `TCP_USER_TIMEOUT`
/// bounds unacknowledged data and, with keepalive on, unacknowledged probes.
fn notice_a_dead_host(stream: &TcpStream) -> io::Result<()> {
    set_socket_keepalive(stream, true)?;
    set_tcp_keepidle(stream, IDLE)?;
    set_tcp_keepintvl(stream, INTERVAL)?;
    let probes = (DEAD_AFTER - IDLE).as_secs() / INTERVAL.as_secs();
    set_tcp_keepcnt(stream, probes as u32)?;
    Ok(set_tcp_user_timeout(stream, DEAD_AFTER.as_millis() as u32)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::sockopt::{socket_keepalive, tcp_keepcnt, tcp_keepidle, tcp_keepintvl, tcp_user_timeout};
    use std::net::TcpListener;

    #[test]
    fn a_dead_host_is_noticed_after_thirty_seconds() {
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let stream = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        notice_a_dead_host(&stream).unwrap();
        assert!(socket_keepalive(&stream).unwrap());
        let [idle, interval] = [tcp_keepidle(&stream).unwrap(), tcp_keepintvl(&stream).unwrap()];
        assert_eq!(idle + interval * tcp_keepcnt(&stream).unwrap(), Duration::from_secs(30));
        assert_eq!(tcp_user_timeout(&stream).unwrap(), 30_000);
    }

    #[test]
    fn the_next_address_is_tried() {
        let server = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let answers = server.local_addr().unwrap();
        // Bound and closed: nothing listens there.
        let refuses = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
        let bound = Some(Duration::from_secs(5));
        assert_eq!(first_of(&[refuses, answers], bound).unwrap().peer_addr().unwrap(), answers);
        assert!(
            matches!(first_of(&[refuses], bound), Err(Error::Io(e)) if e.kind() == io::ErrorKind::ConnectionRefused)
        );
        assert!(matches!(first_of(&[], bound), Err(Error::HostNotFound)));
        assert!(matches!(first_of(&[answers], Some(Duration::ZERO)), Err(Error::Timeout(Timeout::Connect))));
    }
}
