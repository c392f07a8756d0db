//! What images run where a pod does not say it: asked of the registries that the administrator
//! lists.
//!
//! ```text
//! Lookup -> pull secrets -> place -> flight -> search -> session -> registry
//!                                                  \-> cache
//! ```
//!
//! Everything has a bound: the time that a request waits, the look-ups at once, the bytes that an
//! answer and the cache may have, and the registries that are asked at all. Whoever names an
//! image chooses who is asked, so nothing that a registry writes is trusted or told on: content
//! is held against its digest, and a failure is one of a few sentences of ours.

mod cache;
mod challenge;
mod credentials;
mod error;
mod flight;
mod image;
mod place;
mod pull_secrets;
mod search;
mod session;
mod settings;
mod trust;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use inject::{Entrypoint, Entrypoints, Image, Lookup};
use rustls::crypto::CryptoProvider;
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use self::{
    cache::Cache,
    credentials::DockerConfig,
    flight::Flights,
    place::Place,
    search::{Key, Known, Search},
};
pub use self::{
    error::Error,
    pull_secrets::PullSecrets,
    settings::{Settings, Source},
};
use crate::metrics::Metrics;

/// How long a failure is remembered: long enough that a controller which tries again and again
/// asks the registry rarely, and short enough that nobody waits after a repair.
const FAILURE: Duration = Duration::from_secs(10);
/// Look-ups that ask a registry at once; more wait, however many images a pod names. Each reads
/// up to four answers of a megabyte at the most.
const ROOM: usize = 8;

/// Knows what images run.
pub struct Registry {
    settings: Settings,
    provider: Arc<CryptoProvider>,
    pull_secrets: Option<PullSecrets>,
    metrics: Arc<Metrics>,
    cache: Mutex<Cache<Key, Known>>,
    flights: Flights<Key, Result<Entrypoint, Error>>,
    room: Semaphore,
}

impl Registry {
    /// Asks by these settings, and by pull secrets where there is somebody to read them.
    #[must_use]
    pub fn new(
        settings: Settings,
        provider: Arc<CryptoProvider>,
        pull_secrets: Option<PullSecrets>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let cache = Mutex::new(Cache::new(settings.cache_bytes));
        let (flights, room) = (Flights::new(), Semaphore::new(ROOM));
        Self { settings, provider, pull_secrets, metrics, cache, flights, room }
    }

    /// What the images of a pod in this namespace run, or why that is not known. It is done
    /// within the time of the settings.
    pub async fn resolve(&self, namespace: &str, lookup: &Lookup) -> Entrypoints {
        let configs = self.configs(namespace, lookup).await;
        let answers = lookup.images.iter().map(async |image| {
            let answer = match &configs {
                Ok(configs) => self.image(image, configs).await,
                Err(error) => Err(error.clone()),
            };
            (image.clone(), answer.map_err(|error| error.to_string()))
        });
        join_all(answers).await.into_iter().collect()
    }

    /// The docker configs that count, in the order in which they do.
    async fn configs(&self, namespace: &str, lookup: &Lookup) -> Result<Vec<DockerConfig>, Error> {
        let mut configs = Vec::new();
        if let Some(pull_secrets) = &self.pull_secrets {
            let read = pull_secrets.read(namespace, lookup);
            let late = |_| Error::PullSecrets("the API server did not answer in time".to_owned());
            configs = timeout(self.settings.timeout() / 3, read).await.map_err(late)??;
        }
        if let Some(path) = &self.settings.docker_config_file {
            configs.push(trust::docker_config(path)?);
        }
        Ok(configs)
    }

    async fn image(&self, image: &Image, configs: &[DockerConfig]) -> Result<Entrypoint, Error> {
        let start = Instant::now();
        let place = Place::of(&image.name, &self.settings.registries)?;
        let credentials = configs.iter().find_map(|config| config.find(&place));
        let search = Search::new(self, &place, credentials);
        let key = search.key(&image.architectures);
        if let Some(Known::Failure(error)) = self.known(&key) {
            self.metrics.looked_up("failed-before");
            return Err(error);
        }
        let look_up = async {
            let search = search.entrypoint(&image.architectures);
            let answer = timeout(self.settings.timeout() * 2 / 3, search).await;
            let answer = answer.unwrap_or_else(|_| Err(Error::Late(place.registry().to_owned())));
            if let Err(error) = &answer {
                let until = Instant::now() + FAILURE;
                self.keep(key.clone(), Known::Failure(error.clone()), Some(until));
            }
            answer
        };
        let answer = self.flights.join(key.clone(), look_up).await;
        let outcome = match &answer {
            Err(_) => "failed",
            Ok(_) if search.has_asked() => "asked",
            Ok(_) => "known",
        };
        self.metrics.looked_up(outcome);
        let seconds = start.elapsed().as_secs_f64();
        tracing::info!(registry = place.registry(), outcome, seconds, "looked up an entrypoint");
        answer
    }

    fn known(&self, key: &Key) -> Option<Known> {
        self.cache().get(key, Instant::now())
    }

    fn keep(&self, key: Key, known: Known, until: Option<Instant>) {
        self.cache().put(key, known, until);
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache<Key, Known>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
