//! What a user asked for, in types.

use alloc::{collections::BTreeSet, string::String};
use core::time::Duration;

use crate::{CommandLine, Mode};

/// A request for a rich container, read from annotations or from the flags of `rich run`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rich {
    /// Which init is PID 1.
    pub mode: Mode,
    /// What runs before the application.
    pub init: Option<Init>,
    /// How long [`Self::init`] may take; none is for ever.
    pub init_timeout: Option<Duration>,
    /// What runs in the container after the application has ended.
    pub poststop: Option<CommandLine>,
    /// Which containers become rich.
    pub containers: Containers,
    /// Who restarts the application.
    pub restart: Restart,
    /// What `rich.pouch/privileged` says, where it is set.
    pub privileged: Option<bool>,
    /// What `rich.pouch/profile` says, where it is set.
    pub profile: Option<bool>,
}

impl Rich {
    /// Whether the container is to be privileged: asked for, or needed by its mode.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        self.privileged.unwrap_or(self.mode.boots_the_image())
    }

    /// Whether login shells are to see the container's environment.
    #[must_use]
    pub fn has_profile(&self) -> bool {
        self.profile.unwrap_or(true)
    }
}

/// What runs before the application, at every start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Init {
    /// A script that is in the container.
    Script(CommandLine),
    /// A command line for `/bin/sh -c`.
    Command(String),
}

/// Which containers of a pod become rich.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Containers {
    /// Of those that the pod's creator wrote: `kubectl.kubernetes.io/default-container`, else the
    /// first.
    #[default]
    Default,
    /// `*`: all that the pod's creator wrote.
    All,
    /// Those with these names.
    Named(BTreeSet<String>),
}

/// What happens when the application ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Restart {
    /// The container ends with the application's exit code.
    #[default]
    Container,
    /// systemd starts the application again in the same container.
    Service,
}

impl Restart {
    /// The name as a user writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Service => "service",
        }
    }

    /// The restart with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Container, Self::Service].into_iter().find(|restart| restart.name() == name)
    }
}
