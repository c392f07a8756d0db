//! What the memory that a review takes follows from: its size.
#![allow(clippy::unwrap_used)] // Helpers of tests panic as tests do.

#[path = "../benches/cost/mod.rs"]
mod cost;

use std::alloc::System;

use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc};

use cost::{measure, usual};

#[global_allocator]
static ALLOCATOR: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Alone in its file: what another test takes at the same time would be counted.
#[test]
fn no_review_takes_more_memory_for_a_byte_than_six_times_the_usual() {
    let usual = measure::least(3, usual::review_of_the_usual_pod().as_bytes());
    eprintln!("{usual:?}");
    let mut bad = Vec::new();
    for (name, input) in cost::corpus() {
        for review in cost::reviews(&input) {
            let taken = measure::least(2, &review).memory;
            let allowed = usual.allowed(review.len()).memory;
            eprintln!("{name:30} {:8} B {taken:9} of {allowed}", review.len());
            if taken > allowed {
                bad.push(format!("{name}: {} bytes: {taken} of {allowed}", review.len()));
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}
