//! Where an image is looked up: its name, and which registry answers for it.

use oci_spec::distribution::Reference;

use super::{error::Error, image::is_digest, reach::Reach, settings::Source};

/// No name of an image is longer: a host of 253 bytes, a repository of 255, a tag of 128, a digest.
const NAME: usize = 1024;

/// The host that stands in names for Docker Hub, and the one that serves it.
pub(super) const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_SERVER: &str = "registry-1.docker.io";
const ANY: &str = "*";

/// An image in the registry that is asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The registry's host, and its port where that is not 443.
    pub(super) host: String,
    /// The repository's path there.
    pub(super) repository: String,
    /// What of the repository.
    pub(super) version: Version,
    /// Whether the administrator has chosen the host, and not the author of the pod.
    pub(super) is_named: bool,
    /// Which addresses it may have, and those to which it refers.
    pub(super) reach: Reach,
}

/// Which image of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Version {
    /// What this name points to at the moment.
    Tag(String),
    /// The one with this content.
    Digest(String),
}

impl Place {
    /// Where the image of this name is looked up.
    pub(super) fn of(image: &str, registries: &[Source]) -> Result<Self, Error> {
        // All parts become parts of an address.
        if image.len() > NAME || !image.is_ascii() {
            return Err(Error::Name);
        }
        let reference: Reference = image.parse().map_err(|_| Error::Name)?;
        let host = reference.registry();
        let source = registries
            .iter()
            .find(|source| source.host == ANY || source.host.eq_ignore_ascii_case(host))
            .ok_or_else(|| Error::NotListed(host.to_owned()))?;
        let version = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => Version::Digest(digest.to_ascii_lowercase()),
            (None, Some(tag)) => Version::Tag(tag.to_owned()),
            (None, None) => return Err(Error::Name),
        };
        if let Version::Digest(digest) = &version
            && !is_digest(digest)
        {
            return Err(Error::Name);
        }
        let is_named = source.host != ANY || source.mirror.is_some();
        let reach =
            if is_named || source.private_addresses { Reach::Everywhere } else { Reach::Public };
        let repository = reference.repository();
        let (host, repository) = match source.mirror.as_deref().map(|it| it.split_once('/')) {
            Some(Some((mirror, path))) => {
                (mirror, format!("{}/{repository}", path.trim_end_matches('/')))
            }
            Some(None) => (source.mirror.as_deref().unwrap_or(host), repository.to_owned()),
            None if host == DOCKER_HUB => (DOCKER_HUB_SERVER, repository.to_owned()),
            None => (host, repository.to_owned()),
        };
        Ok(Self { host: host.to_ascii_lowercase(), repository, version, is_named, reach })
    }

    /// It did not answer within the time.
    pub(super) fn late(&self) -> Error {
        Error::Late(self.registry().to_owned())
    }

    /// It was not asked, as there was no place.
    pub(super) fn busy(&self) -> Error {
        Error::Busy(self.registry().to_owned())
    }

    /// The registry's name for people and in docker configs.
    pub(super) fn registry(&self) -> &str {
        if self.host == DOCKER_HUB_SERVER { DOCKER_HUB } else { &self.host }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn source(host: &str, mirror: Option<&str>) -> Source {
        let mirror = mirror.map(str::to_owned);
        Source { host: host.to_owned(), mirror, private_addresses: false }
    }

    fn place(image: &str, registries: &[Source]) -> String {
        match Place::of(image, registries) {
            Ok(place) => format!("{} {} {:?}", place.host, place.repository, place.version),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn names_are_read_as_container_runtimes_read_them() {
        let any = [source("*", None)];
        let digest = format!("sha256:{}", "a".repeat(64));
        for (image, expected) in [
            ("busybox", r#"registry-1.docker.io library/busybox Tag("latest")"#),
            ("a/b:1", r#"registry-1.docker.io a/b Tag("1")"#),
            ("localhost/app:test", r#"localhost app Tag("test")"#),
            ("10.0.0.1:5000/a/b/c:v1.0", r#"10.0.0.1:5000 a/b/c Tag("v1.0")"#),
        ] {
            assert_eq!(place(image, &any), expected);
        }
        let pinned = format!("registry.example/app:1@{digest}");
        assert_eq!(place(&pinned, &any), format!("registry.example app Digest({digest:?})"));
        let long = format!("{}.example/a", "a".repeat(1024));
        let unknown = format!("a@sha384:{}", "a".repeat(96));
        for image in ["", "A", "a b", "a@sha256:1", "a:", "https://registry.example/a", "a\nb"] {
            assert_eq!(place(image, &any), Error::Name.to_string(), "{image}");
        }
        for image in ["a:\u{e4}", "a@b.example/c", "user:password@b.example/c", &long, &unknown] {
            assert_eq!(place(image, &any), Error::Name.to_string(), "{image}");
        }
    }

    #[test]
    fn only_listed_registries_are_asked_and_mirrors_in_their_place() {
        let listed = [
            source("docker.io", Some("mirror.example:5000/hub/")),
            source("quay.io", Some("mirror.example")),
            source("registry.example", None),
        ];
        for (image, expected) in [
            ("busybox", r#"mirror.example:5000 hub/library/busybox Tag("latest")"#),
            ("quay.io/a/b", r#"mirror.example a/b Tag("latest")"#),
            ("registry.example/a", r#"registry.example a Tag("latest")"#),
        ] {
            assert_eq!(place(image, &listed), expected);
        }
        for host in ["evil.example", "registry.example:5000"] {
            let image = format!("{host}/a");
            assert_eq!(place(&image, &listed), Error::NotListed(host.to_owned()).to_string());
        }
    }

    #[test]
    fn a_host_that_the_administrator_names_may_have_any_address() {
        let place = |source: Source| Place::of("registry.example/a", &[source]).unwrap();
        for (host, mirror, is_named, reach) in [
            ("registry.example", None, true, Reach::Everywhere),
            ("*", Some("mirror.example"), true, Reach::Everywhere),
            ("*", None, false, Reach::Public),
        ] {
            let place = place(source(host, mirror));
            assert_eq!((place.is_named, place.reach), (is_named, reach), "{host} {mirror:?}");
        }
        let inner = Source { private_addresses: true, ..source("*", None) };
        let place = place(inner);
        assert_eq!((place.is_named, place.reach), (false, Reach::Everywhere));
    }

    proptest! {
        #[test]
        fn no_name_leads_elsewhere_than_to_a_repository(
            image in ".{0,40}|[a-z./:@_-]{0,40}|[a-z]{1,9}[.:/@][a-zA-Z0-9./:@%?#-]{0,40}",
        ) {
            if let Ok(Place { host, repository, version, .. }) =
                Place::of(&image, &[source("*", None)])
            {
                let (Version::Tag(version) | Version::Digest(version)) = version;
                let address = format!("https://{host}/v2/{repository}/manifests/{version}");
                let address: hyper::Uri = address.parse().unwrap();
                prop_assert_eq!(address.authority().unwrap().as_str(), host);
                prop_assert_eq!(address.query(), None);
                prop_assert!(!address.path().split('/').any(|part| part == ".."));
            }
        }
    }
}
