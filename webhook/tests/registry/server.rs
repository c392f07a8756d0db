//! Servers beside the registry, with TLS.

use std::{net::SocketAddr, sync::Arc};

use axum::Router;
use rustls::crypto::ring::default_provider;
use webhook::{
    certificate::{Pair, Resolver},
    server::{Limits, Server, acceptor},
    stop::{Stop, Stopper},
};

use crate::daemon::material;

/// A server on the loopback.
pub(crate) struct TlsServer {
    pub(crate) address: SocketAddr,
    _stopper: Stopper,
}

impl TlsServer {
    pub(crate) async fn start(router: Router) -> Self {
        let provider = Arc::new(default_provider());
        let resolver = Arc::new(Resolver::default());
        let (chain, key) = (material().serving.as_bytes(), material().serving_key.as_bytes());
        resolver.install(Pair::from_pem(chain, key, &provider).unwrap());
        let (stopper, stop) = Stop::new();
        let tls = acceptor(provider, resolver, None).unwrap();
        let address = ([127, 0, 0, 1], 0).into();
        let server = Server::bind(address, Some(tls), router, Limits::new(16), stop).await.unwrap();
        let address = server.address().unwrap();
        tokio::spawn(server.run());
        Self { address, _stopper: stopper }
    }
}
