//! Whether this replica may be called, and what is missing where not.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use crate::{certificate::Resolver, stop::Stop};

/// What readiness is made of.
#[derive(Debug)]
pub struct Health {
    resolver: Arc<Resolver>,
    stop: Stop,
    hindrance: Mutex<Option<String>>,
}

impl Health {
    /// Not ready before the first [`Health::settle`].
    #[must_use]
    pub fn new(resolver: Arc<Resolver>, stop: Stop) -> Self {
        let hindrance = "the certificate has not been looked after yet: wait a moment".to_owned();
        Self { resolver, stop, hindrance: Mutex::new(Some(hindrance)) }
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

    fn hindrance(&self) -> Option<String> {
        self.hindrance.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, hindrance: Option<String>) {
        *self.hindrance.lock().unwrap_or_else(PoisonError::into_inner) = hindrance;
    }
}
