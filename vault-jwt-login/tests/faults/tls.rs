//! Connections that cannot be verified. Only failures that time may fix are retried.

use crate::server::{Certificate, Fault, GOOD, Server, granted, status};
use crate::{Case, Many, Times, check};

#[test]
fn certificates_and_handshakes() {
    let tls = Server::tls;
    let other = |certificate: Certificate| tls(certificate, granted());
    let downgrade = status(307, "location: http://127.0.0.1:PORT/v1/x\r\n", "");
    check(vec![
        Case::new("all is well", tls(GOOD, granted()), 0, Times(1), ""),
        Case::new("expired", other(Certificate { until: -1_800, ..GOOD }), 69, Times(1), "its certificate is expired"),
        Case::new(
            "not valid yet",
            other(Certificate { from: 1_800, ..GOOD }),
            69,
            Times(1),
            "its certificate is not valid yet",
        ),
        Case::new(
            "for another name",
            other(Certificate { name: "vault.example.com", ..GOOD }),
            69,
            Times(1),
            "its certificate is not for \"127.0.0.1\" but for \"vault.example.com\"",
        ),
        Case::new(
            "for another name, which is asked for",
            other(Certificate { name: "vault.example.com", ..GOOD }),
            0,
            Times(1),
            "",
        )
        .flag("--vault-tls-server-name=vault.example.com"),
        Case::new(
            "of another authority",
            other(Certificate { trusted: false, ..GOOD }),
            69,
            Times(1),
            "its certificate is signed by an unknown authority (trusted: CA file \"DIR/ca\")",
        ),
        Case::new(
            "no TLS at all",
            Server::no_tls(Fault::Greet("HTTP/1.1 400 Bad Request\r\n\r\n")),
            69,
            Times(1),
            "it does not speak TLS",
        ),
        Case::new("TLS, asked without", Server::hidden_tls(granted()), 69, Many, "could not reach Vault"),
        Case::new("hangs up in the handshake", tls(GOOD, Fault::HangUp), 69, Many, "could not reach Vault"),
        Case::new("silence in the handshake", Server::no_tls(Fault::Silence), 69, Many, "no connection in "),
        Case::new("silence after the handshake", tls(GOOD, Fault::Silence), 69, Times(1), "did not respond within 1s"),
        Case::new(
            "ends in the body",
            tls(GOOD, Fault::Send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".into())),
            69,
            Many,
            "could not reach Vault",
        ),
        Case::new("a body without end", tls(GOOD, Fault::Endless), 69, Times(1), "more than 1048576 bytes"),
        Case::new("a redirect to http", tls(GOOD, downgrade), 69, Times(1), "a redirect to unencrypted"),
    ]);
}
