//! The HTTP server of a watcher: metrics and probes, read only.

use crate::command::watch::{Requests, Stats, StatsCell};
use crate::error::ListenError;
use crate::render::metrics;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::time::Instant;

#[derive(Clone)]
pub struct Served {
    pub stats: Arc<StatsCell>,
    pub requests: Requests,
}

/// Listens at `address`; all addresses of a machine without IPv6 are those of
/// IPv4.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let listener = match TcpListener::bind(address).await {
        Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable || is_without_ipv6(&error) => {
            if !address.ip().is_unspecified() {
                return Err(ListenError { address, source: error });
            }
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    };
    listener.map_err(|source| ListenError { address, source })
}

/// `EAFNOSUPPORT`, which has no kind of its own: the kernel knows no IPv6.
fn is_without_ipv6(error: &std::io::Error) -> bool {
    cfg!(target_os = "linux") && error.raw_os_error() == Some(97)
}

pub async fn serve(listener: TcpListener, served: Served) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(async |State(served): State<Served>| healthy(&served.stats.lock(), Instant::now())))
        .route("/readyz", get(async |State(served): State<Served>| ready(&served.stats.lock())))
        .with_state(served);
    axum::serve(listener, router).await
}

async fn metrics(State(served): State<Served>) -> impl IntoResponse {
    let stats = served.stats.lock().clone();
    match metrics::text(&stats, &served.requests, Instant::now()) {
        Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, metrics::MEDIA_TYPE)], text),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], String::new()),
    }
}

fn healthy(stats: &Stats, now: Instant) -> (StatusCode, String) {
    match stats.alive(now) {
        true => (StatusCode::OK, "ok\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, "the loop that reads keys is stuck\n".to_owned()),
    }
}

/// Only what is wrong, not with which cluster: a client that can reach the port
/// sees it.
fn ready(stats: &Stats) -> (StatusCode, String) {
    match &stats.not_ready {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", shared::text::one_line(why))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn probes_say_what_is_wrong() {
        let mut stats = Stats::new("jwt");
        assert_eq!(ready(&stats), (StatusCode::SERVICE_UNAVAILABLE, "the mount has not been read yet\n".to_owned()));
        stats.not_ready = None;
        assert_eq!(ready(&stats), (StatusCode::OK, "ok\n".to_owned()));
        assert_eq!(healthy(&stats, Instant::now()), (StatusCode::OK, "ok\n".to_owned()));
        let later = Instant::now() + Duration::from_secs(901);
        assert_eq!(
            healthy(&stats, later),
            (StatusCode::SERVICE_UNAVAILABLE, "the loop that reads keys is stuck\n".to_owned())
        );
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_an_error() {
        let taken = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = listen(address).await.unwrap_err();
        assert_eq!(error.to_string(), format!("could not listen on {address} for metrics: address already in use"));
    }
}
