//! What a container runs: the pod's command, or what its image runs without one.

use std::{borrow::Cow, cell::OnceCell, fmt::Arguments};

use contract::{Violations, names, rules};

use crate::{
    architectures::Architectures,
    image::{Entrypoints, Image},
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

/// What the containers of a pod run.
pub(crate) struct Programs<'a> {
    pod: &'a Pod<'a>,
    entrypoints: &'a Entrypoints,
    /// Found out once for all images.
    architectures: OnceCell<Architectures>,
}

impl<'a> Programs<'a> {
    pub(crate) fn new(pod: &'a Pod<'a>, entrypoints: &'a Entrypoints) -> Self {
        Self { pod, entrypoints, architectures: OnceCell::new() }
    }

    /// What a container of the pod runs.
    pub(crate) fn of(&self, container: &'a Container<'_>) -> Program<'a> {
        let (words, is_ours) = users_words(container);
        // Behind our launcher, the image's entrypoint has no say any more.
        if !words.is_empty() || (is_ours && container.has_args) {
            return Program::Known(Cow::Borrowed(words));
        }
        let Some(name) = container.image.as_ref().filter(|name| !name.is_empty()) else {
            return Program::Nothing;
        };
        let architectures = self.architectures.get_or_init(|| Architectures::of(self.pod)).clone();
        let image = Image { name: name.to_string(), architectures };
        match self.entrypoints.get(&image) {
            None => Program::OfImage(image),
            Some(Err(reason)) => Program::Unknown(reason),
            Some(Ok(found)) => {
                let cmd = if container.has_args { &[] } else { found.cmd.as_slice() };
                let words = found.entrypoint.iter().chain(cmd);
                // The kubelet expands $(NAME) in a pod's command, but not in an image's.
                let words: Vec<Text<'_>> =
                    words.map(|word| word.replace('$', "$$").into()).collect();
                if words.is_empty() && !container.has_args {
                    return Program::Unknown("it has neither an entrypoint nor a cmd");
                }
                Program::Known(Cow::Owned(words))
            }
        }
    }
}

impl Program<'_> {
    /// The rule that is broken where it is not known; `at` is where the container is.
    pub(crate) fn check(
        &self,
        container: &Container,
        at: Arguments<'_>,
        violations: &mut Violations,
    ) {
        let field = || format!("{at}.command");
        match self {
            Self::Known(_) => {}
            Self::OfImage(_) | Self::Nothing => {
                violations.push(|| rules::NO_COMMAND.broken_at(&field()));
            }
            Self::Unknown(reason) => violations.push(|| {
                rules::ENTRYPOINT_UNKNOWN
                    .broken_at(&field())
                    .with("image", container.image.as_deref().unwrap_or_default())
                    .with("reason", reason)
            }),
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
