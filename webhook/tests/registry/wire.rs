//! The wire to a registry, which can be counted at, held up and cut.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// A listener that passes on what comes.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    /// A permit for each connection that has passed as much as it was to, and passes no more.
    stuck: Arc<Semaphore>,
}

impl Wire {
    /// A wire that passes everything.
    pub(crate) async fn to(upstream: SocketAddr) -> Self {
        Self::until(upstream, usize::MAX).await
    }

    /// A wire on which each connection holds up the answers after so many bytes.
    pub(crate) async fn until(upstream: SocketAddr, bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let stuck = Arc::new(Semaphore::new(0));
        let (count, told) = (Arc::clone(&connections), Arc::clone(&stuck));
        tokio::spawn(async move {
            while let Ok((down, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(pass(down, upstream, bytes, Arc::clone(&told)));
            }
        });
        Self { address, connections, stuck }
    }

    /// Waits until so many connections are stuck.
    pub(crate) async fn stuck(&self, count: u32) {
        self.stuck.acquire_many(count).await.unwrap().forget();
    }

    /// How many connections there were.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn pass(down: TcpStream, upstream: SocketAddr, bytes: usize, stuck: Arc<Semaphore>) {
    let Ok(up) = TcpStream::connect(upstream).await else {
        return;
    };
    let (mut from_client, mut to_client) = down.into_split();
    let (mut from_server, mut to_server) = up.into_split();
    let requests = tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
    let mut left = bytes;
    let mut buffer = vec![0; 4096];
    while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
        let count = count.min(left);
        left -= count;
        if to_client.write_all(&buffer[..count]).await.is_err() {
            break;
        }
        if left == 0 {
            stuck.add_permits(1);
            // Until the server ends; then so does the connection to the client.
            while let Ok(1..) = from_server.read(&mut buffer).await {}
            break;
        }
    }
    requests.abort();
}
