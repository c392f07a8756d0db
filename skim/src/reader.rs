//! A serde deserializer for the usual JSON, which does not say what else is wrong.

use std::{fmt, iter};

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, Expected, MapAccess, SeqAccess, Unexpected, Visitor,
        value::{BorrowedStrDeserializer, MapDeserializer},
    },
    forward_to_deserialize_any,
};

use crate::{
    reason::SHOWN,
    scan::{end_of_container, end_of_string, special},
};

/// As deep as serde_json reads.
const DEPTH: u8 = 127;
/// How serde_json asks for a value's text. Were that to change, it would be asked itself.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// Why nothing was read.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The text is not JSON, has a value of another type, or is of a kind that is left to
    /// serde_json.
    Unusual,
    /// Why the value is not what is asked for. To let serde_json find that again would cost a second
    /// reading, and another for each text within the text.
    Wrong(Box<str>),
}

use Fault::Unusual;

impl Fault {
    /// The fault of a value that is no `expected`, in serde_json's words, which would quote a long
    /// string as a whole.
    fn of(what: &str, value: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let reason = match value {
            Unexpected::Float(_) | Unexpected::Map | Unexpected::Seq => return Unusual,
            Unexpected::Unit => format!("invalid {what}: null, expected {expected}"),
            Unexpected::Str(text) if text.len() > SHOWN => {
                let (end, _) = text.char_indices().nth(SHOWN).unwrap_or((text.len(), ' '));
                let shown = [&text[..end], "…"].concat();
                format!("invalid {what}: string {shown:?}, expected {expected}")
            }
            _ => format!("invalid {what}: {value}, expected {expected}"),
        };
        Self::Wrong(reason.into())
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusual => formatter.write_str("unusual JSON"),
            Self::Wrong(reason) => formatter.write_str(reason),
        }
    }
}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::Wrong(reason.to_string().into())
    }

    fn invalid_type(value: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of("type", value, expected)
    }

    fn invalid_value(value: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::of("value", value, expected)
    }
}

type Result<T> = std::result::Result<T, Fault>;

/// JSON text, read from its beginning to its end.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u8,
    /// Where a value was found to be wrong.
    wrong_at: Option<usize>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0, wrong_at: None }
    }

    /// The whole text as one value, read in this way.
    pub(crate) fn whole<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value> {
        let value = seed.deserialize(&mut *self)?;
        match self.peek() {
            None => Ok(value),
            Some(_) => Err(Unusual),
        }
    }

    /// The line and the column where a value was found to be wrong, as serde_json counts them.
    pub(crate) fn position(&self) -> (usize, usize) {
        let at = self.wrong_at.unwrap_or(self.at).min(self.text.len());
        let read = &self.text.as_bytes()[..at];
        let lines = read.split(|byte| *byte == b'\n');
        let column = lines.clone().next_back().map_or(0, <[u8]>::len);
        (lines.count(), column)
    }

    /// The next byte that is no blank, which is not taken.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        match self.text.as_bytes().get(self.at) {
            Some(..=b' ') => self.peek_behind_blanks(),
            byte => byte.copied(),
        }
    }

    #[cold]
    fn peek_behind_blanks(&mut self) -> Option<u8> {
        loop {
            match self.text.as_bytes().get(self.at)? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(*byte),
            }
        }
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Result<()> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(Unusual)
    }

    /// What is between the quotes of the string that begins here. Nothing is taken where it has
    /// escapes, or where there is none.
    fn plain_string(&mut self) -> Option<&'a str> {
        if self.peek()? != b'"' {
            return None;
        }
        let from = self.at + 1;
        let end = special(self.text.as_bytes(), from)?;
        let text = self.text.get(from..end)?;
        if self.text.as_bytes().get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        Some(text)
    }

    /// Passes over a string, and gives its text with its quotes.
    fn quoted_string(&mut self) -> Result<&'a str> {
        self.take(b'"')?;
        let from = self.at - 1;
        let end = end_of_string(self.text.as_bytes(), self.at).ok_or(Unusual)?;
        self.at = end + 1;
        self.text.get(from..self.at).ok_or(Unusual)
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<&'a str> {
        let rest = self.text.get(self.at..).ok_or(Unusual)?;
        let is_end = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\n' | b'\r' | b'\t');
        let length = rest.as_bytes().iter().position(is_end).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).filter(|word| !word.is_empty()).ok_or(Unusual)
    }

    /// Passes over the value that begins here, and gives its text.
    #[inline]
    fn skip(&mut self) -> Result<&'a str> {
        let first = self.peek().ok_or(Unusual)?;
        let from = self.at;
        match first {
            b'"' => return self.quoted_string(),
            b'{' | b'[' => {
                let bytes = self.text.as_bytes();
                // Many are empty. The code of a closing bracket is two more than the opening one's.
                self.at = match bytes.get(from + 1) {
                    Some(next) if *next == first + 2 => from + 2,
                    _ => end_of_container(bytes, from).ok_or(Unusual)? + 1,
                };
            }
            _ => drop(self.word()?),
        }
        self.text.get(from..self.at).ok_or(Unusual)
    }

    #[cold]
    fn note_place(&mut self) {
        self.wrong_at.get_or_insert(self.at);
    }

    /// The same for an object or an array, which serde_json tries to end before it names the place.
    #[cold]
    fn note_place_behind(&mut self, close: u8) {
        if self.wrong_at.is_none() {
            let next = self.peek();
            if next == Some(close) || next == Some(b',') {
                self.at += 1;
            }
            if next == Some(b',') {
                self.peek();
            }
            self.note_place();
        }
    }

    fn visit_string<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value> {
        let value = if let Some(text) = self.plain_string() {
            visitor.visit_borrowed_str(text)
        } else {
            let quoted = self.quoted_string()?;
            visitor.visit_string(serde_json::from_str(quoted).map_err(|_| Unusual)?)
        };
        value.inspect_err(|_| self.note_place())
    }

    fn visit_word<V: Visitor<'a>>(&mut self, visitor: V) -> Result<V::Value> {
        let value = match self.word()? {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            "null" => visitor.visit_unit(),
            number => visit_number(number, visitor),
        };
        value.inspect_err(|_| self.note_place())
    }

    /// Reads what is between two brackets.
    fn within<T>(
        &mut self,
        [open, close]: [u8; 2],
        read: impl FnOnce(Items<'_, 'a>) -> Result<T>,
    ) -> Result<T> {
        self.take(open)?;
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Unusual);
        }
        let value = read(Items { reader: self, close, is_first: true })
            .inspect_err(|_| self.note_place_behind(close))?;
        self.depth -= 1;
        self.take(close)?;
        Ok(value)
    }
}

/// Integers; what fractions are, serde_json is asked.
fn visit_number<'a, V: Visitor<'a>>(number: &str, visitor: V) -> Result<V::Value> {
    let digits = number.strip_prefix('-').unwrap_or(number);
    let is_integer = digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_integer {
        return visitor.visit_f64(serde_json::from_str(number).map_err(|_| Unusual)?);
    }
    if digits.starts_with('0') && number != "0" {
        return Err(Unusual);
    }
    if number.starts_with('-') {
        visitor.visit_i64(number.parse().map_err(|_| Unusual)?)
    } else {
        visitor.visit_u64(number.parse().map_err(|_| Unusual)?)
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.peek() {
            Some(b'"') => self.visit_string(visitor),
            Some(b'{') => self.within(*b"{}", |items| visitor.visit_map(items)),
            Some(b'[') => self.within(*b"[]", |items| visitor.visit_seq(items)),
            _ => self.visit_word(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.visit_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.visit_string(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.visit_string(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.peek() == Some(b'"') {
            // It is not what the visitor expects, who says what that is.
            return self.visit_string(visitor);
        }
        self.within(*b"{}", |items| visitor.visit_map(items))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.peek() == Some(b'"') {
            return self.visit_string(visitor);
        }
        self.within(*b"[]", |items| visitor.visit_seq(items))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.peek() == Some(b'n') {
            return self.visit_word(visitor);
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        if name != RAW_VALUE {
            return visitor.visit_newtype_struct(self);
        }
        let text = BorrowedStrDeserializer::new(self.skip()?);
        visitor.visit_map(MapDeserializer::new(iter::once((name, text))))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf
        unit unit_struct tuple tuple_struct enum
    }
}

/// The members of an object or the elements of an array.
struct Items<'r, 'a> {
    reader: &'r mut Reader<'a>,
    close: u8,
    is_first: bool,
}

impl Items<'_, '_> {
    /// Goes to the next of them, if there is one.
    #[inline]
    fn advance(&mut self) -> Result<bool> {
        let next = self.reader.peek();
        if next == Some(self.close) {
            return Ok(false);
        }
        if self.is_first {
            self.is_first = false;
        } else if next == Some(b',') {
            self.reader.at += 1;
        } else {
            return Err(Unusual);
        }
        Ok(true)
    }
}

impl<'a> SeqAccess<'a> for Items<'_, 'a> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        self.advance()?.then(|| seed.deserialize(&mut *self.reader)).transpose()
    }
}

impl<'a> MapAccess<'a> for Items<'_, 'a> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if !self.advance()? {
            return Ok(None);
        }
        if self.reader.peek() != Some(b'"') {
            return Err(Unusual);
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value> {
        self.reader.take(b':')?;
        seed.deserialize(&mut *self.reader)
    }
}

#[cfg(test)]
mod tests;
