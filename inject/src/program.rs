//! What a container runs: the pod's command, or what its image runs without one.

use std::{borrow::Cow, fmt::Arguments};

use contract::{Violation, names, rules};

use crate::{
    image::{Architectures, Entrypoints, Image},
    text::Text,
    view::{Container, Pod},
};

/// The word that makes the launcher run a container.
pub(crate) const RUN: &str = "run";
/// What stands between the launcher's flags and what the container runs.
pub(crate) const END_OF_FLAGS: &str = "--";

/// What a container runs, as far as it is known.
pub(crate) enum Program<'a> {
    /// These words, and behind them the container's `args`.
    Known(Cow<'a, [Text<'a>]>),
    /// What its image says, and that has not been looked up.
    OfImage(Image),
    /// What its image says, which is no help for this reason.
    Unknown(&'a str),
    /// Nothing, and there is no image that could say it.
    Nothing,
}

impl<'a> Program<'a> {
    /// What a container of the pod runs.
    pub(crate) fn of(
        pod: &Pod<'_>,
        container: &'a Container<'_>,
        entrypoints: &'a Entrypoints,
    ) -> Self {
        let (words, is_ours) = users_words(container);
        // Behind our launcher, the image's entrypoint has no say any more.
        if !words.is_empty() || (is_ours && container.has_args()) {
            return Self::Known(Cow::Borrowed(words));
        }
        let Some(name) = container.image.as_ref().filter(|name| !name.is_empty()) else {
            return Self::Nothing;
        };
        let image = Image { name: name.to_string(), architectures: Architectures::of(pod) };
        match entrypoints.get(&image) {
            None => Self::OfImage(image),
            Some(Err(reason)) => Self::Unknown(reason),
            Some(Ok(found)) => {
                let cmd = if container.has_args() { &[] } else { found.cmd.as_slice() };
                let words = found.entrypoint.iter().chain(cmd);
                // The kubelet expands $(NAME) in a pod's command, but not in an image's.
                let words: Vec<Text<'_>> =
                    words.map(|word| word.replace('$', "$$").into()).collect();
                if words.is_empty() && !container.has_args() {
                    return Self::Unknown("it has neither an entrypoint nor a cmd");
                }
                Self::Known(Cow::Owned(words))
            }
        }
    }

    /// The rule that is broken where it is not known; `at` is where the container is.
    pub(crate) fn violation(&self, container: &Container, at: Arguments<'_>) -> Option<Violation> {
        let field = || format!("{at}.command");
        match self {
            Self::Known(_) => None,
            Self::OfImage(_) | Self::Nothing => Some(rules::NO_COMMAND.broken_at(&field())),
            Self::Unknown(reason) => Some(
                rules::ENTRYPOINT_UNKNOWN
                    .broken_at(&field())
                    .with("image", container.image.as_deref().unwrap_or_default())
                    .with("reason", reason),
            ),
        }
    }
}

/// What the user wrote as the command, behind ours where the container is rich already; and
/// whether it is.
fn users_words<'a>(container: &'a Container<'_>) -> (&'a [Text<'a>], bool) {
    let command = container.command.as_deref().unwrap_or_default();
    if !is_launched(container) {
        return (command, false);
    }
    let flags = command.iter().take_while(|word| **word != END_OF_FLAGS).count();
    (command.get(flags + 1..).unwrap_or_default(), true)
}

/// Whether the container's command is our launcher, as an injection makes it.
pub(crate) fn is_launched(container: &Container<'_>) -> bool {
    matches!(container.command.as_deref(), Some([launcher, run, ..])
        if *launcher == names::LAUNCHER && *run == RUN)
}
