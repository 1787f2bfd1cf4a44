//! A fake API server that claims to be a real cluster. It runs inside the test process, with
//! its own TLS certificate or with those that a test gives it. `relay_answers` has its responses.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::{HandshakeKind, ServerConnection, StreamOwned};
use shared::Secret;

use super::listener::{Listener, Open};
use super::relay_answers::{Answers, Published, RelayOptions, Tokens};
use super::{Cluster, ServerError, scripted};
use crate::certificates::{Authority, Certificate};
use crate::keys::SigningKey;

/// What it shows to those who connect.
#[derive(Debug, Clone)]
pub enum Presented {
    /// A certificate of an authority of its own, for these DNS names besides
    /// those of every test server.
    Own(Vec<String>),
    /// The first connection sees the first one, and so on; the last one is for
    /// all that follow. Each may have further certificates behind it.
    These(Vec<Certificate>),
    /// No TLS.
    Nothing,
}

/// The stand-in. Dropped, it is gone.
#[derive(Debug)]
pub struct Relay {
    listener: Listener,
    answers: Arc<Answers>,
    handshakes: Arc<Handshakes>,
    authority: Authority,
    tls: bool,
}

#[derive(Debug, Default)]
struct Handshakes {
    all: AtomicUsize,
    resumed: AtomicUsize,
}

impl Relay {
    /// Starts one that claims to be `victim`.
    ///
    /// # Errors
    /// The victim does not answer, or a certificate or the listener cannot be
    /// made.
    pub fn start(victim: &Cluster, presented: &Presented, options: RelayOptions) -> Result<Self, ServerError> {
        let authority = Authority::new("kubernetes")?;
        let answers = Arc::new(Answers::of(victim, options)?);
        let handshakes = Arc::new(Handshakes::default());
        let certificates = match presented {
            Presented::Own(names) => vec![authority.server_for(names)?],
            Presented::These(certificates) => certificates.clone(),
            Presented::Nothing => Vec::new(),
        };
        let tls = !certificates.is_empty();
        let answering = Arc::clone(&answers);
        let listener = if tls {
            let configs: io::Result<Vec<_>> = certificates.iter().map(scripted::tls).collect();
            let configs = configs.map_err(ServerError::io("reading a certificate"))?;
            let counting = Arc::clone(&handshakes);
            Listener::start(move |mut stream: TcpStream, open: &Open| {
                let number = counting.all.fetch_add(1, Ordering::SeqCst);
                let config = &configs[number.min(configs.len() - 1)];
                let mut connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
                connection.complete_io(&mut stream)?;
                if connection.handshake_kind() == Some(HandshakeKind::Resumed) {
                    counting.resumed.fetch_add(1, Ordering::SeqCst);
                }
                let answer = |request: &_| answering.answer(request);
                scripted::serve(&mut StreamOwned::new(connection, stream), |_, request| answer(request), open)
            })
        } else {
            scripted::start_plain(move |request| answering.answer(request))
        };
        let listener = listener.map_err(ServerError::io("starting a stand-in for an API server"))?;
        Ok(Self { listener, answers, handshakes, authority, tls })
    }

    pub fn port(&self) -> u16 {
        self.listener.port()
    }

    /// The address of the API server that it plays.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}{}", self.port(), self.answers.prefix())
    }

    /// The certificate of its own authority, PEM.
    pub fn ca_pem(&self) -> String {
        self.authority.pem()
    }

    /// The key of its own.
    pub fn key(&self) -> &SigningKey {
        self.answers.key()
    }

    /// A token that it signs itself, for one hour: what an attacker logs in with.
    ///
    /// # Errors
    /// The key cannot sign.
    pub fn token(&self, namespace: &str, name: &str, audiences: &[&str]) -> Result<Secret, ServerError> {
        Ok(self.answers.forge(namespace, name, audiences, 3_600)?)
    }

    /// Shows these keys from now on.
    pub fn publish(&self, published: Published) {
        self.answers.publish(published);
    }

    /// Has its tokens from there from now on.
    pub fn issue(&self, tokens: Tokens) {
        self.answers.issue(tokens);
    }

    /// The requests that have come, as `GET /path`, in order.
    pub fn requests(&self) -> Vec<String> {
        self.answers.requests()
    }

    /// How many connections have begun with a handshake.
    pub fn handshakes(&self) -> usize {
        self.handshakes.all.load(Ordering::SeqCst)
    }

    /// How many of them took up an earlier session, so that no certificate was
    /// shown.
    pub fn resumed(&self) -> usize {
        self.handshakes.resumed.load(Ordering::SeqCst)
    }
}
