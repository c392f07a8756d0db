//! The loop that takes connections, and its end.

use std::{
    io,
    net::{self, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use hyper_util::server::graceful::GracefulShutdown;
use prometheus::IntCounter;
use tokio::{
    net::TcpListener,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{Limits, Threads, connection::Connection, places::Places};
use crate::stop::Stop;

/// How long the loop waits where it cannot take a connection, such as for a file descriptor.
const RESPITE: Duration = Duration::from_millis(100);

/// The address cannot be listened at.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {address}: {source}; give another address")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// A listening socket and what answers there.
pub struct Server {
    socket: TcpListener,
    evictions: Option<IntCounter>,
    connection: Connection,
    threads: Threads,
    stop: Stop,
}

impl Server {
    /// Listens at `address`, and answers nothing yet. Without `tls` it is plain HTTP.
    pub async fn bind(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        router: Router,
        limits: Limits,
        stop: Stop,
    ) -> Result<Self, BindError> {
        let socket = listen(address).await.map_err(|source| BindError { address, source })?;
        Ok(Self {
            socket,
            evictions: None,
            connection: Connection::new(tls, router, limits, stop.clone()),
            threads: Threads::of_the_caller(),
            stop,
        })
    }

    /// Serves connections on these threads instead of the caller's.
    #[must_use]
    pub fn on(self, threads: Threads) -> Self {
        Self { threads, ..self }
    }

    /// Counts here the connections that are closed to make room for new ones.
    #[must_use]
    pub fn counting(self, evictions: IntCounter) -> Self {
        Self { evictions: Some(evictions), ..self }
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers until draining, and then until every open request is answered or the deadline.
    pub async fn run(mut self) {
        let Limits { connections: count, drain, .. } = *self.connection.limits();
        let places = Arc::new(Places::new(count, self.evictions));
        let connections = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&self.socket) => accepted,
                () = self.stop.draining() => break,
            };
            match accepted {
                Ok(stream) => {
                    let Some((place, ticket)) = places.take() else { continue };
                    let (connection, watcher) = (self.connection.clone(), connections.watcher());
                    let serve = connection.serve(stream, place, watcher);
                    ticket.ends(self.threads.next().spawn(serve).abort_handle());
                }
                Err(error) => {
                    tracing::warn!("cannot take a connection: {error}");
                    // Most likely there is no file descriptor left.
                    places.evict();
                    sleep(RESPITE).await;
                }
            }
        }
        drop(self.socket);
        let open = connections.count();
        if timeout(drain, connections.shutdown()).await.is_err() {
            tracing::warn!(open, "cut the connections that were not done within the deadline");
        }
    }
}

/// Takes a connection, which belongs to no thread yet.
async fn accept(socket: &TcpListener) -> io::Result<net::TcpStream> {
    let (stream, _) = socket.accept().await?;
    stream.into_std()
}

async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        // A node without IPv6 has no "any address" that means both.
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await.map_err(|_| error)
        }
        result => result,
    }
}
