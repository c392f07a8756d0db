//! The port for the kubelet and for Prometheus: /livez, /readyz and /metrics by plain HTTP.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::TEXT_FORMAT;
use tokio::{net::TcpListener, sync::Semaphore, time::sleep};

use crate::status::Status;

/// Enough for a kubelet and some scrapers; nobody can make the agent hold more.
const CONNECTIONS: usize = 32;
/// How long a connection may be silent before its next request has come.
const SILENCE: Duration = Duration::from_secs(30);
const TEXT: &str = "text/plain; charset=utf-8";

/// Serves until the program ends.
pub async fn serve(listener: TcpListener, status: Arc<Status>) -> Infallible {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: some will be free in a moment.
                tracing::warn!(%error, "cannot accept a connection on the admin port");
                sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let status = Arc::clone(&status);
        tokio::spawn(async move {
            let answer = service_fn(|request| {
                std::future::ready(Ok::<_, Infallible>(answer(&request, &status)))
            });
            // What goes wrong on a connection is its client's affair.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(SILENCE)
                .serve_connection(TokioIo::new(stream), answer)
                .await;
            drop(place);
        });
    }
}

fn answer<B>(request: &Request<B>, status: &Status) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return text(StatusCode::METHOD_NOT_ALLOWED, TEXT, "use GET\n");
    }
    match request.uri().path() {
        "/livez" => text(StatusCode::OK, TEXT, "ok\n"),
        "/readyz" => match status.ready() {
            (true, reasons) => text(StatusCode::OK, TEXT, reasons),
            (false, reasons) => text(StatusCode::SERVICE_UNAVAILABLE, TEXT, reasons),
        },
        "/metrics" => match status.metrics() {
            Ok(metrics) => text(StatusCode::OK, TEXT_FORMAT, metrics),
            Err(error) => {
                let sentence = format!("cannot write the metrics: {error}\n");
                text(StatusCode::INTERNAL_SERVER_ERROR, TEXT, sentence)
            }
        },
        _ => {
            let known = "there are /livez, /readyz and /metrics\n";
            text(StatusCode::NOT_FOUND, TEXT, known)
        }
    }
}

fn text(
    status: StatusCode,
    content: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_answered() {
        let status = Status::new(true).unwrap();
        let code = |method: Method, path: &str| {
            let request = Request::builder().method(method).uri(path).body(()).unwrap();
            answer(&request, &status).status().as_u16()
        };
        assert_eq!(code(Method::GET, "/livez"), 200);
        assert_eq!(code(Method::GET, "/metrics"), 200);
        assert_eq!(code(Method::GET, "/readyz?verbose"), 503);
        assert_eq!(code(Method::GET, "/"), 404);
        assert_eq!(code(Method::POST, "/livez"), 405);
        status.provisioned(None);
        status.labelled(None);
        assert_eq!(code(Method::GET, "/readyz"), 200);
    }
}
