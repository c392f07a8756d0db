//! Credentials, and the docker configs in which they are kept.

use std::{collections::BTreeMap, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::header::HeaderValue;
use ring::digest::{SHA256, digest};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

use super::place::{DOCKER_HUB, Place};

/// No docker config that is read is larger, nor has it more entries. A tenant writes it.
const LIMIT: usize = 64 * 1024;
const ENTRIES: usize = 256;

/// A name and a password. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    username: String,
    password: String,
}

/// What `docker login` writes: credentials by registry.
pub(super) struct DockerConfig(BTreeMap<String, Credentials>);

#[derive(Deserialize)]
struct Config {
    auths: Option<DockerConfig>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

impl DockerConfig {
    /// Reads `config.json`, which Secrets hold as `.dockerconfigjson`, or its elder form without
    /// `auths`, `.dockercfg`; none where it is neither, or too large.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        if json.len() > LIMIT {
            return None;
        }
        let config: Config = serde_json::from_slice(json).ok()?;
        config.auths.or_else(|| serde_json::from_slice(json).ok())
    }

    /// The credentials for an image: those whose key names the most of its path.
    pub(super) fn find(&self, place: &Place) -> Option<&Credentials> {
        self.0
            .iter()
            .filter_map(|(key, credentials)| Some((depth(key, place)?, credentials)))
            .max_by_key(|(depth, _)| *depth)
            .map(|(_, credentials)| credentials)
    }
}

impl<'de> Deserialize<'de> for DockerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = DockerConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("credentials by registry")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DockerConfig, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((key, entry)) = map.next_entry::<String, Entry>()? {
                    if let Some(credentials) = entry.credentials() {
                        entries.insert(key, credentials);
                    }
                    if entries.len() > ENTRIES {
                        return Err(A::Error::custom("too many entries"));
                    }
                }
                Ok(DockerConfig(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// How much of an image's path a key names; none where it is another registry's or path's.
fn depth(key: &str, place: &Place) -> Option<usize> {
    let key = key.trim_start_matches("https://").trim_start_matches("http://");
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    let path = path.trim_end_matches('/');
    let path = if matches!(path, "v1" | "v2") { "" } else { path };
    let host = if host == "index.docker.io" { DOCKER_HUB } else { host };
    if !host_fits(host, place.registry()) && !host_fits(host, &place.host) {
        return None;
    }
    let rest = place.repository.strip_prefix(path)?;
    (path.is_empty() || rest.is_empty() || rest.starts_with('/')).then_some(path.len())
}

/// Whether a host is the key's, in which `*` stands for any one label.
fn host_fits(key: &str, host: &str) -> bool {
    let (mut keys, mut labels) = (key.split('.'), host.split('.'));
    loop {
        match (keys.next(), labels.next()) {
            (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(key), Some(label)) if key.eq_ignore_ascii_case(label) => {}
            _ => return false,
        }
    }
}

impl Entry {
    fn credentials(self) -> Option<Credentials> {
        if let (Some(username), Some(password)) = (self.username, self.password)
            && !username.is_empty()
        {
            return Some(Credentials { username, password });
        }
        let text = String::from_utf8(STANDARD.decode(self.auth?.trim()).ok()?).ok()?;
        let (username, password) = text.split_once(':')?;
        Some(Credentials { username: username.to_owned(), password: password.to_owned() })
    }
}

impl Credentials {
    /// The header that shows them.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let text = STANDARD.encode(format!("{}:{}", self.username, self.password));
        secret(&format!("Basic {text}"))
    }

    /// What tells them from others without being them.
    pub(super) fn fingerprint(&self) -> String {
        let text = format!("{}:{}", self.username, self.password);
        STANDARD.encode(digest(&SHA256, text.as_bytes()))
    }
}

/// A header that is not printed either.
pub(super) fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::settings::Source;
    use serde_json::{Value, json};

    fn found(config: &Value, image: &str) -> Option<String> {
        let any = [Source { host: "*".to_owned(), mirror: None, private_addresses: false }];
        let place = Place::of(image, &any).unwrap();
        let config = DockerConfig::read(config.to_string().as_bytes()).unwrap();
        config.find(&place).map(|it| format!("{} {}", it.username, it.password))
    }

    #[test]
    fn both_forms_of_a_config_and_of_an_entry_are_read() {
        let auth = json!({"auth": STANDARD.encode("me:a:b")});
        let named = json!({"username": "me", "password": "a:b", "email": "x"});
        for entry in [auth, named] {
            for config in [
                json!({"auths": {"registry.example": entry}, "credsStore": "x"}),
                json!({"registry.example": entry}),
            ] {
                assert_eq!(found(&config, "registry.example/a").as_deref(), Some("me a:b"));
                assert_eq!(found(&config, "other.example/a"), None);
            }
        }
        let useless = json!({"auths": {"registry.example": {"auth": "?"}, "other.example": {}}});
        assert_eq!(found(&useless, "registry.example/a"), None);
        assert_eq!(found(&json!({}), "registry.example/a"), None);
        assert!(DockerConfig::read(b"[]").is_none());
    }

    #[test]
    fn a_config_that_is_too_large_is_none() {
        let auth = STANDARD.encode("me:a");
        let of = |count: usize| {
            let entry = |index| (format!("registry{index}.example"), json!({"auth": auth}));
            let entries: serde_json::Map<_, _> = (0..count).map(entry).collect();
            DockerConfig::read(json!({"auths": entries}).to_string().as_bytes())
        };
        assert_eq!(of(ENTRIES).unwrap().0.len(), ENTRIES);
        assert!(of(ENTRIES + 1).is_none());
        let long = json!({"auths": {"registry.example": {"auth": auth, "x": "x".repeat(LIMIT)}}});
        assert!(DockerConfig::read(long.to_string().as_bytes()).is_none());
    }

    #[test]
    fn the_key_that_names_the_most_of_the_image_counts() {
        let entry = |name: &str| json!({"username": name, "password": "p"});
        let config = json!({"auths": {
            "https://index.docker.io/v1/": entry("hub"),
            "registry.example:5000": entry("all"),
            "registry.example:5000/team": entry("team"),
            "*.wild.example": entry("wild"),
        }});
        for (image, expected) in [
            ("busybox", Some("hub p")),
            ("registry.example:5000/app", Some("all p")),
            ("registry.example:5000/team/app", Some("team p")),
            ("registry.example:5000/teamwork/app", Some("all p")),
            ("registry.example/team/app", None),
            ("a.wild.example/app", Some("wild p")),
            ("a.b.wild.example/app", None),
        ] {
            assert_eq!(found(&config, image).as_deref(), expected, "{image}");
        }
    }

    #[test]
    fn credentials_are_told_apart_and_never_printed() {
        let one = Credentials { username: "a".into(), password: "b".into() };
        let other = Credentials { username: "a".into(), password: "c".into() };
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert_eq!(format!("{:?}", one.header().unwrap()), "Sensitive");
        assert_eq!(one.header().unwrap(), "Basic YTpi");
    }
}
