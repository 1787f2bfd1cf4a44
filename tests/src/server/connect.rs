//! An HTTP forward proxy for host names that do not resolve: a program gets its address in
//! `HTTPS_PROXY`, asks it for a host of the internet, and is connected to a server of the test.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

use super::ServerError;
use super::listener::{Listener, Open};
use super::proxy::{connect, pass_both_ways};
use super::raw_http::Request;
use crate::process::locked;

/// Knows `CONNECT` alone; passes bytes on unseen. Hosts are `name:port`.
#[derive(Debug)]
pub struct ConnectProxy {
    shared: Arc<Shared>,
    listener: Listener,
}

#[derive(Debug, Default)]
struct Shared {
    routes: Mutex<HashMap<String, u16>>,
    blocked: Mutex<HashSet<String>>,
    asked: Mutex<Vec<String>>,
    tunnels: Mutex<Vec<Tunnel>>,
}

/// What is open, so that it can be ended.
#[derive(Debug)]
struct Tunnel {
    number: usize,
    host: String,
    ends: [TcpStream; 2],
}

impl ConnectProxy {
    /// Starts one that knows no host.
    ///
    /// # Errors
    /// There is no port to listen on.
    pub fn start() -> Result<Self, ServerError> {
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let listener = Listener::start(move |client, open| serving.serve(client, open));
        Ok(Self { shared, listener: listener.map_err(ServerError::io("starting a forward proxy"))? })
    }

    pub fn port(&self) -> u16 {
        self.listener.port()
    }

    /// Its address, for `HTTPS_PROXY` and `proxy-url`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// Connections to `host` (`name:port`) go to 127.0.0.1:`port` from now on.
    /// A host without a route is answered with 502.
    pub fn route(&self, host: &str, port: u16) {
        locked(&self.shared.routes).insert(host.to_ascii_lowercase(), port);
    }

    /// From now on connections to `host` end without an answer, as do those
    /// that are open.
    pub fn block(&self, host: &str) {
        let host = host.to_ascii_lowercase();
        let mut blocked = locked(&self.shared.blocked);
        for tunnel in locked(&self.shared.tunnels).iter().filter(|tunnel| tunnel.host == host) {
            for end in &tunnel.ends {
                // It may have ended by itself.
                let _ = end.shutdown(Shutdown::Both);
            }
        }
        blocked.insert(host);
    }

    /// Ends what [`Self::block`] began.
    pub fn unblock(&self, host: &str) {
        locked(&self.shared.blocked).remove(&host.to_ascii_lowercase());
    }

    /// How often `host` (`name:port`) was asked for, also in vain.
    pub fn connections(&self, host: &str) -> usize {
        locked(&self.shared.asked).iter().filter(|asked| asked.eq_ignore_ascii_case(host)).count()
    }

    /// Every host that was asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        locked(&self.shared.asked).clone()
    }
}

impl Shared {
    fn serve(&self, mut client: TcpStream, open: &Open) -> io::Result<()> {
        let mut rest = Vec::new();
        let Some(request) = Request::read(&mut client, &mut rest)? else { return Ok(()) };
        let host = request.target.to_ascii_lowercase();
        let number = {
            let mut asked = locked(&self.asked);
            asked.push(host.clone());
            asked.len()
        };
        if request.method != "CONNECT" {
            return refuse(&mut client, "405 Method Not Allowed", "only CONNECT is known here\n");
        }
        if locked(&self.blocked).contains(&host) {
            return client.shutdown(Shutdown::Both);
        }
        let port = locked(&self.routes).get(&host).copied();
        let Some(port) = port else { return refuse(&mut client, "502 Bad Gateway", "no route to that host\n") };
        let Ok(mut server) = connect(port) else {
            return refuse(&mut client, "502 Bad Gateway", "nothing listens there\n");
        };
        let _kept = open.keep(&server)?;
        {
            let blocked = locked(&self.blocked);
            if blocked.contains(&host) {
                return client.shutdown(Shutdown::Both);
            }
            let ends = [client.try_clone()?, server.try_clone()?];
            locked(&self.tunnels).push(Tunnel { number, host, ends });
        }
        let passed = client.write_all(b"HTTP/1.1 200 Connection Established\r\n\r\n").and_then(|()| {
            // What a hasty client has said already.
            server.write_all(&rest)?;
            pass_both_ways(&client, &server)
        });
        locked(&self.tunnels).retain(|tunnel| tunnel.number != number);
        passed
    }
}

fn refuse(client: &mut TcpStream, status: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n");
    client.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes())?;
    client.shutdown(Shutdown::Both)
}
