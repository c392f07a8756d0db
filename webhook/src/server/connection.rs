//! One connection: the handshake, and then request after request.

use std::{
    convert::Infallible,
    net,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    http::{HeaderValue, Request, Response, header::CONNECTION},
};
use hyper::{
    body::{Frame, Incoming, SizeHint},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::Watcher,
    service::TowerToHyperService,
};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader},
    net::TcpStream,
    sync::Notify,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{Limits, places::Place};
use crate::stop::Stop;

/// What is read from a socket at once: most requests as a whole. rustls by itself asks for 4 KiB.
/// It is also the most that a request's headers may have: hyper by itself would keep 400 KiB for
/// every client that sends headers without an end.
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
    pub(super) async fn serve(self, stream: net::TcpStream, place: Place, watcher: Watcher) {
        // A client that does not take its answer would keep it in our memory.
        let _ = SockRef::from(&stream).set_tcp_user_timeout(Some(self.limits.answer));
        let _ = stream.set_nodelay(true);
        // Its readiness is to wake this thread. Where it cannot be known, only this client is left
        // without an answer.
        let Ok(stream) = TcpStream::from_std(stream) else { return };
        let Some(tls) = &self.tls else {
            return self.speak_http(stream, place, watcher).await;
        };
        let stream = BufReader::with_capacity(READ, stream);
        match timeout(self.limits.handshake, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.speak_http(stream, place, watcher).await,
            Ok(Err(error)) => tracing::debug!("a TLS handshake failed: {error}"),
            Err(_) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn speak_http<S>(self, stream: S, place: Place, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let begun = Arc::new(Notify::new());
        let Self { router, limits, stop, .. } = self;
        let place = Arc::new(place);
        let service = service_fn({
            let begun = Arc::clone(&begun);
            move |request: Request<Incoming>| {
                begun.notify_one();
                answer(router.clone(), stop.clone(), Arc::clone(&place), request)
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.idle.unwrap_or(limits.headers))
            .keep_alive(limits.idle.is_some())
            .max_buf_size(READ)
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
    place: Arc<Place>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    place.receives();
    let request = request.map(|body| Arriving::new(body, Arc::clone(&place)));
    let mut response = hyper::service::Service::call(&router, request).await?;
    place.has_answered(response.status().is_success());
    if stop.is_leaving() {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// A body whose end makes the place safe.
struct Arriving {
    body: Incoming,
    place: Arc<Place>,
}

impl Arriving {
    fn new(body: Incoming, place: Arc<Place>) -> Self {
        let arriving = Self { body, place };
        arriving.look();
        arriving
    }

    fn look(&self) {
        if self.body.is_end_stream() {
            self.place.answers();
        }
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match frame {
            None => self.place.answers(),
            Some(_) => self.look(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
