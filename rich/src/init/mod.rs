//! The inits that `rich run` can become: one file each.

mod boot;
mod boot_scripts;
mod busybox;
mod cover;
mod dumb_init;
mod end;
mod inittab;
mod openrc;
mod rivals;
mod sbin_init;
mod services;
mod systemd;
mod sysv;

use alloc::string::String;
use core::fmt;

use crate::{Strings, errno::Reason, exec, request::Request, say, service};
use contract::Mode;

/// Why there is no init.
pub(crate) enum Error {
    /// The application cannot be run, so no init is started for it.
    Application(exec::Failure),
    /// The init itself cannot be run.
    Init { mode: Mode, failure: exec::Failure },
    /// The container is not what the init needs.
    Boot { mode: Mode, error: boot::Error },
    /// The mode needs what the image lacks.
    Missing { mode: Mode, what: String },
}

impl Error {
    /// The exit code of the container.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Application(failure) | Self::Init { failure, .. } => failure.code(),
            Self::Missing { .. } => 127,
            Self::Boot { .. } => 126,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application(failure) => write!(f, "the application {failure}"),
            Self::Init { mode, failure } => write!(f, "{}: {failure}", mode.name()),
            Self::Boot { mode, error } => write!(f, "{}: {error}", mode.name()),
            Self::Missing { mode, what } => write!(f, "{}: {what}", mode.name()),
        }
    }
}

/// Makes the container what the init expects; before anything is run in it.
pub(crate) fn prepare(mode: Mode) -> Result<(), Error> {
    if mode.boots_the_image() {
        boot::prepare().map_err(|error| Error::Boot { mode, error })?;
    }
    Ok(())
}

/// Becomes the init that was asked for. Comes back only with why not.
pub(crate) fn become_init(request: &Request, env: Strings) -> Error {
    match request.rich.mode {
        Mode::DumbInit => dumb_init::become_init(request, env),
        Mode::Systemd => systemd::become_init(request, env),
        Mode::SbinInit => sbin_init::become_init(request, env),
    }
}

/// `rich supervise`: the application under an init that does not wait for it, and then the end of
/// that init.
pub(crate) fn supervise(_: Strings) -> u8 {
    service::supervise();
    if let Err(errno) = end::end() {
        say!("rich: the init cannot be ended: {}", Reason(errno));
    }
    // Were we gone before it, the init would start us anew.
    service::idle()
}
