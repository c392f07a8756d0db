//! Reads JSON for serde, and passes fast over what nobody asks for; and writes its strings.
//!
//! An object of Kubernetes is long, and few of its fields decide: a reader that looks at every
//! byte of the others spends most of its time on them. This one finds their end by the brackets
//! and quotes alone, 64 bytes at a time.
//!
//! What is valid JSON is read as serde_json reads it: whatever else than the usual comes by here
//! is given to serde_json, whose value or error is the result. What is passed over is not
//! examined: there, text is taken that is no JSON.
#![forbid(unsafe_code)]

mod escape;
mod reader;
mod scan;

pub use escape::escape;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use self::reader::Reader;

/// Reads a value out of JSON text, which it may borrow, where all that is read of it is of the usual
/// kind and of this type; otherwise nothing, and [`from_str`] finds out why.
#[must_use]
pub fn usual<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    Reader::read(text).ok()
}

/// Reads a value out of JSON text, which it may borrow.
///
/// # Errors
/// serde_json's, where the text is not JSON or not of this type.
pub fn from_str<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    match Reader::read(text) {
        Ok(value) => Ok(value),
        Err(_) => serde_json::from_str(text),
    }
}

/// Reads a value out of JSON text in UTF-8, which it may borrow.
///
/// # Errors
/// serde_json's, where the bytes are not JSON or not of this type.
pub fn from_slice<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, serde_json::Error> {
    match text(bytes) {
        Some(text) => from_str(text),
        None => serde_json::from_slice(bytes),
    }
}

/// The text in UTF-8 that the bytes are.
#[must_use]
pub fn text(bytes: &[u8]) -> Option<&str> {
    simdutf8::basic::from_utf8(bytes).ok()
}

/// Reads one member of the object in JSON text; nothing where it has none of that name, or where
/// the text is `null`. What is behind the member is not looked at.
///
/// # Errors
/// serde_json's, where the text is no such object, or the member not of this type.
pub fn member<'a, T: Deserialize<'a>>(
    text: &'a str,
    name: &str,
) -> Result<Option<T>, serde_json::Error> {
    if let Ok(member) = Reader::member(text, name) {
        return Ok(member);
    }
    let members: Option<BTreeMap<String, &'a RawValue>> = serde_json::from_str(text)?;
    let member = members.as_ref().and_then(|members| members.get(name));
    member.map(|member| serde_json::from_str(member.get())).transpose()
}
