//! What a review costs follows from its size, whatever is in it: no more than the benchmark's pod,
//! and for each byte no more than six times what a byte of that one costs. Memory is counted by
//! the allocator, time by the thread's processor clock.
//!
//! Inputs are short where reviews are long: `~(20,` and `~)` are around what stands there 20 times.
#![no_main]

#[path = "../../webhook/benches/cost/mod.rs"]
mod cost;

use std::alloc::System;

use cost::{measure, usual};
use libfuzzer_sys::fuzz_target;
use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc};

#[global_allocator]
static ALLOCATOR: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How often a review must have cost too much, each time beside the usual pod: the machine is
/// others' as well.
const REPEATS: usize = 20;
const LEAST_OF: usize = 3;

fuzz_target!(|input: &[u8]| {
    for review in cost::reviews(input) {
        is_cheap(&review);
    }
});

fn is_cheap(review: &[u8]) {
    let mut repeats = 0;
    loop {
        let usual = measure::least(LEAST_OF, usual::review_of_the_usual_pod().as_bytes());
        let taken = measure::least(if repeats == 0 { 1 } else { LEAST_OF }, review);
        let allowed = usual.allowed(review.len());
        if taken.memory <= allowed.memory && taken.time <= allowed.time {
            return;
        }
        repeats += 1;
        assert!(repeats < REPEATS, "it took {taken:?}, and was let have {allowed:?}: {usual:?}");
    }
}
