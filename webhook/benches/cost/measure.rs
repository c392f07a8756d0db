//! The way of a review, and what it takes.

use std::{hint::black_box, sync::LazyLock, time::Duration};

use inject::{Entrypoint, Known, Level, Namespace, Settings};
use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAllocTrait as _};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use webhook::admission::{Envelope, Request, Verdict, mutate, response, validate};

/// How many times the usual cost a byte is let be.
const FACTOR: u32 = 6;

/// What a review took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// The bytes of the review.
    pub(crate) size: usize,
    /// The processor time of both questions.
    pub(crate) time: Duration,
    /// The most bytes that were taken at once, with the review itself.
    pub(crate) memory: usize,
}

impl Cost {
    /// What a review of this size may cost where this is the usual one: as much as it, and for
    /// each of its bytes [`FACTOR`] times what a byte of that one costs.
    pub(crate) fn allowed(&self, size: usize) -> Self {
        let share = |of: u128| of + of * u128::from(FACTOR) * size as u128 / self.size as u128;
        let time = u64::try_from(share(self.time.as_nanos())).unwrap_or(u64::MAX);
        let memory = usize::try_from(share(self.memory as u128)).unwrap_or(usize::MAX);
        Self { size, time: Duration::from_nanos(time), memory }
    }
}

static SETTINGS: LazyLock<Settings> = LazyLock::new(|| {
    serde_json::from_value(json!({"image": "registry.example/rich-pouch:1"})).unwrap()
});

/// The least that a review takes in so many times.
pub(crate) fn least(times: usize, body: &[u8]) -> Cost {
    let costs: Vec<Cost> = (0..times).map(|_| once(body)).collect();
    let time = costs.iter().map(|it| it.time).min().unwrap_or_default();
    let memory = costs.iter().map(|it| it.memory).min().unwrap_or_default();
    Cost { size: body.len(), time, memory }
}

fn once(body: &[u8]) -> Cost {
    INSTRUMENTED_SYSTEM.reset_peak_memory();
    let start = clock();
    answers(body);
    let time = clock().saturating_sub(start);
    let memory = body.len() + INSTRUMENTED_SYSTEM.get_peak_memory();
    Cost { size: body.len(), time, memory }
}

/// The processor time of this thread.
fn clock() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// Answers both questions, each from the bytes on, and gives the longer answer's length.
pub(crate) fn answers(body: &[u8]) -> usize {
    let mutated = answer(body, mutate);
    mutated.max(answer(body, validate))
}

type Question = fn(&Request<'_>, &Settings, &Known) -> Verdict;

/// As `webhook::api` does it, with an entrypoint for every image that is asked for.
fn answer(body: &[u8], question: Question) -> usize {
    let request = match Envelope::read(body) {
        Ok(request) => request,
        Err(error) => return black_box(error.to_string()).len(),
    };
    let mut known = Known {
        namespace: Namespace {
            allows_privileged: false,
            enforces: Some(Level::Restricted),
            is_unreadable: false,
        },
        ..Known::default()
    };
    let mut verdict = question(&request, &SETTINGS, &known);
    if !verdict.lookup.is_empty() {
        let found = Entrypoint { entrypoint: vec!["$(A)".into()], cmd: vec!["b".into()] };
        let images = std::mem::take(&mut verdict.lookup.images).into_iter();
        known.entrypoints = images.map(|image| (image, Ok(found.clone()))).collect();
        verdict = question(&request, &SETTINGS, &known);
    }
    let answer = response(&request.uid, &verdict).unwrap();
    // What the log has of it.
    black_box((request.display_name(), verdict.decision.rules().join(",")));
    black_box(answer).len()
}
