//! The patch: RFC 6902 operations on explicit paths, as the text that is sent.

use serde::Deserialize;

use crate::json::Json;

/// Most patches are shorter.
const ROOM: usize = 2048;

/// A JSON patch (RFC 6902), of the operations that the injection needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// An array of operations; nothing at all where there is none.
    text: String,
}

impl Patch {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if self.text.is_empty() { "[]" } else { &self.text }
    }

    /// The path of its first operation.
    #[must_use]
    pub fn first_path(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Operation {
            path: String,
        }
        // We wrote it ourselves; the others are not read.
        let operations = self.text.strip_prefix('[')?;
        let mut operations =
            serde_json::Deserializer::from_str(operations).into_iter::<Operation>();
        operations.next()?.ok().map(|operation| operation.path)
    }

    /// Adds a member, or inserts into an array. Paths (RFC 6901) come in parts, so that nobody
    /// has to put them together, and are written as they are: what is not ours in them comes by
    /// way of [`token`].
    pub(crate) fn add(&mut self, path: &[&str], value: Json<'_>) {
        self.begin(r#"{"op":"add","path":""#, path);
        self.value(value);
        self.end();
    }

    /// Puts another value in the place of one that is there.
    pub(crate) fn replace(&mut self, path: &[&str], value: Json<'_>) {
        self.begin(r#"{"op":"replace","path":""#, path);
        self.value(value);
        self.end();
    }

    /// Takes out a value that is there.
    pub(crate) fn remove(&mut self, path: &[&str]) {
        self.begin(r#"{"op":"remove","path":""#, path);
        self.end();
    }

    /// Adds values at the end of the list `name`, which where it is not there yet comes to be with
    /// the first of them.
    pub(crate) fn append(
        &mut self,
        at: &str,
        name: &str,
        is_there: bool,
        values: impl FnOnce(&mut List<'_>),
    ) {
        let mut list = List { patch: self, at, name, is_there, is_begun: false };
        values(&mut list);
        if list.is_begun {
            self.text.push(']');
            self.end();
        }
    }

    fn begin(&mut self, operation: &'static str, path: &[&str]) {
        if self.text.pop().is_some() {
            self.text.push(',');
        } else {
            self.text.reserve(ROOM);
            self.text.push('[');
        }
        self.text.push_str(operation);
        for part in path {
            self.text.push_str(part);
        }
        self.text.push('"');
    }

    fn value(&mut self, value: Json<'_>) {
        self.text.push_str(r#","value":"#);
        value.write(&mut self.text);
    }

    fn end(&mut self) {
        self.text.push_str("}]");
    }
}

/// A list that gets longer.
pub(crate) struct List<'p> {
    patch: &'p mut Patch,
    at: &'p str,
    name: &'p str,
    is_there: bool,
    is_begun: bool,
}

impl List<'_> {
    pub(crate) fn push(&mut self, value: Json<'_>) {
        if self.is_there {
            return self.patch.add(&[self.at, self.name, "/-"], value);
        }
        if self.is_begun {
            self.patch.text.push(',');
        } else {
            self.patch.begin(r#"{"op":"add","path":""#, &[self.at, self.name]);
            self.patch.text.push_str(r#","value":["#);
            self.is_begun = true;
        }
        value.write(&mut self.patch.text);
    }
}

/// One reference token of a JSON pointer, escaped as such (RFC 6901, section 3) and as part of a
/// string of JSON.
pub(crate) fn token(name: &str) -> String {
    let mut token = String::with_capacity(name.len() + "~1".len());
    let _ = skim::escape(name, &mut token);
    if token.contains(['~', '/']) { token.replace('~', "~0").replace('/', "~1") } else { token }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(patch: &Patch) -> Value {
        serde_json::from_str(patch.as_str()).unwrap()
    }

    #[test]
    fn nothing_is_an_empty_array() {
        let patch = Patch::default();
        assert!(patch.is_empty());
        assert_eq!(patch.first_path(), None);
        assert_eq!(read(&patch), json!([]));
    }

    #[test]
    fn operations_are_in_order_and_strings_escaped() {
        let mut patch = Patch::default();
        patch.add(&["/a", "/", &token("\"b/c~")], Json::Text("c\\\n"));
        patch.replace(&["/d"], Json::Object(&[("e", Json::Bool(true))]));
        patch.remove(&["/f/", "0"]);
        assert!(!patch.is_empty());
        assert_eq!(patch.first_path().as_deref(), Some("/a/\"b~1c~0"));
        assert_eq!(
            read(&patch),
            json!([
                {"op": "add", "path": "/a/\"b~1c~0", "value": "c\\\n"},
                {"op": "replace", "path": "/d", "value": {"e": true}},
                {"op": "remove", "path": "/f/0"},
            ])
        );
    }

    #[test]
    fn a_list_is_made_where_it_is_not_there_and_only_for_something() {
        let mut patch = Patch::default();
        for is_there in [true, false] {
            patch.append("/a", "/none", is_there, |_| {});
            patch.append("/a", "/b", is_there, |list| {
                list.push(Json::Written("1"));
                list.push(Json::Written("2"));
            });
        }
        assert_eq!(
            read(&patch),
            json!([
                {"op": "add", "path": "/a/b/-", "value": 1},
                {"op": "add", "path": "/a/b/-", "value": 2},
                {"op": "add", "path": "/a/b", "value": [1, 2]},
            ])
        );
    }
}
