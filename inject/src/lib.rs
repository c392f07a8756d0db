//! The injection: an object and the settings in; operations, warnings and violations out.
//!
//! Pure: no network, clock or file. An object comes as JSON text, is parsed once by types that
//! read only what the rules need, and is never written back: the patch is made of operations on
//! explicit paths, so that no other byte of the object can change.
#![forbid(unsafe_code)]

mod annotations;
mod architectures;
mod check;
mod chosen;
mod env;
mod ephemeral;
mod image;
mod json;
mod known;
mod launcher;
mod list;
mod managed;
mod mounts;
mod object;
mod parts;
mod patch;
mod path;
mod pod;
mod program;
mod quantity;
mod run;
mod settings;
mod text;
mod view;
mod workload;

pub use architectures::Architectures;
pub use image::{Entrypoint, Entrypoints, Image, Lookup};
pub use known::{Known, Level, Namespace};
pub use patch::Patch;
pub use settings::{Binaries, Privileged, Settings};
pub use text::Text;
pub use view::{OwnerReference, Pod};
pub use workload::Workload;

use std::sync::Arc;

use contract::{Listed, Violations};

/// The version of the project, which the folder on the nodes is named for.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is to be done with an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The changes; none where the object is already as it should be.
    pub patch: Patch,
    /// What the user should know, a sentence each.
    pub warnings: Listed<String>,
    /// The rules that the object breaks; where there are any, the patch does not count.
    pub violations: Violations,
    /// The containers that the injection makes privileged, by their place in `spec.containers`.
    pub made_privileged: Vec<usize>,
    /// Whether the injection adds a hostPath volume.
    pub adds_host_path: bool,
    /// What would have to be found out to say more: with it, judge again.
    pub lookup: Lookup,
}

/// Why an object could not be judged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The JSON text is not such an object.
    #[error("the {kind} cannot be read: {}", skim::Reason(source))]
    Unreadable {
        /// The kind that it should be.
        kind: String,
        /// What is wrong with it, and where.
        source: Arc<serde_json::Error>,
    },
}

impl Error {
    pub(crate) fn unreadable(kind: &str, source: serde_json::Error) -> Self {
        Self::Unreadable { kind: kind.to_owned(), source: Arc::new(source) }
    }
}

/// An object that can carry annotations of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A Pod.
    Pod,
    /// The ephemeral containers that are added to a Pod, of which only these are judged: the pod
    /// exists already.
    EphemeralContainers,
    /// A workload: an object with a pod template.
    Workload(&'a Workload),
}

impl<'a> Target<'a> {
    /// The target with this API group and kind.
    #[must_use]
    pub fn find(group: &str, kind: &str, settings: &'a Settings) -> Option<Self> {
        if (group, kind) == ("", "Pod") {
            return Some(Self::Pod);
        }
        workload::find(group, kind, settings).map(Self::Workload)
    }
}

/// Judges an object and says what is to be done with it.
///
/// `old` is the object as it was, where this is an update: it tells which annotations were taken
/// off a workload, and which ephemeral containers a pod had. `known` is what has been found out
/// beyond it: of images nothing at first, and then what the outcome's [`Lookup`] asked for.
///
/// # Errors
/// [`Error::Unreadable`] where `object` or `old` is not JSON of the target's shape.
pub fn judge(
    target: Target<'_>,
    object: &str,
    old: Option<&str>,
    settings: &Settings,
    known: &Known,
) -> Result<Outcome, Error> {
    match target {
        Target::Pod => Ok(Pod::read(object)?.judge(settings, known)),
        Target::EphemeralContainers => ephemeral::judge(object, old, settings),
        Target::Workload(kind) => workload::judge(kind, object, old, settings, known),
    }
}
