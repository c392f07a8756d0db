//! The way from an image's name to what it runs: tag, index, manifest, configuration.

use std::time::Duration;

use futures_util::future::try_join_all;
use inject::{Architectures, Entrypoint};
use tokio::{sync::OnceCell, time::Instant};

use super::{
    Registry,
    cache::Weight,
    credentials::Credentials,
    error::Error,
    image::{self, Manifest, Variant},
    place::{Place, Version},
    session::Session,
    trust,
};

/// How long a tag is taken to point where it pointed. What a pod is given fits the image of that
/// moment, as a command that a user writes fits the image that they know.
const TAG: Duration = Duration::from_mins(1);

/// What something in the cache is known by. Each name begins with the scope: who asked for what
/// may not be told to who could not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Tag(String),
    Manifest(String),
    Configuration(String),
    /// A look-up as a whole, for which only failures are kept.
    Failure(String),
}

/// What is in the cache.
#[derive(Clone, Debug)]
pub(super) enum Known {
    Digest(String),
    Manifest(Manifest),
    Entrypoint(Entrypoint),
    Failure(Error),
}

/// One look-up.
pub(super) struct Search<'a> {
    registry: &'a Registry,
    place: &'a Place,
    credentials: Option<&'a Credentials>,
    scope: String,
    session: OnceCell<Session<'a>>,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        registry: &'a Registry,
        place: &'a Place,
        credentials: Option<&'a Credentials>,
    ) -> Self {
        let who = credentials.map(Credentials::fingerprint).unwrap_or_default();
        let scope = format!("{who} {}/{}", place.host, place.repository);
        Self { registry, place, credentials, scope, session: OnceCell::new() }
    }

    /// The key of this look-up as a whole.
    pub(super) fn key(&self, architectures: &Architectures) -> Key {
        let (Version::Tag(version) | Version::Digest(version)) = &self.place.version;
        Key::Failure(format!("{} {architectures:?}", self.name(version)))
    }

    /// Whether the registry was asked, and not the cache alone.
    pub(super) fn has_asked(&self) -> bool {
        self.session.initialized()
    }

    /// What the image runs on every platform that is meant.
    pub(super) async fn entrypoint(
        &self,
        architectures: &Architectures,
    ) -> Result<Entrypoint, Error> {
        let manifest = match &self.place.version {
            Version::Digest(digest) => self.manifest(digest).await?,
            Version::Tag(tag) => self.tagged(tag).await?,
        };
        match manifest {
            Manifest::Image(configuration) => self.configuration(&configuration).await,
            Manifest::Index(variants) => {
                let suitable = image::suitable(&variants, architectures)?;
                image::agreed(try_join_all(suitable.into_iter().map(|it| self.variant(it))).await?)
            }
        }
    }

    async fn variant<'v>(&self, variant: &'v Variant) -> Result<(&'v Variant, Entrypoint), Error> {
        match self.manifest(&variant.digest).await? {
            Manifest::Image(configuration) => {
                Ok((variant, self.configuration(&configuration).await?))
            }
            Manifest::Index(_) => Err(self.session().await?.unusable("an index in an index")),
        }
    }

    async fn tagged(&self, tag: &str) -> Result<Manifest, Error> {
        let key = Key::Tag(self.name(tag));
        if let Some(Known::Digest(digest)) = self.registry.known(&key) {
            return self.manifest(&digest).await;
        }
        let session = self.session().await?;
        let digest = match session.digest(tag).await? {
            Some(digest) => digest,
            None => image::digest_of(&session.manifest(tag).await?),
        };
        let manifest = self.manifest(&digest).await?;
        self.registry.keep(key, Known::Digest(digest), Some(Instant::now() + TAG));
        Ok(manifest)
    }

    async fn manifest(&self, digest: &str) -> Result<Manifest, Error> {
        let key = Key::Manifest(self.name(digest));
        if let Some(Known::Manifest(manifest)) = self.registry.known(&key) {
            return Ok(manifest);
        }
        let session = self.session().await?;
        let json = session.manifest(digest).await?;
        let manifest = Some(&json).filter(|json| image::is_intact(json, digest));
        let manifest = manifest.and_then(|json| Manifest::read(json));
        let manifest = manifest.ok_or_else(|| session.unusable("a manifest"))?;
        self.registry.keep(key, Known::Manifest(manifest.clone()), None);
        Ok(manifest)
    }

    async fn configuration(&self, digest: &str) -> Result<Entrypoint, Error> {
        let key = Key::Configuration(self.name(digest));
        if let Some(Known::Entrypoint(entrypoint)) = self.registry.known(&key) {
            return Ok(entrypoint);
        }
        let session = self.session().await?;
        let json = session.blob(digest).await?;
        let entrypoint = Some(&json).filter(|json| image::is_intact(json, digest));
        let entrypoint = entrypoint.and_then(|json| image::entrypoint(json));
        let entrypoint = entrypoint.ok_or_else(|| session.unusable("a configuration"))?;
        self.registry.keep(key, Known::Entrypoint(entrypoint.clone()), None);
        Ok(entrypoint)
    }

    async fn session(&self) -> Result<&Session<'a>, Error> {
        let make = async || {
            let Registry { settings, provider, room, .. } = self.registry;
            let tls = trust::tls(settings.ca_file.as_deref(), provider)?;
            // Of who holds the semaphore, none closes it.
            let room = room.acquire().await;
            let room = room.map_err(|_| Error::Late(self.place.registry().to_owned()))?;
            Ok(Session::new(self.place, self.credentials, tls, room))
        };
        self.session.get_or_try_init(make).await
    }

    fn name(&self, version: &str) -> String {
        format!("{} {version}", self.scope)
    }
}

impl Weight for Key {
    fn weight(&self) -> usize {
        let (Self::Tag(name)
        | Self::Manifest(name)
        | Self::Configuration(name)
        | Self::Failure(name)) = self;
        name.len()
    }
}

impl Weight for Known {
    fn weight(&self) -> usize {
        let words = |words: &[String]| {
            words.iter().map(|word| size_of::<String>() + word.len()).sum::<usize>()
        };
        match self {
            Self::Digest(digest) | Self::Manifest(Manifest::Image(digest)) => digest.len(),
            Self::Manifest(Manifest::Index(variants)) => variants.iter().map(Weight::weight).sum(),
            Self::Entrypoint(found) => words(&found.entrypoint) + words(&found.cmd),
            Self::Failure(error) => error.to_string().len(),
        }
    }
}
