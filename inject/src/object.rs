//! Objects are read from objects.
//!
//! What serde derives for a struct is content with an array, too, whose elements are then the
//! fields in their order. In an object of Kubernetes that is a fault, and a patch that goes by it
//! would name members of an array.

use serde::{
    Deserializer,
    de::{Error, Visitor},
    forward_to_deserialize_any,
};

/// Reads a struct from an object only.
pub(crate) struct Object<D>(pub(crate) D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Object<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, D::Error> {
        Err(D::Error::custom("only a struct is read as an object"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Makes types for which `#[serde(remote = "Self")]` has derived a function `deserialize` types
/// that are read from objects.
macro_rules! objects {
    ($($name:ident $(<$lifetime:lifetime>)?),* $(,)?) => {$(
        impl<'de $(: $lifetime, $lifetime)?> serde::Deserialize<'de> for $name $(<$lifetime>)? {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                // The derived function, which goes before the trait's own.
                Self::deserialize($crate::object::Object(deserializer))
            }
        }
    )*};
}

pub(crate) use objects;
