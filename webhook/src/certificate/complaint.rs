//! A failure that lasts is told once.

use std::fmt::Display;

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    last: Option<String>,
}

impl Complaint {
    pub(super) fn tell(&mut self, failure: &impl Display) {
        let text = failure.to_string();
        if self.last.as_ref() != Some(&text) {
            tracing::warn!("{text}");
            self.last = Some(text);
        }
    }

    pub(super) fn settle(&mut self) {
        self.last = None;
    }
}
