//! Lists are read as far as their limit.
//!
//! What stands in a list takes many times its text: `{}` would be a container of a hundred bytes.
//! So no more elements are read than an object of Kubernetes has.

use std::{fmt, marker::PhantomData};

use contract::{Limit, limits};
use memchr::memchr_iter;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// Gives each element of a list to `keep`, and says whether there is a list at all, which there is
/// not where it is null.
pub(crate) fn each<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    limit: &'static Limit,
    keep: impl FnMut(T),
) -> Result<bool, D::Error> {
    deserializer.deserialize_option(Elements { limit, keep, element: PhantomData })
}

/// That a list has more elements than it may.
pub(crate) fn too_long<E: Error>(Limit { list, most }: &Limit) -> E {
    E::custom(format_args!("it has more than {most} {list}, which is the limit"))
}

/// Reads a list; none where it is null.
fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    limit: &'static Limit,
) -> Result<Option<Vec<T>>, D::Error> {
    List::new(limit, 0).deserialize(deserializer)
}

/// The same, where many elements may stand in little text: there are no more than commas and one,
/// so that room is taken once, and for hardly more.
fn counted<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
    limit: &'static Limit,
) -> Result<Option<Box<[T]>>, D::Error> {
    let Some(text) = Option::<&RawValue>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let commas = memchr_iter(b',', text.get().as_bytes()).count();
    let room = limit.most.min(commas + 1);
    let elements = skim::read(text.get(), || List::new(limit, room)).map_err(D::Error::custom)?;
    Ok(elements.map(Vec::into_boxed_slice))
}

/// A list of no more elements than the limit, with room for so many.
struct List<T> {
    limit: &'static Limit,
    room: usize,
    element: PhantomData<T>,
}

impl<T> List<T> {
    const fn new(limit: &'static Limit, room: usize) -> Self {
        Self { limit, room, element: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for List<T> {
    type Value = Option<Vec<T>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let mut elements = Vec::with_capacity(self.room);
        let is_there = each(deserializer, self.limit, |element| elements.push(element))?;
        Ok(is_there.then_some(elements))
    }
}

/// A function that reads a field.
macro_rules! field {
    ($name:ident: $list:ident of $limit:ident in $result:ty) => {
        pub(crate) fn $name<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
            deserializer: D,
        ) -> Result<Option<$result>, D::Error> {
            $list(deserializer, &limits::$limit)
        }
    };
}

field! { containers: list of CONTAINERS in Vec<T> }
field! { pull_secrets: list of PULL_SECRETS in Vec<T> }
field! { architectures: list of ARCHITECTURES in Vec<T> }
field! { volumes: counted of VOLUMES in Box<[T]> }
field! { volume_mounts: counted of VOLUME_MOUNTS in Box<[T]> }
field! { volume_devices: counted of VOLUME_DEVICES in Box<[T]> }
field! { words: counted of WORDS in Box<[T]> }

struct Elements<T, F> {
    limit: &'static Limit,
    keep: F,
    element: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> Visitor<'de> for Elements<T, F> {
    /// Whether there is a list.
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a sequence")
    }

    fn visit_none<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<bool, A::Error> {
        for _ in 0..self.limit.most {
            match elements.next_element()? {
                Some(element) => (self.keep)(element),
                None => return Ok(true),
            }
        }
        match elements.next_element::<IgnoredAny>()? {
            Some(_) => Err(too_long(self.limit)),
            None => Ok(true),
        }
    }
}
