//! The port for the kubelet and for Prometheus: /livez, /readyz and /metrics by plain HTTP.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

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
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
    time::{sleep, timeout},
};

use crate::status::Status;

/// Nobody can make the agent hold more: one more closes the oldest, so that the kubelet never waits
/// for a client that says nothing. A kubelet and some scrapers, who ask at once, are answered long
/// before so many others have come.
const CONNECTIONS: usize = 64;
/// For a request's headers.
const HEADERS: Duration = Duration::from_secs(5);
/// For all of a connection, which has one request: a scraper may be slow to take the metrics.
const CONNECTION: Duration = Duration::from_secs(10);
/// What hyper keeps of a request at least; by itself it would keep 400 KiB of one without an end.
const BUFFER: usize = 8 * 1024;
const TEXT: &str = "text/plain; charset=utf-8";

/// Serves until the program ends.
pub async fn serve(listener: TcpListener, status: Arc<Status>) -> Infallible {
    let mut connections: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of descriptors, most likely: some will be free in a moment.
                tracing::warn!(%error, "cannot accept a connection on the admin port");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if connections.len() == CONNECTIONS
            && let Some(oldest) = connections.pop_front()
        {
            oldest.abort();
        }
        let connection = timeout(CONNECTION, converse(stream, Arc::clone(&status)));
        connections.push_back(tokio::spawn(connection).abort_handle());
    }
}

/// One request and its answer. What goes wrong is the client's affair.
async fn converse(stream: TcpStream, status: Arc<Status>) {
    let answer =
        service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&request, &status))));
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .keep_alive(false)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

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

    #[tokio::test]
    async fn the_kubelet_is_answered_beside_hundreds_of_idle_connections_and_keeps_none() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Arc::new(Status::new(false).unwrap())));
        let mut idle = Vec::new();
        for _ in 0..4 * CONNECTIONS {
            idle.push(TcpStream::connect(address).await.unwrap());
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        // Less than the thirty seconds for which a silent client was once served.
        let read = timeout(Duration::from_secs(20), stream.read_to_string(&mut answer));
        read.await.unwrap().unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
    }
}
