//! The annotations of an object: those that have a meaning here.

use std::{collections::BTreeMap, fmt};

use contract::{Key, PREFIX, limits, names};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};

use crate::text::Text;

/// Our annotations, and the one by which kubectl finds the container that is meant.
///
/// Of those with our prefix that are none, only so many are kept as are put into words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Annotations<'a> {
    known: BTreeMap<Text<'a>, Text<'a>>,
    /// How many more have our prefix and are none of ours.
    pub(crate) unlisted: usize,
}

impl<'a> Annotations<'a> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Text<'a>, &Text<'a>)> {
        self.known.iter()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Text<'a>> {
        self.known.get(name)
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    pub(crate) fn insert(&mut self, name: Text<'a>, value: Text<'a>) {
        self.known.insert(name, value);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.known.remove(name);
    }

    /// Those with our prefix, without the one that is output only.
    pub(crate) fn ours(&self) -> impl Iterator<Item = (&Text<'a>, &Text<'a>)> {
        let status = Key::Status.name();
        self.iter().filter(move |(name, _)| name.starts_with(PREFIX) && **name != *status)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Annotations<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reader::default())
    }
}

#[derive(Default)]
struct Reader<'a> {
    annotations: Annotations<'a>,
    unknown: usize,
}

impl Reader<'_> {
    fn is_kept(&mut self, name: &str) -> bool {
        if !name.starts_with(PREFIX) {
            return name == names::DEFAULT_CONTAINER;
        }
        if Key::parse(name).is_some() {
            return true;
        }
        self.unknown += 1;
        let is_listed = self.unknown <= limits::LISTED;
        self.annotations.unlisted += usize::from(!is_listed);
        is_listed
    }
}

impl<'de: 'a, 'a> Visitor<'de> for Reader<'a> {
    type Value = Annotations<'a>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map")
    }

    fn visit_map<M: MapAccess<'de>>(mut self, mut members: M) -> Result<Annotations<'a>, M::Error> {
        while let Some(name) = members.next_key::<Text<'a>>()? {
            if !self.is_kept(&name) {
                members.next_value::<IgnoredAny>()?;
            } else if self.annotations.contains(&name) {
                let name = contract::shown(&name);
                return Err(M::Error::custom(format_args!("the annotation {name} stands twice")));
            } else {
                self.annotations.insert(name, members.next_value()?);
            }
        }
        Ok(self.annotations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Annotations<'_>, String> {
        skim::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn only_what_has_a_meaning_is_kept() {
        let text = r#"{"a":"b","rich.pouch/mode":"systemd","rich.pouch/\u0061":"",
            "kubectl.kubernetes.io/default-container":"app"}"#;
        let annotations = read(text).unwrap();
        let names: Vec<&str> = annotations.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, [names::DEFAULT_CONTAINER, "rich.pouch/a", "rich.pouch/mode"]);
        assert_eq!(annotations.unlisted, 0);
    }

    #[test]
    fn a_key_of_ours_is_kept_behind_however_many_that_are_none() {
        let unknown: Vec<_> = (0..100_000).map(|it| format!(r#""rich.pouch/{it}":"","#)).collect();
        let unknown = unknown.concat();
        let text = format!(r#"{{{unknown}"rich.pouch/mode":"systemd"}}"#);
        let annotations = read(&text).unwrap();
        assert_eq!(annotations.get("rich.pouch/mode").map(|it| &**it), Some("systemd"));
        assert_eq!(annotations.iter().count(), limits::LISTED + 1);
        assert_eq!(annotations.unlisted, 100_000 - limits::LISTED);
    }

    #[test]
    fn an_annotation_that_stands_twice_is_refused() {
        let text = r#"{"rich.pouch/mode":"systemd","rich.pouch/mod\u0065":"dumb-init"}"#;
        let error = read(text).unwrap_err();
        assert!(error.starts_with("the annotation rich.pouch/mode stands twice"), "{error}");
    }
}
