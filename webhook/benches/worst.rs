//! The dearest reviews of the fuzz target `cost`'s corpus, beside the usual one.
//!
//! Apart from the benchmark `admission`, whose servers are not to pay for the counting allocator.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot run ends")]

mod cost;

use std::alloc::System;

use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc};

use cost::{measure, usual};

#[global_allocator]
static ALLOCATOR: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The usual pod's review and the others are so often asked for each figure.
const TIMES: usize = 15;

/// Prints, for time and for memory, the review that takes the most of what it is let have.
fn main() {
    let usual = measure::least(10 * TIMES, usual::review_of_the_usual_pod().as_bytes());
    let mut worst = Worst::default();
    for (name, input) in cost::corpus() {
        for review in cost::reviews(&input) {
            let cost = measure::least(TIMES, &review);
            let allowed = usual.allowed(review.len());
            worst.time.take(
                share(cost.time.as_secs_f64(), allowed.time.as_secs_f64()),
                &name,
                cost,
            );
            worst.memory.take(share(size(cost.memory), size(allowed.memory)), &name, cost);
        }
    }
    println!(
        "\nmutate and validate alone, without HTTP; the worst of {} reviews",
        worst.time.count
    );
    let nanoseconds = |cost: measure::Cost| cost.time.as_secs_f64() * 1e9 / size(cost.size);
    let bytes = |cost: measure::Cost| size(cost.memory) / size(cost.size);
    for (what, unit, worst, a_byte) in [
        ("time a byte", "ns", worst.time, &nanoseconds as &dyn Fn(_) -> f64),
        ("memory a byte", "B", worst.memory, &bytes),
    ] {
        let (usual, most) = (a_byte(usual), worst.cost.map_or(0.0, a_byte));
        println!(
            "{what:<16} usual {usual:>7.2} {unit:<3} worst {most:>7.2} {unit:<3} ratio {:>6.2}   \
             {:.2} of what is let be: {}",
            most / usual,
            worst.share,
            worst.name
        );
    }
}

fn share(taken: f64, allowed: f64) -> f64 {
    taken / allowed
}

#[allow(clippy::cast_precision_loss, reason = "no review has 2^52 bytes")]
fn size(bytes: usize) -> f64 {
    bytes as f64
}

#[derive(Default)]
struct Worst {
    time: Dearest,
    memory: Dearest,
}

#[derive(Default)]
struct Dearest {
    count: usize,
    share: f64,
    name: String,
    cost: Option<measure::Cost>,
}

impl Dearest {
    fn take(&mut self, share: f64, name: &str, cost: measure::Cost) {
        self.count += 1;
        if share > self.share {
            *self = Self { count: self.count, share, name: name.to_owned(), cost: Some(cost) };
        }
    }
}
