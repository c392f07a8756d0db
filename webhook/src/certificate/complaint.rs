//! A failure that lasts is told once, and is a metric as long as it lasts.

use std::fmt::Display;

use prometheus::IntGauge;

/// What was told last.
#[derive(Debug)]
pub struct Complaint {
    last: Option<String>,
    failing: IntGauge,
}

impl Complaint {
    /// Nothing was told yet. `failing` is 1 from a failure to the next success.
    #[must_use]
    pub fn new(failing: IntGauge) -> Self {
        Self { last: None, failing }
    }

    pub(super) fn tell(&mut self, failure: &impl Display) {
        self.failing.set(1);
        let text = failure.to_string();
        if self.last.as_ref() != Some(&text) {
            tracing::warn!("{text}");
            self.last = Some(text);
        }
    }

    pub(super) fn settle(&mut self) {
        self.failing.set(0);
        self.last = None;
    }
}
