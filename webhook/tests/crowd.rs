//! Good clients beside bad ones, on real sockets and without TLS: whatever others open, begin and
//! never end, a review is answered and the kubelet too.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests panic as tests do.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{Router, body::Body, routing::get};
use futures_util::stream;
use prometheus::IntCounter;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinSet,
    time::{sleep, timeout},
};
use webhook::{
    admin,
    api::Api,
    certificate::Resolver,
    health::Health,
    metrics::Metrics,
    server::{Limits, Server, Threads},
    stop::{Stop, Stopper},
    turns::{self, Turns},
};

/// What the server gives a client; who has to wait for a bad one waits for so long.
const LONG: Duration = Duration::from_mins(5);
/// What a good client waits on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_mins(1);
const KIB: usize = 1024;

struct Running {
    address: SocketAddr,
    evictions: IntCounter,
    _stopper: Stopper,
}

async fn start(router: Router, limits: Limits) -> Running {
    let (stopper, stop) = Stop::new();
    let evictions = IntCounter::new("evictions", "Evictions").unwrap();
    let server = Server::bind(([127, 0, 0, 1], 0).into(), None, router, limits, stop).await;
    let server = server.unwrap().counting(evictions.clone()).on(Threads::start(2).unwrap());
    let address = server.address().unwrap();
    tokio::spawn(server.run());
    Running { address, evictions, _stopper: stopper }
}

async fn start_webhook(connections: usize) -> Running {
    let settings = serde_json::from_value(json!({"image": "registry.example/rich-pouch:1"}));
    let metrics = Arc::new(Metrics::new().unwrap());
    let router = Api::new(settings.unwrap(), None, None, metrics, LONG).router();
    start(router, patient(Limits::new(connections))).await
}

fn patient(limits: Limits) -> Limits {
    Limits { headers: LONG, idle: limits.idle.map(|_| LONG), body: LONG, ..limits }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// So many clients that send this and nothing else.
    async fn crowd(&self, count: usize, sent: &str) -> Vec<TcpStream> {
        let mut clients = JoinSet::new();
        for _ in 0..count {
            let mut client = self.connect().await;
            let sent = sent.to_owned();
            clients.spawn(async move {
                // It may have been closed already.
                let _ = client.write_all(sent.as_bytes()).await;
                client
            });
        }
        timeout(PATIENCE, clients.join_all()).await.unwrap()
    }

    /// Asks on a new connection.
    async fn is_answered(&self, review: &str) {
        ask(&mut self.connect().await, review).await;
    }
}

fn head(length: usize) -> String {
    format!(
        "POST /mutate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    )
}

/// A body that lacks its last byte.
fn nearly(length: usize) -> String {
    head(length) + &" ".repeat(length - 1)
}

/// The creation of a rich pod with a variable of so many bytes.
fn review(size: usize) -> String {
    let pod = json!({"metadata": {"annotations": {"rich.pouch/mode": "dumb-init"}},
        "spec": {"containers": [{"name": "a", "image": "i", "command": ["a"],
                                 "env": [{"name": "LONG", "value": "x".repeat(size)}]}]}});
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request":
        {"uid": "1", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "namespace": "default",
         "operation": "CREATE", "object": pod}})
    .to_string()
}

/// A usual one.
fn small() -> String {
    review(5 * KIB)
}

/// Sends a review, and sees that it is answered with a patch.
async fn ask(stream: &mut TcpStream, review: &str) {
    let request = head(review.len()) + review;
    let answer = timeout(PATIENCE, async {
        stream.write_all(request.as_bytes()).await.unwrap();
        answer(stream).await
    });
    let (head, body) = answer.await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}\n{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["response"]["patchType"], "JSONPatch", "{answer}");
}

/// The head and the body of an answer.
async fn answer(stream: &mut TcpStream) -> (String, String) {
    let mut answer = String::new();
    loop {
        if let Some((head, body)) = answer.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() == length.unwrap().parse::<usize>().unwrap() {
                return (head.to_owned(), body.to_owned());
            }
        }
        let mut buffer = [0; KIB];
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
}

/// Waits until the server has closed a connection.
async fn until_closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    // Where it had not read everything, the end is a reset.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap();
}

#[tokio::test]
async fn a_review_is_answered_beside_hundreds_of_headers_without_bodies() {
    let webhook = start_webhook(512).await;
    let _heads = webhook.crowd(400, &head(7 * 1024 * KIB)).await;
    webhook.is_answered(&small()).await;
    webhook.is_answered(&review(1024 * KIB)).await;
    assert_eq!(webhook.evictions.get(), 0);
}

#[tokio::test]
async fn small_and_large_reviews_are_answered_beside_bodies_that_do_not_end() {
    let webhook = start_webhook(512).await;
    let mut large = webhook.crowd(40, &nearly(1024 * KIB)).await;
    let _small = webhook.crowd(200, &nearly(60 * KIB)).await;
    webhook.is_answered(&small()).await;
    webhook.is_answered(&review(1024 * KIB)).await;
    // The one that had been coming for the longest gave up its room, and is told to come again.
    let (head, body) = timeout(PATIENCE, answer(&mut large[0])).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 503") && head.contains("\r\nretry-after: 1"), "{head}");
    assert!(body.contains("send it again"), "{body}");
}

#[tokio::test]
async fn a_client_that_was_answered_and_a_new_one_find_a_place_beside_idle_connections() {
    let webhook = start_webhook(16).await;
    let mut early = webhook.connect().await;
    ask(&mut early, &small()).await;
    for sent in ["", "POST /mutate HTTP/1.1\r\nhost: a\r\n", &head(100)] {
        let before = webhook.evictions.get();
        let idle = webhook.crowd(64, sent).await;
        webhook.is_answered(&small()).await;
        ask(&mut early, &small()).await;
        until_closed(idle.into_iter().next().unwrap()).await;
        assert!(webhook.evictions.get() >= before + 48, "{sent:?}");
    }
}

#[tokio::test]
async fn a_stranger_finds_a_place_beside_idle_connections_that_were_answered() {
    let webhook = start_webhook(4).await;
    let mut known = Vec::new();
    for _ in 0..4 {
        let mut stream = webhook.connect().await;
        ask(&mut stream, &small()).await;
        known.push(stream);
    }
    let mut new = webhook.connect().await;
    until_closed(known.remove(0)).await;
    // Others that come do not take it before it has said something.
    let _more = [webhook.connect().await, webhook.connect().await];
    ask(&mut new, &small()).await;
}

/// A server with a request that is answered when it is told to.
async fn start_slow(connections: usize) -> (Running, Arc<Notify>, Arc<Notify>) {
    let (begun, end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (has_begun, may_end) = (Arc::clone(&begun), Arc::clone(&end));
    let slow = get(async move || {
        has_begun.notify_one();
        may_end.notified().await;
        "late"
    });
    let router = Router::new().route("/slow", slow);
    (start(router, patient(Limits::new(connections))).await, begun, end)
}

#[tokio::test]
async fn nobody_takes_the_place_of_a_request_that_is_being_answered() {
    for connections in [1, 2, 3] {
        let (server, begun, end) = start_slow(connections).await;
        let mut slow = server.connect().await;
        slow.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        timeout(PATIENCE, begun.notified()).await.unwrap();
        // With one place only, whoever comes is turned away; with more, by the next one.
        for idle in server.crowd(8, "").await.into_iter().take(9 - connections) {
            until_closed(idle).await;
        }
        end.notify_one();
        let (_, body) = timeout(PATIENCE, answer(&mut slow)).await.unwrap();
        assert_eq!(body, "late");
    }
}

#[tokio::test]
async fn headers_without_an_end_are_not_kept() {
    let webhook = start_webhook(16).await;
    let long = format!("POST /mutate HTTP/1.1\r\nx: {}", "x".repeat(16 * KIB));
    let mut client = webhook.crowd(1, &long).await.remove(0);
    let (head, _) = timeout(PATIENCE, answer(&mut client)).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 431"), "{head}");
}

#[tokio::test]
async fn a_client_that_does_not_take_its_answer_is_cut() {
    let (answers, begun) = (Arc::new(()), Arc::new(AtomicUsize::new(0)));
    let (kept, count) = (Arc::clone(&answers), Arc::clone(&begun));
    let endless = get(async move || {
        let kept = Arc::clone(&kept);
        count.fetch_add(1, Relaxed);
        let pieces = stream::repeat_with(move || {
            let _ = &kept;
            Ok::<_, Infallible>(vec![b' '; 64 * KIB])
        });
        Body::from_stream(pieces)
    });
    let limits = Limits { answer: Duration::from_millis(500), ..patient(Limits::new(16)) };
    let server = start(Router::new().route("/", endless), limits).await;
    let clients = server.crowd(3, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let cut = timeout(PATIENCE, async {
        // There are the test's own and the router's.
        while begun.load(Relaxed) < 3 || Arc::strong_count(&answers) > 2 {
            sleep(Duration::from_millis(1)).await;
        }
    });
    assert!(cut.await.is_ok(), "answers are kept");
    drop(clients);
}

fn admin_router(turns: Turns) -> Router {
    let (_, stop) = Stop::new();
    let resolver = Arc::new(Resolver::default());
    let health = Arc::new(Health::new(Arc::clone(&resolver), stop).watching(turns));
    admin::router(health, Arc::new(Metrics::new().unwrap()), resolver)
}

async fn get_once(server: &Running, path: &str) -> (String, String) {
    let mut stream = server.connect().await;
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = timeout(PATIENCE, answer(&mut stream)).await.unwrap();
    until_closed(stream).await;
    answer
}

#[tokio::test]
async fn the_kubelet_is_answered_beside_hundreds_of_idle_connections_and_keeps_none() {
    let turns = Turns::watch(&[], turns::Limits::default());
    let server = start(admin_router(turns), patient(Limits::of_the_admin_port())).await;
    let _idle = server.crowd(400, "").await;
    let (head, body) = get_once(&server, "/livez").await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("connection: close"), "{head}");
    assert_eq!(body, "alive\n");
}

#[tokio::test]
async fn a_replica_with_a_thread_that_serves_nobody_is_not_ready_and_then_not_alive() {
    let short = Duration::from_millis(100);
    let threads = Threads::start(2).unwrap();
    let turns = Turns::watch(threads.loops(), turns::Limits { unready: short, stuck: 5 * short });
    let server = start(admin_router(turns), Limits::of_the_admin_port()).await;
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    threads.loops()[1].spawn(async move { while !stopped.load(Relaxed) {} });
    let until = async |path, code: &str, sentence: &str| {
        let asked = timeout(PATIENCE, async {
            loop {
                let (head, body) = get_once(&server, path).await;
                if head.starts_with(code) && body.contains(sentence) {
                    break;
                }
                sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(asked.await.is_ok(), "{path}: {code}");
    };
    until("/readyz", "HTTP/1.1 503", "a serving thread has answered nobody").await;
    until("/livez", "HTTP/1.1 503", "a serving thread has used the processor").await;
    stop.store(true, Relaxed);
    until("/livez", "HTTP/1.1 200", "alive").await;
    until("/readyz", "HTTP/1.1 503", "the certificate has not been looked after").await;
}
