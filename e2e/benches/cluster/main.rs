//! What systemd mode costs, measured beside what it stands in for: `make bench-cluster`.
//!
//! `cargo bench --package rich-pouch-e2e [-- start | output]`, on the cluster of the KUBECONFIG.
//! docs/benchmarks.md says what is measured and what came out.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark that cannot measure ends")]
#![allow(clippy::cast_precision_loss, reason = "no time or size is that exact")]

mod output;
mod start;

#[tokio::main]
async fn main() {
    // cargo adds a flag of its own.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|it| !it.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|it| it == name);
    if is_wanted("start") {
        start::measure().await;
    }
    if is_wanted("output") {
        output::measure().await;
    }
}

/// The one in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    *values.get(values.len() / 2).expect("something that was measured")
}
