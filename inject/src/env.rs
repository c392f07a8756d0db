//! The variables of a container: those that the injection sets.

use std::{fmt, sync::LazyLock};

use contract::{limits, names};
use memchr::{memchr, memmem::Finder};
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{list::too_long, object::objects, text::Text};

/// Both names begin with it.
static NAME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(names::ENV_RICH));

/// The shortest variable with one of the names.
const SHORTEST: usize = r#"{"name":"rich_mode"}"#.len();

/// The variables that the injection sets, each with its index among all.
#[derive(Debug, Default)]
pub(crate) struct Env<'a>(Box<[(usize, EnvVar<'a>)]>);

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct EnvVar<'a> {
    pub name: Text<'a>,
    pub value: Option<Text<'a>>,
}

objects! { EnvVar<'a> }

impl<'a> Env<'a> {
    pub(crate) fn ours(&self) -> &[(usize, EnvVar<'a>)] {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Env<'a> {
    /// A container may have hundreds of variables: only those are read whose text may name one of
    /// ours, and where none does, they are not even told from each other.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        if text.starts_with('[') && !may_name_ours(text) {
            return Ok(Self::default());
        }
        let Elements(ours) = skim::from_str(text).map_err(D::Error::custom)?;
        Ok(Self(ours.into_boxed_slice()))
    }
}

/// A name with an escape in it may be written in many ways.
fn may_name_ours(text: &str) -> bool {
    let text = text.as_bytes();
    text.len() >= SHORTEST && (memchr(b'\\', text).is_some() || NAME.find(text).is_some())
}

/// The same, from the list itself.
struct Elements<'a>(Vec<(usize, EnvVar<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Self(Vec::new()))
    }
}

impl<'de: 'a, 'a> Visitor<'de> for Elements<'a> {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Self, A::Error> {
        let mut index = 0;
        while let Some(text) = elements.next_element::<&RawValue>()? {
            if may_name_ours(text.get()) {
                let variable: EnvVar<'_> = skim::from_str(text.get()).map_err(A::Error::custom)?;
                if variable.name == names::ENV_RICH || variable.name == names::ENV_MODE {
                    self.0.push((index, variable));
                }
                if self.0.len() > limits::VARIABLES.most {
                    return Err(too_long(&limits::VARIABLES));
                }
            }
            index += 1;
        }
        Ok(self)
    }
}
