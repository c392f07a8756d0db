//! An amount of cpu or memory.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};
use serde_json::Number;

use crate::text::Text;

/// The API server writes a text; a user may write a number.
#[derive(Debug)]
pub(crate) enum Quantity<'a> {
    Text(Text<'a>),
    Number(Number),
}

impl<'de: 'a, 'a> Deserialize<'de> for Quantity<'a> {
    /// Nothing is kept of what is neither, be it as long as it likes.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Quantity<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a quantity, such as 500m or 2")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Quantity<'de>, E> {
        Ok(Quantity::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Quantity<'de>, E> {
        Ok(Quantity::Text(text.to_owned().into()))
    }

    fn visit_string<E>(self, text: String) -> Result<Quantity<'de>, E> {
        Ok(Quantity::Text(text.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Quantity<'de>, E> {
        Ok(Quantity::Number(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Quantity<'de>, E> {
        Ok(Quantity::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Quantity<'de>, E> {
        let number = Number::from_f64(number);
        number.map(Quantity::Number).ok_or_else(|| E::custom("a number that is endless"))
    }
}
