//! Why the application was not started, as one sentence and one exit code.

use alloc::string::String;
use core::{fmt, time::Duration};

use contract::format_duration;
use rustix::io::Errno;

use crate::{errno::Reason, exec, init};

/// What ended `rich run`.
pub(crate) enum Failed {
    /// What runs first cannot be run.
    NotRun { what: String, failure: exec::Failure },
    /// It ended with an exit code that is not 0.
    Exited { what: String, code: u8 },
    /// It was killed, and not by us.
    Killed { what: String, signal: u8 },
    /// It took longer than it may.
    TimedOut { what: String, after: Duration },
    /// The container was told to stop while it ran.
    Stopped { what: String, signal: u8 },
    /// The kernel refused what we need.
    Kernel(&'static str, Errno),
    /// The init or the application cannot be run.
    Init(init::Error),
}

impl Failed {
    /// The exit code of the container.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::NotRun { failure, .. } => failure.code(),
            Self::Exited { code, .. } => *code,
            Self::Killed { signal, .. } | Self::Stopped { signal, .. } => 128 + signal,
            Self::TimedOut { .. } => 124,
            Self::Kernel(..) => 125,
            Self::Init(error) => error.code(),
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRun { what, failure } => write!(f, "{what}: {failure}")?,
            Self::Exited { what, code } => write!(f, "{what} failed with exit code {code}")?,
            Self::Killed { what, signal } => write!(f, "{what} was killed by signal {signal}")?,
            Self::TimedOut { what, after } => {
                write!(f, "{what} took longer than {}", format_duration(*after))?;
            }
            Self::Stopped { what, signal } => {
                write!(f, "{what} was ended because the container got signal {signal}")?;
            }
            Self::Kernel(what, errno) => write!(f, "{what} cannot be had: {}", Reason(*errno))?,
            Self::Init(error) => return error.fmt(f),
        }
        f.write_str("; the application was not started")
    }
}

impl From<init::Error> for Failed {
    fn from(error: init::Error) -> Self {
        Self::Init(error)
    }
}
