//! What connects to the hosts of one look-up.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    vec,
};

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        self,
        connect::{HttpConnector, dns::Name},
    },
    rt::TokioExecutor,
};
use rustls::ClientConfig;
use tokio::task::spawn_blocking;
use tower::Service;

use super::{places::Taken, reach::Reach};

/// No answer's head is larger, which the client keeps in memory: a token may have some 10 KiB.
const HEAD: usize = 64 * 1024;

/// A client that is used for one look-up.
pub(super) type Client = legacy::Client<HttpsConnector<HttpConnector<Resolver>>, Empty<Bytes>>;

/// A client that speaks HTTPS only, with addresses that may be reached.
pub(super) fn client(tls: ClientConfig, reach: Reach, taken: Arc<Taken>) -> Client {
    let mut http = HttpConnector::new_with_resolver(Resolver { reach, taken });
    http.enforce_http(false);
    let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1();
    legacy::Client::builder(TokioExecutor::new())
        .http1_max_buf_size(HEAD)
        .build(https.wrap_connector(http))
}

/// The system's resolver, which gives only addresses that may be reached.
#[derive(Clone)]
pub(super) struct Resolver {
    reach: Reach,
    taken: Arc<Taken>,
}

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self { reach, taken } = self.clone();
        Box::pin(async move {
            let resolving = spawn_blocking(move || {
                // A name server that is silent keeps the thread, and with it the place, longer
                // than the look-up lasts.
                let _taken = taken;
                let found = (name.as_str(), 0).to_socket_addrs()?;
                let reached: Vec<_> = found.filter(|it| reach.includes(it.ip())).collect();
                if reached.is_empty() { Err(not_public()) } else { Ok(reached.into_iter()) }
            });
            resolving.await.map_err(io::Error::other)?
        })
    }
}

/// Why a host is not connected to that has an inner address.
pub(super) fn not_public() -> io::Error {
    io::Error::other("it has no public address")
}
