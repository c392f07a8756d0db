//! What `metadata.managedFields` says of the containers: which of them a request wrote.
//!
//! The fields may be as long as the object, so that nothing is kept of them, and those that are
//! longer than an API server writes them count as none.

use std::{collections::BTreeSet, fmt};

use contract::limits;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::text::Text;

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
    skim::read(fields, || Fields { path: &path, known }).unwrap_or_default()
}

/// Reads the list of managers, the fields of one of them, or what is below one of its fields.
#[derive(Clone, Copy)]
struct Fields<'n, 'k> {
    /// Where the containers are from here.
    path: &'n [String],
    known: &'n BTreeSet<&'k str>,
}

/// What names an element of a list, behind `k:`.
#[derive(Deserialize)]
struct Keys<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

impl<'de, 'k> DeserializeSeed<'de> for Fields<'_, 'k> {
    type Value = Named<'k>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Named<'k>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, 'k> Visitor<'de> for Fields<'_, 'k> {
    type Value = Named<'k>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("managed fields")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut managers: A) -> Result<Named<'k>, A::Error> {
        let mut named = Named::default();
        let mut room = limits::MANAGERS;
        while let Some(of_one) = managers.next_element_seed(self)? {
            room = room.checked_sub(1).ok_or_else(too_many)?;
            named.known.extend(of_one.known);
            named.any |= of_one.any;
        }
        Ok(named)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Named<'k>, M::Error> {
        let Some((first, path)) = self.path.split_first() else {
            return self.elements(members);
        };
        let mut named = Named::default();
        while let Some(name) = members.next_key::<Text<'de>>()? {
            if name == *first {
                named = members.next_value_seed(Self { path, ..self })?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(named)
    }
}

impl<'k> Fields<'_, 'k> {
    /// Reads the elements of the list of containers, which are members: `k:{"name":"app"}`.
    fn elements<'de, M: MapAccess<'de>>(self, mut elements: M) -> Result<Named<'k>, M::Error> {
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

/// That there are more than an API server writes.
fn too_many<E: Error>() -> E {
    E::custom("too many managed fields")
}
