//! What images run where a pod does not say it: asked of the registries that the administrator
//! lists.
//!
//! ```text
//! Lookup -> pull secrets -> place -> known, or search -> session -> registry
//!                                               \-> known
//! ```
//!
//! Everything has a bound: the time that a request waits, the look-ups at once at a host and for a
//! namespace, the bytes that an answer may have, what is kept of it, and the registries that are
//! asked at all. The author of a pod chooses who is asked, so nothing that a registry writes is
//! trusted or told: content is held against its digest, and a failure is one of a few sentences
//! of ours, which say less of hosts that the administrator has not chosen.

mod cache;
mod challenge;
mod client;
mod credentials;
mod error;
mod image;
mod place;
mod places;
mod pull_secrets;
mod reach;
mod search;
mod session;
mod settings;
mod trust;

use std::{iter::zip, sync::Arc};

use futures_util::future::join_all;
use inject::{Entrypoints, Image, Lookup};
use rustls::crypto::CryptoProvider;
use tokio::{
    task,
    time::{Instant, timeout, timeout_at},
};

use self::{
    cache::{Answer, Known, Question},
    credentials::{Credentials, DockerConfig},
    error::Fault,
    place::Place,
    places::Room,
    search::Search,
};
pub use self::{
    error::Error,
    pull_secrets::PullSecrets,
    settings::{Settings, Source},
};
use crate::metrics::Metrics;

/// Knows what images run.
pub struct Registry {
    pull_secrets: Option<PullSecrets>,
    shared: Arc<Shared>,
}

/// What every look-up uses.
struct Shared {
    settings: Settings,
    provider: Arc<CryptoProvider>,
    metrics: Arc<Metrics>,
    known: Known,
    room: Room,
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
        let known = Known::new(settings.cache_bytes);
        let shared = Shared { settings, provider, metrics, known, room: Room::new() };
        Self { pull_secrets, shared: Arc::new(shared) }
    }

    /// What the images of a pod in this namespace run, or why that is not known. It is done
    /// within the time of the settings.
    ///
    /// # Panics
    /// Outside of tokio.
    pub async fn resolve(&self, namespace: &str, lookup: &Lookup) -> Entrypoints {
        let until = Instant::now() + self.shared.settings.timeout();
        let images = &lookup.images;
        let answers = match self.places(namespace, lookup).await {
            Err(error) => vec![Err(error); images.len()],
            Ok(places) => {
                let answers = zip(images, places).map(async |(image, place)| {
                    let (place, credentials) = place?;
                    self.image(namespace, image, place, credentials, until).await
                });
                join_all(answers).await
            }
        };
        let texts = answers.into_iter().map(|answer| answer.map_err(|error| error.to_string()));
        zip(images.iter().cloned(), texts).collect()
    }

    /// Where each image is looked up, and by whose credentials: those of the first docker config
    /// that has some for it count.
    async fn places(
        &self,
        namespace: &str,
        lookup: &Lookup,
    ) -> Result<Vec<Result<(Place, Option<Credentials>), Error>>, Error> {
        let Settings { registries, docker_config_file, .. } = &self.shared.settings;
        let place = |image: &Image| Ok((Place::of(&image.name, registries)?, None));
        let mut places: Vec<_> = lookup.images.iter().map(place).collect();
        let is_any_listed = places.iter().any(Result::is_ok);
        let mut add = |config: &DockerConfig| {
            for (place, credentials) in places.iter_mut().flatten() {
                *credentials = credentials.take().or_else(|| config.find(place).cloned());
            }
        };
        if let Some(pull_secrets) = &self.pull_secrets
            && is_any_listed
        {
            let read = async {
                for name in pull_secrets.names(namespace, lookup).await? {
                    pull_secrets.read(namespace, &name).await?.iter().for_each(&mut add);
                }
                Ok::<_, Error>(())
            };
            let late = |_| Error::PullSecrets("the API server did not answer in time".to_owned());
            timeout(self.shared.settings.timeout() / 3, read).await.map_err(late)??;
        }
        if let Some(path) = docker_config_file {
            add(&trust::docker_config(path)?);
        }
        Ok(places)
    }

    async fn image(
        &self,
        namespace: &str,
        image: &Image,
        place: Place,
        credentials: Option<Credentials>,
        until: Instant,
    ) -> Answer {
        let Shared { settings, metrics, known, .. } = &*self.shared;
        let start = Instant::now();
        // A registry that was not asked for at least this long is not said to be late.
        let patience = until - settings.timeout() / 3;
        let shared = Arc::clone(&self.shared);
        let search = Search::new(shared, namespace, place.clone(), credentials, patience);
        let question = search.question(&image.architectures);
        let (answer, outcome) = match known.answers.get(&question).await {
            Some(Ok(entrypoint)) => (Ok(entrypoint), "known"),
            Some(Err(error)) => (Err(error), "failed-before"),
            None => match self.look_up(namespace, search, question, image, until).await {
                Some((Ok(entrypoint), true)) => (Ok(entrypoint), "asked"),
                Some((Ok(entrypoint), false)) => (Ok(entrypoint), "known"),
                Some((Err(error), _)) if !error.has_asked() => (Err(error), "not-asked"),
                Some((Err(error), _)) => (Err(error), "failed"),
                None => (Err(Fault::from(place.late()).told(&place)), "failed"),
            },
        };
        metrics.looked_up(outcome);
        let seconds = start.elapsed().as_secs_f64();
        tracing::info!(registry = place.registry(), outcome, seconds, "looked up an entrypoint");
        answer
    }

    /// The answer of a search, and whether the registry was asked for it; none in time.
    ///
    /// It is a task of its own: those who wait for its answer get it also if this request is given
    /// up. (moka hands the look-up to the next of them then, but panics at the 200th.)
    async fn look_up(
        &self,
        namespace: &str,
        search: Search,
        question: Question,
        image: &Image,
        until: Instant,
    ) -> Option<(Answer, bool)> {
        let Some(turn) = self.shared.room.enter(namespace) else {
            return Some((Err(search.busy()), false));
        };
        let architectures = image.architectures.clone();
        let look_up = task::spawn(async move {
            let _turn = turn;
            let answer = search.answer(&question, &architectures, until).await;
            (answer, search.has_asked())
        });
        timeout_at(until, look_up).await.ok()?.ok()
    }
}
