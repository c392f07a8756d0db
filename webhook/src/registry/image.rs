//! The documents of an image: an index leads to manifests, a manifest to a configuration.

use std::fmt;

use inject::{Architectures, Entrypoint};
use ring::digest::{SHA256, SHA512, digest};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, SeqAccess, Visitor},
};

use super::error::Error;

/// More platforms than any image has.
const PLATFORMS: usize = 32;
/// No name of a platform's part is longer.
const PART: usize = 32;
/// More words than any ENTRYPOINT or CMD has, and more bytes in them.
const WORDS: usize = 256;
const BYTES: usize = 16 * 1024;

/// What stands under a manifest's digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Manifest {
    /// An image for each of several platforms.
    Index(Vec<Variant>),
    /// One image, with this configuration.
    Image(String),
}

/// An image of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    /// As it is written, `linux/arm64/v8`.
    pub(super) platform: String,
    pub(super) architecture: String,
    /// The digest of its manifest.
    pub(super) digest: String,
}

/// What counts of a manifest or an index. The author of a pod chooses who writes it, so nothing else
/// of it is kept, and of this no more than an image has.
#[derive(Deserialize)]
struct Head {
    manifests: Option<Variants>,
    config: Option<Descriptor>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// The images of an index that run on Linux: signatures and the like have other platforms or none.
struct Variants(Vec<Variant>);

/// What counts of an image's configuration.
#[derive(Deserialize)]
struct Configuration {
    config: Option<Execution>,
}

#[derive(Deserialize)]
struct Execution {
    #[serde(rename = "Entrypoint")]
    entrypoint: Option<Words>,
    #[serde(rename = "Cmd")]
    cmd: Option<Words>,
}

/// The words of a command.
#[derive(Default)]
struct Words(Vec<String>);

impl Manifest {
    /// Reads a manifest or an index; none where it is neither, or both.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        match serde_json::from_slice(json).ok()? {
            Head { manifests: Some(Variants(variants)), config: None } => {
                Some(Self::Index(variants))
            }
            Head { manifests: None, config: Some(Descriptor { digest, .. }) } => {
                is_digest(&digest).then_some(Self::Image(digest))
            }
            _ => None,
        }
    }
}

impl Variant {
    /// The image that a descriptor leads to, where it runs on Linux.
    fn of(descriptor: Descriptor) -> Option<Self> {
        let Platform { os, architecture, variant } = descriptor.platform?;
        let is_part =
            |text: &str| text.len() <= PART && text.bytes().all(|it| it.is_ascii_graphic());
        if os != "linux" || !is_part(&architecture) || !variant.as_deref().is_none_or(is_part) {
            return None;
        }
        let variant = variant.map(|variant| format!("/{variant}")).unwrap_or_default();
        let platform = format!("{os}/{architecture}{variant}");
        Some(Self { platform, architecture, digest: descriptor.digest })
    }
}

impl<'de> Deserialize<'de> for Variants {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Variants;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of manifests")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Variants, A::Error> {
                let mut variants = Vec::new();
                while let Some(descriptor) = list.next_element::<Descriptor>()? {
                    variants.extend(Variant::of(descriptor));
                    if variants.len() > PLATFORMS {
                        return Err(A::Error::custom("too many platforms"));
                    }
                }
                if variants.iter().all(|variant| is_digest(&variant.digest)) {
                    Ok(Variants(variants))
                } else {
                    Err(A::Error::custom("not a digest"))
                }
            }
        }
        deserializer.deserialize_seq(List)
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Words;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of words")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
                let (mut words, mut bytes) = (Vec::new(), 0);
                while let Some(word) = list.next_element::<String>()? {
                    bytes += word.len();
                    words.push(word);
                    if words.len() > WORDS || bytes > BYTES {
                        return Err(A::Error::custom("too many words"));
                    }
                }
                Ok(Words(words))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// What an image runs, by its configuration.
pub(super) fn entrypoint(json: &[u8]) -> Option<Entrypoint> {
    let image: Configuration = serde_json::from_slice(json).ok()?;
    let Some(Execution { entrypoint, cmd }) = image.config else {
        return Some(Entrypoint::default());
    };
    let words = |words: Option<Words>| words.unwrap_or_default().0;
    Some(Entrypoint { entrypoint: words(entrypoint), cmd: words(cmd) })
}

/// The images of an index to which the pod may come.
pub(super) fn suitable<'a>(
    variants: &'a [Variant],
    architectures: &Architectures,
) -> Result<Vec<&'a Variant>, Error> {
    let suitable: Vec<_> =
        variants.iter().filter(|variant| architectures.include(&variant.architecture)).collect();
    if suitable.is_empty() { Err(Error::NoPlatform) } else { Ok(suitable) }
}

/// The one thing that they all run. A pod's command is fixed before its node is.
pub(super) fn agreed(found: Vec<(&Variant, Entrypoint)>) -> Result<Entrypoint, Error> {
    let mut found = found.into_iter();
    let (first, entrypoint) = found.next().ok_or(Error::NoPlatform)?;
    match found.find(|(_, other)| *other != entrypoint) {
        None => Ok(entrypoint),
        Some((other, _)) => {
            Err(Error::Disagreement { one: first.platform.clone(), other: other.platform.clone() })
        }
    }
}

/// The digest by which content is known.
pub(super) fn digest_of(content: &[u8]) -> String {
    written_digest("sha256", digest(&SHA256, content).as_ref())
}

/// Whether this is a digest that content can be held against. It becomes a part of an address.
pub(super) fn is_digest(text: &str) -> bool {
    let is_hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match text.split_once(':') {
        Some(("sha256", hex)) => hex.len() == 64 && hex.bytes().all(is_hex),
        Some(("sha512", hex)) => hex.len() == 128 && hex.bytes().all(is_hex),
        _ => false,
    }
}

/// Whether content is what its digest says.
pub(super) fn is_intact(content: &[u8], wanted: &str) -> bool {
    let actual = match wanted.split_once(':') {
        Some((name @ "sha256", _)) => written_digest(name, digest(&SHA256, content).as_ref()),
        Some((name @ "sha512", _)) => written_digest(name, digest(&SHA512, content).as_ref()),
        _ => return false,
    };
    actual == wanted
}

fn written_digest(name: &str, bytes: &[u8]) -> String {
    bytes.iter().fold(format!("{name}:"), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn descriptor(digit: &str, platform: &Value) -> Value {
        json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1,
               "digest": format!("sha256:{}", digit.repeat(64)), "platform": platform})
    }

    fn index(descriptors: &[Value]) -> Option<Manifest> {
        let index = json!({"schemaVersion": 2, "manifests": descriptors,
            "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json"});
        Manifest::read(index.to_string().as_bytes())
    }

    #[test]
    fn an_index_has_its_linux_platforms() {
        let arm = json!({"os": "linux", "architecture": "arm64", "variant": "v8"});
        let Some(Manifest::Index(variants)) = index(&[
            descriptor("1", &json!({"os": "linux", "architecture": "amd64"})),
            descriptor("2", &arm),
            descriptor("3", &json!({"os": "windows", "architecture": "amd64"})),
            descriptor("4", &json!({"os": "unknown", "architecture": "unknown"})),
            descriptor("5", &Value::Null),
        ]) else {
            panic!("an index");
        };
        let platforms: Vec<_> = variants.iter().map(|it| it.platform.as_str()).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64/v8"]);
        assert_eq!(suitable(&variants, &Architectures::default()).unwrap().len(), 2);
        let windows = descriptor("3", &json!({"os": "windows", "architecture": "amd64"}));
        let others = vec![windows; 10 * PLATFORMS];
        assert_eq!(index(&others), Some(Manifest::Index(Vec::new())));
        let many = vec![descriptor("1", &arm); PLATFORMS + 1];
        assert_eq!(index(&many), None);
    }

    #[test]
    fn what_is_kept_of_a_document_is_bounded() {
        let reads = |words: &[String], of: &str| {
            let image = json!({"config": {of: words}, "history": vec![json!({}); 10_000]});
            entrypoint(image.to_string().as_bytes()).is_some()
        };
        for of in ["Entrypoint", "Cmd"] {
            assert!(reads(&vec![String::new(); WORDS], of));
            assert!(!reads(&vec![String::new(); WORDS + 1], of));
            assert!(reads(&["x".repeat(BYTES)], of));
            assert!(!reads(&["x".repeat(BYTES), "x".to_owned()], of));
        }
        let long = json!({"os": "linux", "architecture": "a".repeat(PART + 1)});
        assert_eq!(index(&[descriptor("1", &long)]), Some(Manifest::Index(Vec::new())));
    }

    #[test]
    fn what_is_no_digest_does_not_come_into_an_address() {
        for text in ["", "sha256:", "sha256:../../x", "md5:d41d8cd98f00b204e9800998ecf8427e"] {
            assert!(!is_digest(text), "{text}");
            let image = json!({"config": {"digest": text}});
            assert_eq!(Manifest::read(image.to_string().as_bytes()), None, "{text}");
            let platform = json!({"os": "linux", "architecture": "amd64"});
            let index = json!({"manifests": [{"digest": text, "platform": platform}]});
            assert_eq!(Manifest::read(index.to_string().as_bytes()), None, "{text}");
        }
        assert!(is_digest(&digest_of(b"")));
        assert!(!is_digest(&digest_of(b"").to_ascii_uppercase().replace("SHA", "sha")));
    }

    #[test]
    fn platforms_must_agree() {
        let variant = |platform: &str| Variant {
            platform: platform.to_owned(),
            architecture: "a".to_owned(),
            digest: "d".to_owned(),
        };
        let runs = |word: &str| Entrypoint { entrypoint: vec![word.to_owned()], cmd: vec![] };
        let (a, b, c) = (variant("linux/a"), variant("linux/b"), variant("linux/c"));
        let same = vec![(&a, runs("x")), (&b, runs("x"))];
        assert_eq!(agreed(same), Ok(runs("x")));
        let differs = agreed(vec![(&a, runs("x")), (&b, runs("x")), (&c, runs("y"))]);
        let (one, other) = ("linux/a".to_owned(), "linux/c".to_owned());
        assert_eq!(differs, Err(Error::Disagreement { one, other }));
        assert_eq!(agreed(vec![]), Err(Error::NoPlatform));
    }

    #[test]
    fn a_configuration_may_say_little_or_what_nobody_knows() {
        let read = |config: Value| {
            let image = json!({"architecture": "amd64", "os": "linux", "config": config,
                "rootfs": {"type": "layers", "diff_ids": ["sha256:1"]}, "docker_version": "20",
                "history": [{"created": "2026-01-01T00:00:00Z", "empty_layer": true}]});
            entrypoint(image.to_string().as_bytes()).unwrap()
        };
        let docker = json!({"Hostname": "", "User": "", "AttachStdin": false, "Tty": false,
            "ExposedPorts": {"80/tcp": {}}, "Env": ["PATH=/bin"], "Cmd": ["serve"],
            "Healthcheck": {"Test": ["NONE"]}, "ArgsEscaped": true, "Image": "sha256:1",
            "Volumes": {"/data": {}}, "WorkingDir": "/", "Entrypoint": ["/entry"],
            "OnBuild": null, "Labels": {"a": "b"}, "StopSignal": "SIGQUIT"});
        assert_eq!(read(docker).entrypoint, ["/entry"]);
        for nothing in [Value::Null, json!({}), json!({"Entrypoint": null, "Cmd": null})] {
            assert_eq!(read(nothing), Entrypoint::default());
        }
        let nulls = json!({"Volumes": null, "ExposedPorts": null, "Labels": null, "Env": null});
        assert_eq!(read(nulls), Entrypoint::default());
        assert_eq!(entrypoint(b"[]"), None);
    }

    #[test]
    fn what_is_no_manifest_is_none() {
        let artifact = json!({"schemaVersion": 2, "layers": []}).to_string();
        let config = descriptor("1", &Value::Null);
        let both = json!({"schemaVersion": 2, "config": config, "manifests": []}).to_string();
        for text in ["", "{}", "[]", r#"{"manifests": 1}"#, &artifact, &both] {
            assert_eq!(Manifest::read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn content_is_held_against_its_digest() {
        let name = digest_of(b"");
        assert!(name.starts_with("sha256:e3b0c44298fc1c14"), "{name}");
        assert!(is_intact(b"", &name));
        assert!(!is_intact(b"x", &name));
        assert!(is_intact(b"", &written_digest("sha512", digest(&SHA512, b"").as_ref())));
        assert!(!is_intact(b"", "md5:d41d8cd98f00b204e9800998ecf8427e"));
    }

    proptest! {
        /// Whoever names an image chooses who writes its documents.
        #[test]
        fn no_document_makes_it_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..64),
            texts in proptest::collection::vec(".{0,16}|sha256:[0-9a-f]{0,64}|linux|amd64", 8),
        ) {
            let [digest, kind, os, architecture, variant, key, first, cmd] = texts.as_slice()
            else { unreachable!("eight") };
            let descriptor = json!({"mediaType": kind, "digest": digest, "size": 1,
                "platform": {"os": os, "architecture": architecture, "variant": variant}});
            let documents = [
                json!({"schemaVersion": 2, "config": descriptor, "layers": [descriptor]}),
                json!({"schemaVersion": 2, "manifests": [descriptor]}),
                json!({"os": os, "architecture": architecture, "rootfs": {"type": kind,
                    "diff_ids": [digest]}, "config": {key: cmd, "Entrypoint": [first],
                    "Cmd": [cmd], "ExposedPorts": {key: {}}, "Volumes": {key: {}}}}),
            ];
            let texts = documents.map(|document| document.to_string().into_bytes());
            for text in texts.iter().chain([&bytes]) {
                let _ = Manifest::read(text);
                let _ = entrypoint(text);
                let _ = is_intact(text, digest);
            }
        }
    }
}
