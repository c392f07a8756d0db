//! Starting the application from within the image's init.

use alloc::{boxed::Box, ffi::CString, format, vec::Vec};

use rustix::process::{getpid, ioctl_tiocsctty, setsid};

use super::{FOLDER, Spec, end, keep_exit_code, last_words, spec::Error};
use crate::{
    dumb_init,
    errno::Reason,
    exec::{execvp, find},
    file, poststop, say,
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

/// Starts the application, passes signals on, waits, and then ends the init.
pub(super) fn supervise() -> u8 {
    let code = match prepare() {
        Err(error) => {
            say!("rich: {error}");
            NOT_TRIED
        }
        Ok(spec) => serve(&spec),
    };
    keep_exit_code(code);
    if let Err(errno) = end::end_init() {
        say!("rich: the init cannot be ended: {}", Reason(errno));
    }
    code
}

fn serve(spec: &Spec) -> u8 {
    if let Err(failure) = find(spec.args.first().copied().unwrap_or_default(), &spec.env) {
        say!("rich: the application {failure}");
        return failure.code();
    }
    keep_supervisor();
    dumb_init::serve(&spec.args, &environment(spec))
}

/// Reads how the application is to be started, and becomes it in all but the program.
fn prepare() -> Result<Spec, Error> {
    sys::default_all();
    let spec = Spec::read()?;
    spec.apply()?;
    Ok(spec)
}

/// The application's environment, with the poststop command for dumb-init to take out again.
fn environment(spec: &Spec) -> Vec<&'static core::ffi::CStr> {
    let mut env = spec.env.clone();
    if let Some(line) = spec.poststop
        && let Ok(variable) = CString::new([poststop::VARIABLE.as_bytes(), line].join(&b'='))
    {
        env.push(Box::leak(variable.into_boxed_c_str()));
    }
    env
}

fn keep_supervisor() {
    let pid = getpid().as_raw_nonzero();
    // Where it cannot be kept, the container is stopped by the runtime's SIGKILL.
    let _ = file::replace(FOLDER, "supervisor", 0o644, format!("{pid}\n").as_bytes());
}
