//! Starting the application from within the image's init.

use rustix::process::{ioctl_tiocsctty, setsid};

use super::{Spec, last_words, spec::Error};
use crate::{
    exec::{execvp, find},
    sys::{self, stdin},
};

/// Exit code where the application is not even tried, as docker run has it.
pub(super) const NOT_TRIED: u8 = 125;

/// Becomes the application; the exit code where that fails.
pub(super) fn main() -> u8 {
    let spec = match prepare() {
        Ok(spec) => spec,
        Err(error) => {
            last_words::say(format_args!("{error}"));
            return NOT_TRIED;
        }
    };
    // Where the container has a terminal, it is the application's.
    let _ = setsid();
    let _ = ioctl_tiocsctty(stdin());
    sys::unblock_all();
    let errno = execvp(&spec.args, &spec.env);
    let name = spec.args.first().copied().unwrap_or_default();
    let failure = match find(name, &spec.env) {
        Err(failure) => failure,
        Ok(path) => crate::exec::explain(&path, errno),
    };
    last_words::say(format_args!("the application {failure}"));
    failure.code()
}

/// Reads how the application is to be started, and becomes it in all but the program.
pub(super) fn prepare() -> Result<Spec, Error> {
    sys::default_all();
    let spec = Spec::read()?;
    spec.apply()?;
    Ok(spec)
}
