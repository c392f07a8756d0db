//! The patch: RFC 6902 operations on explicit paths.

use serde::Serialize;

use crate::json::Json;

/// One operation of a JSON patch (RFC 6902), of the kinds that the injection needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Operation {
    /// Adds a member, or inserts into an array.
    Add {
        /// Where (RFC 6901).
        path: String,
        /// What.
        value: Json,
    },
    /// Puts another value in the place of one that is there.
    Replace {
        /// Where (RFC 6901).
        path: String,
        /// What.
        value: Json,
    },
    /// Takes out a value that is there.
    Remove {
        /// Where (RFC 6901).
        path: String,
    },
}

impl Operation {
    pub(crate) fn add(path: String, value: impl Into<Json>) -> Self {
        Self::Add { path, value: value.into() }
    }

    pub(crate) fn replace(path: String, value: impl Into<Json>) -> Self {
        Self::Replace { path, value: value.into() }
    }
}

/// One reference token of a JSON pointer, escaped (RFC 6901, section 3).
pub(crate) fn token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
