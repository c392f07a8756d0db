//! Servers beside the registry, with TLS.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::Request,
    http::{
        StatusCode,
        header::{AUTHORIZATION, LOCATION, WWW_AUTHENTICATE},
    },
    response::{IntoResponse as _, Response},
};
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

/// Paths that were asked for, and the authorizations that came with them.
type Seen = Vec<(String, Option<String>)>;

/// A server on the loopback that answers by a function, and remembers what it was asked.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _server: TlsServer,
}

impl Scripted {
    pub(crate) async fn start(
        answer: impl Fn(&Request) -> Response + Clone + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Seen::new()));
        let record = Arc::clone(&seen);
        let server = TlsServer::start(Router::new().fallback(async move |request: Request| {
            let shown = request.headers().get(AUTHORIZATION);
            let shown = shown.map(|it| it.to_str().unwrap().to_owned());
            record.lock().unwrap().push((request.uri().path().to_owned(), shown));
            answer(&request)
        }));
        let server = server.await;
        Self { address: server.address, seen, _server: server }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// The authorizations that came with this path.
    pub(crate) fn shown(&self, path: &str) -> Vec<Option<String>> {
        self.seen().into_iter().filter(|(seen, _)| seen == path).map(|(_, shown)| shown).collect()
    }
}

/// An answer that sends the client elsewhere.
pub(crate) fn redirect(to: &str) -> Response {
    (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, to)]).into_response()
}

/// An answer that wants an authorization.
pub(crate) fn demand(challenge: &str) -> Response {
    (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, challenge)]).into_response()
}
