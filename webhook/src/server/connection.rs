//! One connection: the handshake, and then request after request.

use std::{convert::Infallible, pin::pin, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{HeaderValue, Request, Response, header::CONNECTION},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::Watcher,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader},
    net::TcpStream,
    sync::Notify,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::Limits;
use crate::stop::Stop;

/// What is read from a socket at once: most requests as a whole. rustls by itself asks for 4 KiB.
const READ: usize = 16 * 1024;

/// What every connection of a server has in common.
#[derive(Clone)]
pub(super) struct Connection {
    tls: Option<TlsAcceptor>,
    router: TowerToHyperService<Router>,
    limits: Limits,
    stop: Stop,
}

impl Connection {
    pub(super) fn new(
        tls: Option<TlsAcceptor>,
        router: Router,
        limits: Limits,
        stop: Stop,
    ) -> Self {
        Self { tls, router: TowerToHyperService::new(router), limits, stop }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Serves a client until either side has had enough. What goes wrong is the client's affair:
    /// port scanners and probes would fill a log.
    pub(super) async fn serve(self, stream: TcpStream, watcher: Watcher) {
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else {
            return self.speak_http(stream, watcher).await;
        };
        let stream = BufReader::with_capacity(READ, stream);
        match timeout(self.limits.handshake, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.speak_http(stream, watcher).await,
            Ok(Err(error)) => tracing::debug!("a TLS handshake failed: {error}"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn speak_http<S>(self, stream: S, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let begun = Arc::new(Notify::new());
        let Self { router, limits, stop, .. } = self;
        let service = service_fn({
            let begun = Arc::clone(&begun);
            move |request: Request<Incoming>| {
                begun.notify_one();
                answer(router.clone(), stop.clone(), request)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.idle)
            .serve_connection(TokioIo::new(stream), service);
        let mut served = pin!(watcher.watch(connection));
        // hyper has one deadline for a request's headers and for idleness before it. A client
        // that connects has something to say, so that the first may be a shorter one.
        tokio::select! {
            _ = &mut served => return,
            begun = timeout(limits.headers, begun.notified()) => if begun.is_err() {
                return;
            },
        }
        if let Err(error) = served.await {
            tracing::debug!("a connection failed: {error}");
        }
    }
}

async fn answer(
    router: TowerToHyperService<Router>,
    stop: Stop,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let mut response = hyper::service::Service::call(&router, request).await?;
    if stop.is_leaving() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}
