//! What was found out, as long as it is good, and no more of it than fits.

use std::{
    hash::Hash,
    time::{Duration, Instant},
};

use inject::Entrypoint;
use moka::{
    Expiry,
    future::{Cache, CacheBuilder},
};

use super::{
    error::Error,
    image::{Manifest, Variant},
    place::Version,
};

/// How long a failure is remembered: long enough that a controller which tries again and again
/// asks the registry rarely, and short enough that nobody waits after a repair.
const FAILURE: Duration = Duration::from_secs(10);
/// How long a tag is taken to point where it pointed. What a pod is given fits the image of that
/// moment, as a command that a user writes fits the image that they know.
const TAG: Duration = Duration::from_mins(1);
/// What an entry takes besides its content: the table's own part of it.
const OVERHEAD: usize = 160;

/// A look-up as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    /// By whose credentials, and in which repository: who asked for what may not be told to who
    /// could not.
    pub(super) scope: String,
    pub(super) version: Version,
    /// The digest of the architectures that are meant.
    pub(super) architectures: Vec<u8>,
}

/// What a look-up as a whole has found, or why it has not.
pub(super) type Answer = Result<Entrypoint, Error>;

/// What is known.
pub(super) struct Known {
    /// It also makes those who ask the same wait for one look-up.
    pub(super) answers: Cache<Question, Answer>,
    /// By scope and digest.
    pub(super) manifests: Cache<String, Manifest>,
    /// By scope and digest.
    pub(super) configurations: Cache<String, Entrypoint>,
}

impl Known {
    /// Nothing yet, and never more than about so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let each = bytes / 3;
        Self {
            answers: bounded(each, question, answer).expire_after(GoodUntil).build(),
            manifests: bounded(each, String::len, manifest).build(),
            configurations: bounded(each, String::len, words).build(),
        }
    }
}

/// How long an answer is good.
struct GoodUntil;

impl Expiry<Question, Answer> for GoodUntil {
    fn expire_after_create(&self, of: &Question, is: &Answer, _: Instant) -> Option<Duration> {
        match (is, &of.version) {
            (Err(_), _) => Some(FAILURE),
            (Ok(_), Version::Tag(_)) => Some(TAG),
            (Ok(_), Version::Digest(_)) => None,
        }
    }
}

/// A cache that is bounded in bytes. What a key and a value take beyond their own size is counted.
fn bounded<K, V>(
    bytes: usize,
    of_key: fn(&K) -> usize,
    of_value: fn(&V) -> usize,
) -> CacheBuilder<K, V, Cache<K, V>>
where
    K: Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let weigh = move |key: &K, value: &V| {
        let content = of_key(key) + of_value(value);
        (OVERHEAD + size_of::<K>() + size_of::<V>() + content).try_into().unwrap_or(u32::MAX)
    };
    Cache::builder().max_capacity(bytes as u64).weigher(weigh)
}

fn question(of: &Question) -> usize {
    let (Version::Tag(version) | Version::Digest(version)) = &of.version;
    of.scope.len() + version.len() + of.architectures.len()
}

fn answer(is: &Answer) -> usize {
    match is {
        Ok(entrypoint) => words(entrypoint),
        Err(error) => error.to_string().len(),
    }
}

fn manifest(is: &Manifest) -> usize {
    match is {
        Manifest::Image(digest) => digest.len(),
        Manifest::Index(variants) => variants.iter().map(variant).sum(),
    }
}

fn variant(is: &Variant) -> usize {
    size_of::<Variant>() + is.platform.len() + is.architecture.len() + is.digest.len()
}

fn words(of: &Entrypoint) -> usize {
    let words = of.entrypoint.iter().chain(&of.cmd);
    words.map(|word| size_of::<String>() + word.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(version: Version) -> Question {
        Question { scope: "a".to_owned(), version, architectures: Vec::new() }
    }

    fn entrypoint(bytes: usize) -> Entrypoint {
        Entrypoint { entrypoint: vec!["x".repeat(bytes)], cmd: Vec::new() }
    }

    #[test]
    fn a_failure_is_good_for_seconds_a_tag_for_a_minute_and_a_digest_for_ever() {
        let (tag, digest) = (Version::Tag("1".to_owned()), Version::Digest("1".to_owned()));
        let good = |version: &Version, answer: &Answer| {
            GoodUntil.expire_after_create(&question(version.clone()), answer, Instant::now())
        };
        for version in [&tag, &digest] {
            assert_eq!(good(version, &Err(Error::NoPlatform)), Some(FAILURE));
        }
        assert_eq!(good(&tag, &Ok(entrypoint(1))), Some(TAG));
        assert_eq!(good(&digest, &Ok(entrypoint(1))), None);
    }

    #[tokio::test]
    async fn the_bound_holds() {
        let known = Known::new(300_000);
        for index in 0..1_000 {
            known.configurations.insert(index.to_string(), entrypoint(1_000)).await;
        }
        known.configurations.insert("huge".to_owned(), entrypoint(200_000)).await;
        known.configurations.run_pending_tasks().await;
        let bytes = known.configurations.weighted_size();
        assert!((50_000..=100_000).contains(&bytes), "{bytes}");
        assert_eq!(known.configurations.get("huge").await, None);
    }
}
