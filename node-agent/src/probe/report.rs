//! When an outcome is worth an Event.

use std::time::{Duration, Instant};

use super::Outcome;

/// Remembers what was told last. A webhook that is away for a moment, as when it is installed or
/// rolled out, is not worth an Event: a bad outcome must last, except that an admission is told
/// at once.
pub struct Report {
    told: Outcome,
    now: Outcome,
    since: Instant,
    patience: Duration,
}

impl Report {
    /// A report that tells what lasts as long as `patience`.
    #[must_use]
    pub fn new(patience: Duration, start: Instant) -> Self {
        Self { told: Outcome::Refused, now: Outcome::Refused, since: start, patience }
    }

    /// Whether this outcome differs from the one before.
    pub fn changes(&mut self, outcome: Outcome, at: Instant) -> bool {
        let changes = self.now != outcome;
        if changes {
            self.now = outcome;
            self.since = at;
        }
        changes
    }

    /// Whether the present outcome is to be told by an Event.
    #[must_use]
    pub fn due(&self, at: Instant) -> bool {
        match self.now {
            outcome if outcome == self.told => false,
            // Where the API server cannot be asked it takes no Event either.
            Outcome::Unknown => false,
            Outcome::Refused | Outcome::Admitted => true,
            _ => at.duration_since(self.since) >= self.patience,
        }
    }

    /// The present outcome has been told.
    pub fn told(&mut self) {
        self.told = self.now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told when these outcomes come at these seconds.
    fn told(outcomes: &[(u64, Outcome)]) -> Vec<u64> {
        let start = Instant::now();
        let mut report = Report::new(Duration::from_mins(1), start);
        let mut told = Vec::new();
        for (second, outcome) in outcomes {
            let at = start + Duration::from_secs(*second);
            report.changes(*outcome, at);
            if report.due(at) {
                told.push(*second);
                report.told();
            }
        }
        told
    }

    #[test]
    fn a_bad_outcome_is_told_once_when_it_has_lasted_and_once_when_it_is_over() {
        use Outcome::{Refused, Unreachable};
        assert!(told(&[(0, Refused), (60, Refused)]).is_empty());
        assert!(told(&[(0, Unreachable), (30, Refused)]).is_empty());
        assert_eq!(
            told(&[
                (0, Unreachable),
                (59, Unreachable),
                (60, Unreachable),
                (120, Unreachable),
                (180, Refused),
                (240, Refused),
            ]),
            [60, 180]
        );
    }

    #[test]
    fn an_admission_is_told_at_once() {
        assert_eq!(told(&[(0, Outcome::Admitted), (1, Outcome::Admitted)]), [0]);
    }

    #[test]
    fn an_api_server_that_is_away_is_never_told() {
        assert!(told(&[(0, Outcome::Unknown), (600, Outcome::Unknown)]).is_empty());
    }
}
