//! The loop that takes connections, and its end.

use std::{
    io,
    net::{self, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{Limits, Threads, connection::Connection};
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
    connections: Arc<Semaphore>,
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
            connections: Arc::new(Semaphore::new(limits.connections)),
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

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers until draining, and then until every open request is answered or the deadline.
    pub async fn run(mut self) {
        let drain = self.connection.limits().drain;
        let connections = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&self.socket, &self.connections) => accepted,
                () = self.stop.draining() => break,
            };
            match accepted {
                Ok((stream, permit)) => {
                    let (connection, watcher) = (self.connection.clone(), connections.watcher());
                    self.threads.next().spawn(async move {
                        // Its readiness is to wake this thread. Where it cannot be known, only
                        // this client is left without an answer.
                        if let Ok(stream) = TcpStream::from_std(stream) {
                            connection.serve(stream, watcher).await;
                        }
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!("cannot take a connection: {error}");
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

/// Takes a connection where there is room for one.
async fn accept(
    socket: &TcpListener,
    connections: &Arc<Semaphore>,
) -> io::Result<(net::TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(connections).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = socket.accept().await?;
    Ok((stream.into_std()?, permit))
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
