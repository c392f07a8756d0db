//! The way from an image's name to what it runs: tag, index, manifest, configuration.

use std::sync::Arc;

use futures_util::future::try_join_all;
use inject::{Architectures, Entrypoint};
use ring::digest::{SHA256, digest};
use tokio::{
    sync::OnceCell,
    time::{Instant, timeout_at},
};

use super::{
    Shared,
    cache::{Answer, Question},
    credentials::Credentials,
    error::{Error, Fault},
    image::{self, Manifest, Variant},
    place::{Place, Version},
    session::Session,
    trust,
};

/// One look-up.
pub(super) struct Search {
    shared: Arc<Shared>,
    namespace: String,
    place: Arc<Place>,
    credentials: Option<Credentials>,
    /// Until when it waits for a place to ask the registry.
    patience: Instant,
    session: OnceCell<Session>,
}

impl Search {
    pub(super) fn new(
        shared: Arc<Shared>,
        namespace: &str,
        place: Place,
        credentials: Option<Credentials>,
        patience: Instant,
    ) -> Self {
        let (namespace, place) = (namespace.to_owned(), Arc::new(place));
        Self { shared, namespace, place, credentials, patience, session: OnceCell::new() }
    }

    /// What this look-up is known by.
    pub(super) fn question(&self, architectures: &Architectures) -> Question {
        let text = format!("{architectures:?}");
        Question {
            scope: self.scope(),
            version: self.place.version.clone(),
            architectures: digest(&SHA256, text.as_bytes()).as_ref().to_vec(),
        }
    }

    /// There is no place for this look-up.
    pub(super) fn busy(&self) -> Error {
        self.place.busy()
    }

    /// Whether the registry was asked, and not the cache alone.
    pub(super) fn has_asked(&self) -> bool {
        self.session.initialized()
    }

    /// The answer, which is known from then on: that of this look-up, or of the same one that is
    /// under way.
    pub(super) async fn answer(
        &self,
        question: &Question,
        architectures: &Architectures,
        until: Instant,
    ) -> Answer {
        loop {
            let mut is_own = false;
            let look_up = async {
                is_own = true;
                let found = timeout_at(until, self.entrypoint(architectures)).await;
                match found.unwrap_or_else(|_| Err(self.place.late().into())) {
                    Ok(entrypoint) => Ok(Ok(entrypoint)),
                    Err(fault) => self.failed(fault),
                }
            };
            let entry = self.shared.known.answers.entry(question.clone());
            match entry.or_try_insert_with(look_up).await {
                Ok(entry) => return entry.into_value(),
                Err(error) if is_own || Instant::now() >= self.patience => {
                    return Err(Error::clone(&error));
                }
                // The one that was waited for has had no more time to wait, but this one has.
                Err(_) => {}
            }
        }
    }

    /// Tells the log all of a fault. What does not come of asking the registry is not remembered.
    fn failed(&self, fault: Fault) -> Result<Answer, Error> {
        let registry = self.place.registry();
        tracing::warn!(registry, reason = %fault.error, "cannot find out what an image runs");
        let error = fault.told(&self.place);
        if error.has_asked() { Ok(Err(error)) } else { Err(error) }
    }

    /// What the image runs on every platform that is meant.
    pub(super) async fn entrypoint(
        &self,
        architectures: &Architectures,
    ) -> Result<Entrypoint, Fault> {
        let manifest = match &self.place.version {
            Version::Digest(digest) => self.manifest(digest).await?,
            Version::Tag(tag) => self.manifest(&self.tagged(tag).await?).await?,
        };
        match manifest {
            Manifest::Image(configuration) => self.configuration(&configuration).await,
            Manifest::Index(variants) => {
                let suitable = image::suitable(&variants, architectures)?;
                let found = try_join_all(suitable.into_iter().map(|it| self.variant(it))).await?;
                Ok(image::agreed(found)?)
            }
        }
    }

    async fn variant<'v>(&self, variant: &'v Variant) -> Result<(&'v Variant, Entrypoint), Fault> {
        match self.manifest(&variant.digest).await? {
            Manifest::Image(configuration) => {
                Ok((variant, self.configuration(&configuration).await?))
            }
            Manifest::Index(_) => Err(self.session().await?.unusable("an index in an index")),
        }
    }

    /// The digest of what a tag points to.
    async fn tagged(&self, tag: &str) -> Result<String, Fault> {
        let session = self.session().await?;
        match session.digest(tag).await? {
            Some(digest) => Ok(digest),
            None => Ok(image::digest_of(&session.manifest(tag).await?)),
        }
    }

    async fn manifest(&self, digest: &str) -> Result<Manifest, Fault> {
        let key = self.key(digest);
        if let Some(manifest) = self.shared.known.manifests.get(&key).await {
            return Ok(manifest);
        }
        let json = self.session().await?.manifest(digest).await?;
        let manifest = Some(&json).filter(|json| image::is_intact(json, digest));
        let manifest = manifest.and_then(|json| Manifest::read(json));
        let manifest = manifest.ok_or_else(|| json.unusable("an invalid manifest"))?;
        self.shared.known.manifests.insert(key, manifest.clone()).await;
        Ok(manifest)
    }

    async fn configuration(&self, digest: &str) -> Result<Entrypoint, Fault> {
        let key = self.key(digest);
        if let Some(entrypoint) = self.shared.known.configurations.get(&key).await {
            return Ok(entrypoint);
        }
        let json = self.session().await?.blob(digest).await?;
        let entrypoint = Some(&json).filter(|json| image::is_intact(json, digest));
        let entrypoint = entrypoint.and_then(|json| image::entrypoint(json));
        let entrypoint = entrypoint.ok_or_else(|| json.unusable("an invalid configuration"))?;
        self.shared.known.configurations.insert(key, entrypoint.clone()).await;
        Ok(entrypoint)
    }

    async fn session(&self) -> Result<&Session, Fault> {
        let make = async || {
            let Shared { settings, provider, room, .. } = &*self.shared;
            let taken = timeout_at(self.patience, room.take(&self.place, &self.namespace)).await;
            let taken = taken.map_err(|_| self.busy())?.map_err(|_| self.busy())?;
            let tls = trust::tls(settings.ca_file.as_deref(), provider)?;
            Ok(Session::new(Arc::clone(&self.place), self.credentials.clone(), tls, taken))
        };
        self.session.get_or_try_init(make).await
    }

    fn key(&self, digest: &str) -> String {
        format!("{} {digest}", self.scope())
    }

    fn scope(&self) -> String {
        let who = self.credentials.as_ref().map(Credentials::fingerprint).unwrap_or_default();
        format!("{who} {}/{}", self.place.host, self.place.repository)
    }
}
