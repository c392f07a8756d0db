//! What a patch puts into an object: values that are put together where they are needed, borrow
//! all they can, and are written at once.

use std::{borrow::Cow, fmt::Write};

use serde_json::Number;

use crate::text;

/// A value of JSON that is to be written.
#[derive(Clone, Copy)]
pub(crate) enum Json<'a> {
    /// `true` or `false`.
    Bool(bool),
    /// A string.
    Text(&'a str),
    /// A string of ours, of which nothing is to be escaped.
    Fixed(&'static str),
    /// JSON of ours, as it is.
    Written(&'static str),
    /// An array of strings: these of ours, and behind them those of the object.
    Words(&'a [Cow<'a, str>], &'a [text::Text<'a>]),
    /// An array.
    List(&'a [Json<'a>]),
    /// An object with different names, all ours, of which nothing is to be escaped.
    Object(&'a [(&'static str, Json<'a>)]),
    /// An object with whatever different names.
    Map(&'a [(&'a str, Json<'a>)]),
    /// A number.
    Number(&'a Number),
}

impl Json<'_> {
    /// Writes it at the end of `text`, which takes all that is written to it.
    pub(crate) fn write(self, text: &mut String) {
        match self {
            Self::Bool(true) => text.push_str("true"),
            Self::Bool(false) => text.push_str("false"),
            Self::Number(value) => _ = write!(text, "{value}"),
            Self::Text(value) => string(text, value),
            Self::Words(ours, theirs) => {
                let theirs = theirs.iter().map(|word| &**word);
                let words = ours.iter().map(|word| &**word).chain(theirs);
                list(text, *b"[]", words, string);
            }
            Self::List(values) => list(text, *b"[]", values, |text, value| value.write(text)),
            Self::Fixed(value) => fixed(text, value),
            Self::Written(value) => text.push_str(value),
            Self::Object(members) => list(text, *b"{}", members, |text, (name, value)| {
                fixed(text, name);
                text.push(':');
                value.write(text);
            }),
            Self::Map(members) => list(text, *b"{}", members, |text, (name, value)| {
                string(text, name);
                text.push(':');
                value.write(text);
            }),
        }
    }
}

fn list<T>(
    text: &mut String,
    [open, close]: [u8; 2],
    items: impl IntoIterator<Item = T>,
    write: impl Fn(&mut String, T),
) {
    text.push(open.into());
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write(text, item);
    }
    text.push(close.into());
}

fn fixed(text: &mut String, value: &str) {
    text.push('"');
    text.push_str(value);
    text.push('"');
}

fn string(text: &mut String, value: &str) {
    text.push('"');
    let _ = skim::escape(value, text);
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn written(value: Json<'_>) -> Value {
        let mut text = String::new();
        value.write(&mut text);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn every_value_is_read_as_what_it_was() {
        let number = Number::from_f64(1.5).unwrap();
        let members = [
            ("empty", Json::Object(&[])),
            ("list", Json::List(&[Json::Bool(true), Json::Bool(false)])),
            ("words", Json::Words(&["a".into(), "b".into()], &["c\"".into()])),
            ("theirs", Json::Words(&[], &["c".into()])),
            ("none", Json::Words(&[], &[])),
            ("number", Json::Number(&number)),
            ("map", Json::Map(&[("text \"\n", Json::Text("\\"))])),
            ("fixed", Json::Fixed("a")),
            ("written", Json::Written("[1]")),
        ];
        assert_eq!(
            written(Json::Object(&members)),
            json!({"empty": {}, "list": [true, false], "words": ["a", "b", "c\""],
                   "theirs": ["c"], "none": [], "number": 1.5, "map": {"text \"\n": "\\"},
                   "fixed": "a", "written": [1]})
        );
    }
}
