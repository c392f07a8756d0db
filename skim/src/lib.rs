//! Reads JSON for serde, and passes fast over what nobody asks for; and writes its strings.
//!
//! An object of Kubernetes is long, and few of its fields decide: a reader that looks at every
//! byte of the others spends most of its time on them. This one finds their end by the brackets
//! and quotes alone, 64 bytes at a time.
//!
//! Valid JSON is read as serde_json reads it. If the text is not of the usual kind, serde_json reads
//! it again, and its value or error is the result; a value of another type is told at once, in
//! serde_json's words. What is passed over is not examined: there, text is taken that is no JSON.
#![forbid(unsafe_code)]

mod escape;
mod member;
mod reader;
mod reason;
mod scan;

pub use escape::escape;
pub use reason::Reason;

use std::{marker::PhantomData, str::Utf8Error};

use serde::{
    Deserialize,
    de::{DeserializeSeed, Error as _},
};

use self::{
    member::Member,
    reader::{Fault, Reader},
};

/// Reads a value out of JSON text, which it may borrow, where all that is read of it is of the usual
/// kind and of this type; otherwise nothing, and [`from_str`] finds out why.
#[must_use]
pub fn usual<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    Reader::new(text).whole(PhantomData).ok()
}

/// Reads a value out of JSON text, which it may borrow.
///
/// # Errors
/// serde_json's, where the text is not JSON or not of this type.
pub fn from_str<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    read(text, || PhantomData)
}

/// The text that the bytes are: JSON that programs send each other is UTF-8 (RFC 8259, section 8.1).
///
/// # Errors
/// Where they are not UTF-8.
pub fn text(bytes: &[u8]) -> Result<&str, Utf8Error> {
    // The fast one does not say where.
    simdutf8::basic::from_utf8(bytes).or_else(|_| str::from_utf8(bytes))
}

/// Reads one member of the object in JSON text; nothing where it has none of that name, or where
/// the text is `null`.
///
/// As in everything that serde derives, a member that stands twice is an error: a reader that takes
/// the first and one that takes the last would read two objects.
///
/// # Errors
/// serde_json's, where the text is no such object, has the member twice, or it is not of this type.
pub fn member<'a, T: Deserialize<'a>>(
    text: &'a str,
    name: &str,
) -> Result<Option<T>, serde_json::Error> {
    read(text, || Member::of(name))
}

/// Reads JSON text, which the value may borrow, as the seed says. It is asked again where the text
/// is not of the usual kind.
///
/// # Errors
/// serde_json's, where the text is not JSON or not what the seed reads; of a long string that stands
/// where something else belongs, it shows the beginning.
pub fn read<'a, S: DeserializeSeed<'a>>(
    text: &'a str,
    seed: impl Fn() -> S,
) -> Result<S::Value, serde_json::Error> {
    let mut reader = Reader::new(text);
    match reader.whole(seed()) {
        Ok(value) => return Ok(value),
        Err(Fault::Wrong(reason)) => {
            let error = serde_json::Error::custom(&reason);
            if error.line() > 0 {
                // The place in a text within this one, which the reason names.
                return Err(error);
            }
            let (line, column) = reader.position();
            let reason = format_args!("{reason} at line {line} column {column}");
            return Err(serde_json::Error::custom(reason));
        }
        Err(Fault::Unusual) => {}
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = seed().deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}
