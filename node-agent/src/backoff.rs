//! How long to wait before the next try.

use std::time::{Duration, SystemTime};

const FIRST: Duration = Duration::from_secs(1);

/// Doubles from a second up to the usual interval.
pub(crate) struct Backoff {
    next: Duration,
    interval: Duration,
}

impl Backoff {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { next: FIRST.min(interval), interval }
    }

    /// The wait after a try that went well, or did not.
    pub(crate) fn after(&mut self, well: bool) -> Duration {
        if well {
            self.next = FIRST.min(self.interval);
            return jittered(self.interval);
        }
        let wait = self.next;
        self.next = self.next.saturating_mul(2).min(self.interval);
        jittered(wait)
    }
}

/// Up to an eighth more, so that the agents of many nodes do not call at the same moment.
fn jittered(wait: Duration) -> Duration {
    let nanos = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().subsec_nanos();
    wait + wait / 8 * (nanos % 1000) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_the_interval_and_starts_anew_after_success() {
        let mut backoff = Backoff::new(Duration::from_secs(5));
        let mut seconds = |well| backoff.after(well).as_secs();
        assert_eq!([false, false, false, false, true, false].map(&mut seconds), [1, 2, 4, 5, 5, 1]);
    }
}
