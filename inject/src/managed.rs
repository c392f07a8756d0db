//! What `metadata.managedFields` says of the containers: which of them a request wrote.
//!
//! The fields may be as long as the object, so that nothing is kept of them, and those that are
//! longer than an API server writes them count as none.

use std::{collections::BTreeSet, fmt};

use crate::text::Text;
use contract::limits;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// No API server keeps more: an object with as much is larger than etcd takes, and is stored
/// without them.
const LONGEST: usize = 1 << 20;

/// The names of containers that managed fields have.
#[derive(Debug, Default)]
pub(crate) struct Named<'k> {
    /// Those that are known.
    pub(crate) known: BTreeSet<&'k str>,
    /// Whether there is any, known or not.
    pub(crate) any: bool,
}

/// That there are more than an API server writes.
fn too_many<E: Error>() -> E {
    E::custom("too many managed fields")
}

/// Which of the `known` names of containers managed fields have, below the template where they are
/// a workload's.
pub(crate) fn named<'k>(
    fields: &str,
    template: Option<&str>,
    known: &BTreeSet<&'k str>,
) -> Named<'k> {
    if fields.len() > LONGEST {
        return Named::default();
    }
    let template = template.into_iter().flat_map(|path| path.split('.'));
    let fields_of = template.chain(["spec", "containers"]).map(|name| ["f:", name].concat());
    let path: Vec<String> = ["fieldsV1".to_owned()].into_iter().chain(fields_of).collect();
    skim::read(fields, || Managers { path: &path, known }).unwrap_or_default()
}

/// Reads the list of managers.
struct Managers<'n, 'k> {
    path: &'n [String],
    known: &'n BTreeSet<&'k str>,
}

impl<'de, 'k> DeserializeSeed<'de> for Managers<'_, 'k> {
    type Value = Named<'k>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Named<'k>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, 'k> Visitor<'de> for Managers<'_, 'k> {
    type Value = Named<'k>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut managers: A) -> Result<Named<'k>, A::Error> {
        let Self { path, known } = self;
        let mut named = Named::default();
        let mut room = limits::MANAGERS;
        while let Some(of_one) = managers.next_element_seed(Below { path, known })? {
            room = room.checked_sub(1).ok_or_else(too_many)?;
            named.known.extend(of_one.known);
            named.any |= of_one.any;
        }
        Ok(named)
    }
}

/// Reads what is at a path of members.
struct Below<'n, 'k> {
    path: &'n [String],
    known: &'n BTreeSet<&'k str>,
}

impl<'de, 'k> DeserializeSeed<'de> for Below<'_, 'k> {
    type Value = Named<'k>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Named<'k>, D::Error> {
        if self.path.is_empty() {
            return deserializer.deserialize_map(Elements { known: self.known });
        }
        deserializer.deserialize_map(self)
    }
}

impl<'de, 'k> Visitor<'de> for Below<'_, 'k> {
    type Value = Named<'k>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Named<'k>, M::Error> {
        let Self { path, known } = self;
        let mut named = Named::default();
        while let Some(name) = members.next_key::<Text<'de>>()? {
            match path.split_first() {
                Some((first, path)) if name == *first => {
                    named = members.next_value_seed(Below { path, known })?;
                }
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(named)
    }
}

/// Reads the elements of a list, which are members named by their keys: `k:{"name":"app"}`.
struct Elements<'n, 'k> {
    known: &'n BTreeSet<&'k str>,
}

#[derive(Deserialize)]
struct Keys<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

impl<'de, 'k> Visitor<'de> for Elements<'_, 'k> {
    type Value = Named<'k>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut elements: M) -> Result<Named<'k>, M::Error> {
        let mut named = Named::default();
        // Another webhook may have taken out a container that the creator wrote.
        let mut room = self.known.len() + limits::NAMES;
        while let Some((element, _)) = elements.next_entry::<Text<'de>, IgnoredAny>()? {
            // There is one for the list itself.
            room = room.checked_sub(usize::from(element != ".")).ok_or_else(too_many)?;
            let keys = element.strip_prefix("k:").and_then(skim::usual);
            let Some(Keys { name }) = keys else {
                continue;
            };
            named.any = true;
            named.known.extend(self.known.get(&*name));
        }
        Ok(named)
    }
}
