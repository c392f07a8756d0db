//! Sockets: connections in, requests to a router, on threads, within deadlines and a cap.

mod connection;
mod listener;
mod places;
mod threads;
mod tls;

use std::time::Duration;

pub use listener::{BindError, Server};
pub use threads::Threads;
pub use tls::{TlsError, acceptor};

/// What clients may take up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; one more closes the one that is idle for the longest.
    pub connections: usize,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From the handshake to the end of the first request's headers.
    pub headers: Duration,
    /// From an answer to the end of the next request's headers; without it an answer ends the
    /// connection.
    pub idle: Option<Duration>,
    /// For a request's body.
    pub body: Duration,
    /// For a client to take what it is sent.
    pub answer: Duration,
    /// For the open requests at the end.
    pub drain: Duration,
}

impl Limits {
    /// The limits for this many connections.
    #[must_use]
    pub const fn new(connections: usize) -> Self {
        Self {
            connections,
            handshake: Duration::from_secs(10),
            headers: Duration::from_secs(10),
            // The API server keeps idle connections for 90 s and does not repeat a POST that
            // meets a connection which is being closed, so that it must be the first to close.
            idle: Some(Duration::from_mins(2)),
            body: Duration::from_secs(10),
            answer: Duration::from_secs(10),
            // As long as the API server waits for an answer by default.
            drain: Duration::from_secs(10),
        }
    }

    /// Those for the kubelet and for Prometheus: each asks once, and at once.
    #[must_use]
    pub const fn of_the_admin_port() -> Self {
        Self { headers: Duration::from_secs(5), idle: None, ..Self::new(64) }
    }
}
