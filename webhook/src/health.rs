//! Whether this replica may be called, and what is missing where not.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime},
};

use crate::{certificate::Resolver, stop::Stop, turns::Turns};

/// What readiness and liveness are made of.
#[derive(Debug)]
pub struct Health {
    resolver: Arc<Resolver>,
    stop: Stop,
    hindrance: Mutex<Option<String>>,
    turns: Option<Turns>,
}

impl Health {
    /// Not ready before the first [`Health::settle`].
    #[must_use]
    pub fn new(resolver: Arc<Resolver>, stop: Stop) -> Self {
        let hindrance = "the certificate has not been looked after yet: wait a moment".to_owned();
        Self { resolver, stop, hindrance: Mutex::new(Some(hindrance)), turns: None }
    }

    /// Looks at the threads that serve besides.
    #[must_use]
    pub fn watching(self, turns: Turns) -> Self {
        Self { turns: Some(turns), ..self }
    }

    /// Whoever looks after the certificate says what keeps the API server from trusting it.
    pub fn hinder(&self, hindrance: String) {
        self.set(Some(hindrance));
    }

    /// Nothing does.
    pub fn settle(&self) {
        self.set(None);
    }

    /// Whether the certificate's keeper found nothing missing the last time that it could tell.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.hindrance().is_none()
    }

    /// What keeps this replica from being called, in one sentence.
    #[must_use]
    pub fn missing(&self, now: SystemTime) -> Option<String> {
        if self.stop.is_leaving() {
            return Some("stopping: another replica answers".to_owned());
        }
        if let Some(time) = self.turns.as_ref().and_then(|turns| turns.missing(Instant::now())) {
            return Some(format!(
                "a serving thread has answered nobody for {} s: the node has no processor for it, or \
                 a request takes long; wait",
                time.as_secs()
            ));
        }
        match (self.hindrance(), self.resolver.validity()) {
            (Some(hindrance), _) => Some(hindrance),
            (None, Some(validity)) if validity.contains(now) => None,
            (None, Some(_)) => Some(
                "the serving certificate has expired or has not begun: see the log for what \
                 keeps it from being renewed"
                    .to_owned(),
            ),
            (None, None) => Some("there is no serving certificate yet: see the log".to_owned()),
        }
    }

    /// Why only a new start can help, in one sentence.
    #[must_use]
    pub fn stuck(&self) -> Option<String> {
        let time = self.turns.as_ref()?.stuck(Instant::now())?;
        Some(format!(
            "a serving thread has used the processor for {} s without an answer: this is a fault \
             of the webhook",
            time.as_secs()
        ))
    }

    fn hindrance(&self) -> Option<String> {
        self.hindrance.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, hindrance: Option<String>) {
        *self.hindrance.lock().unwrap_or_else(PoisonError::into_inner) = hindrance;
    }
}
