//! The loop that keeps our own certificate valid and trusted.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::time::sleep;

use super::{
    Resolver,
    complaint::Complaint,
    registration::{self, Registration, Trust},
    store::{self, Store},
};
use crate::health::Health;

/// How soon a Secret that changed, or a registration that was reset, is noticed.
const CALM: Duration = Duration::from_secs(10);
/// The same while something is missing, or a certificate waits to be served.
const EAGER: Duration = Duration::from_secs(1);

/// Keeps the Secret, the registrations and the served certificate in step.
#[derive(Debug)]
pub struct Keeper {
    store: Store,
    registration: Registration,
    resolver: Arc<Resolver>,
    health: Arc<Health>,
    served: Option<String>,
    complaint: Complaint,
    pace: Duration,
}

/// What a pass could not do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Secret.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The registrations.
    #[error(transparent)]
    Registration(#[from] registration::Error),
}

impl Error {
    /// Whether no API server answered at all.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Store(error) => error.is_silence(),
            Self::Registration(error) => error.is_silence(),
        }
    }
}

impl Keeper {
    /// Puts what is in `store`, and trusted by `registration`, into `resolver`.
    #[must_use]
    pub fn new(
        store: Store,
        registration: Registration,
        resolver: Arc<Resolver>,
        health: Arc<Health>,
        complaint: Complaint,
    ) -> Self {
        Self { store, registration, resolver, health, served: None, complaint, pace: EAGER }
    }

    /// A first pass. Only an API server that does not answer is a failure: what else is missing
    /// may still come, as an installation creates one object after the other.
    pub async fn start(&mut self) -> Result<(), Error> {
        match self.pass(SystemTime::now()).await {
            Err(error) if error.is_silence() => Err(error),
            result => {
                self.report(result);
                Ok(())
            }
        }
    }

    /// Pass after pass, for ever.
    pub async fn run(mut self) {
        loop {
            sleep(self.pace).await;
            let result = self.pass(SystemTime::now()).await;
            self.report(result);
        }
    }

    async fn pass(&mut self, now: SystemTime) -> Result<Trust, Error> {
        let (material, pair) = self.store.current(now).await?;
        let trust = self.registration.ensure(&material.authority, now).await;
        // A certificate of a new CA waits until the API server knows that CA, while the old one
        // still counts.
        let may_serve = matches!(trust, Ok(Trust::Known)) || !self.resolver.is_valid(now);
        if may_serve && self.served.as_ref() != Some(&material.serving) {
            self.resolver.install(pair);
            self.served = Some(material.serving);
        }
        Ok(trust?)
    }

    fn report(&mut self, result: Result<Trust, Error>) {
        match result {
            Ok(trust) => {
                if !self.health.is_settled() {
                    tracing::info!("the registrations are in place and trust our CA");
                }
                self.complaint.settle();
                self.health.settle();
                self.pace = if trust == Trust::Known { CALM } else { EAGER };
            }
            Err(error) => {
                self.complaint.tell(&error);
                // While the API server or the Secret cannot be had, what was in place most likely
                // still is: this replica goes on with what it has.
                let certain = matches!(&error, Error::Registration(error) if error.is_certain());
                if certain || !self.health.is_settled() {
                    self.health.hinder(error.to_string());
                }
                self.pace = if self.health.is_settled() { CALM } else { EAGER };
            }
        }
    }
}
