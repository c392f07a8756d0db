//! What an injection costs beside what the stack costs: the webhook, and a server of the same
//! libraries that reads the body and answers a constant, asked in turn over the same TLS.
//!
//! `cargo bench -p rich-pouch-webhook`: a minute. Every figure of the table is the median of the
//! rounds; what is promised are ratios within this run, so that a busy machine is busy for both.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark that cannot run ends")]

mod load;
mod plot;
mod process;
mod reference;
mod review;
#[path = "../cost/usual.rs"]
mod usual;

use std::time::{Duration, SystemTime};

use hyper::body::Bytes;
use rustls::crypto::ring;
use tokio::runtime;
use webhook::certificate::authority::Material;

use self::{
    load::{Client, Connections},
    plot::{A_SECOND, Figure, MEGABYTES, MICROSECONDS, MILLISECONDS, Promise, Unit},
    process::{Folder, Process},
};

const CONNECTIONS: usize = 25;
const ROUNDS: usize = 12;
const ROUND: Duration = Duration::from_secs(2);
/// Allocators and caches settle within the first thousands of requests.
const WARM_UP: Duration = Duration::from_secs(2);
/// The API server takes no larger object.
const LARGE: usize = 3 * 1024 * 1024;
const LARGE_REQUESTS: usize = 40;

/// The name in the certificate.
const NAME: &str = "webhook.rich-pouch.svc";

/// A server, the connections to it, and what was measured of it.
struct Side {
    process: Process,
    connections: Connections,
    cpu: Vec<f64>,
    rate: Vec<f64>,
    median: Vec<f64>,
    p99: Vec<f64>,
    large: Vec<f64>,
    resident: f64,
}

impl Side {
    async fn new(process: Process, client: &Client) -> Self {
        let connections = client.connect(process.address, CONNECTIONS).await;
        let (cpu, rate, median, p99, large, resident) = Default::default();
        Self { process, connections, cpu, rate, median, p99, large, resident }
    }

    async fn round(&mut self, body: &Bytes, answer: &Bytes) {
        let before = self.process.cpu();
        let round = self.connections.ask_for(ROUND, body, answer).await;
        let cpu = self.process.cpu().checked_sub(before).unwrap();
        #[allow(clippy::cast_precision_loss, reason = "a round has no 2^52 requests")]
        let count = round.times.len() as f64;
        self.cpu.push(cpu.as_secs_f64() / count);
        self.rate.push(count / round.duration.as_secs_f64());
        self.median.push(quantile(&round.times, 50).as_secs_f64());
        self.p99.push(quantile(&round.times, 99).as_secs_f64());
    }
}

/// The value that so many percent of all do not exceed.
fn quantile<T: Copy + PartialOrd>(values: &[T], percent: usize) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(|a, b| a.partial_cmp(b).unwrap());
    sorted[(sorted.len() - 1) * percent / 100]
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // Two threads, as the webhook's own.
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, reference::ARGUMENT, chain, key, answer] => {
            runtime.unwrap().block_on(reference::serve(chain, key, answer));
        }
        _ => runtime.unwrap().block_on(measure()),
    }
}

async fn measure() {
    ring::default_provider().install_default().unwrap();
    let folder = Folder::new();
    let material = Material::make(&[NAME.into()], SystemTime::now()).unwrap();
    let chain = folder.write("tls.crt", &material.serving);
    let key = folder.write("tls.key", &material.serving_key);
    let config =
        folder.write("config.yaml", "image: registry.example/rich-pouch:1\npodSecurity: false\n");
    let client = Client::new(&material.authority, NAME);
    let [small, large] = [usual::SIZE, LARGE].map(|size| Bytes::from(usual::of_a_pod(size)));

    let mut webhook = Side::new(Process::webhook(&config, &chain, &key), &client).await;
    let answer = webhook.connections.ask(&small).await;
    review::assert_injection(&answer);
    let large_answer = webhook.connections.ask(&large).await;
    review::assert_injection(&large_answer);
    let answer_file = folder.write("answer.json", &answer);
    let mut reference = Side::new(Process::reference(&chain, &key, &answer_file), &client).await;
    println!(
        "{ROUNDS} rounds of {} s each, {CONNECTIONS} connections, a pod of {} bytes in a review \
         of {}, an answer of {}",
        ROUND.as_secs(),
        usual::SIZE,
        small.len(),
        answer.len()
    );

    for side in [&mut webhook, &mut reference] {
        side.connections.ask_for(WARM_UP, &small, &answer).await;
    }
    for _ in 0..ROUNDS {
        webhook.round(&small, &answer).await;
        reference.round(&small, &answer).await;
    }
    for side in [&mut webhook, &mut reference] {
        side.resident = side.process.resident();
    }
    for _ in 0..LARGE_REQUESTS {
        webhook.large.push(webhook.connections.time(&large, &large_answer).await.as_secs_f64());
        reference.large.push(reference.connections.time(&large, &answer).await.as_secs_f64());
    }
    plot::print(&figures(&webhook, &reference));
}

fn figures(webhook: &Side, reference: &Side) -> [Figure; 8] {
    let figure = |name, unit: Unit, promise, value: fn(&Side) -> f64| Figure {
        name,
        unit,
        webhook: value(webhook),
        reference: value(reference),
        promise,
    };
    let ratio = Promise::RatioAtMost(2.0);
    [
        figure("CPU time a request", MICROSECONDS, ratio, |it| quantile(&it.cpu, 50)),
        figure("requests", A_SECOND, Promise::RatioAtLeast(0.6), |it| quantile(&it.rate, 50)),
        figure("p50", MILLISECONDS, Promise::None, |it| quantile(&it.median, 50)),
        figure("p99", MILLISECONDS, ratio, |it| quantile(&it.p99, 50)),
        figure("resident after that", MEGABYTES, Promise::AtMost(16.0), |it| it.resident),
        figure("a 3 MB pod, p50", MILLISECONDS, Promise::None, |it| quantile(&it.large, 50)),
        figure("a 3 MB pod, slowest", MILLISECONDS, Promise::AtMost(50.0), |it| {
            quantile(&it.large, 100)
        }),
        figure("resident after those", MEGABYTES, Promise::None, |it| it.process.resident()),
    ]
}
