//! What a review costs follows from its size, whatever is in it: no more than the benchmark's pod,
//! and for each byte no more than six times what a byte of that one costs. Memory is counted by
//! the allocator, time by the thread's processor clock.
//!
//! Inputs are short where reviews are long: `~(20,` and `~)` are around what stands there 20 times.
#![no_main]

#[path = "../../webhook/benches/cost/mod.rs"]
mod cost;

use cost::{measure, usual};
use libfuzzer_sys::fuzz_target;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// How often a review must have cost too much, each time beside the usual pod: the machine is
/// others' as well.
const REPEATS: usize = 8;
const LEAST_OF: usize = 3;

fuzz_target!(|input: &[u8]| {
    for review in cost::reviews(input) {
        is_cheap(&review);
    }
});

fn is_cheap(review: &[u8]) {
    if std::env::var_os("COST_PRINT").is_some() {
        let usual = measure::least(21, usual::review_of_the_usual_pod().as_bytes());
        let taken = measure::least(5, review);
        let allowed = usual.allowed(review.len());
        eprintln!("COST {:8} mem {:5.2} time {:5.2} | {taken:?} {usual:?}", review.len(), taken.memory as f64 / allowed.memory as f64, taken.time.as_secs_f64() / allowed.time.as_secs_f64());
        return;
    }
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
