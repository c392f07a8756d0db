//! The container's standard streams, kept open for the application.
//!
//! systemd makes its own `/dev/null` (`make_null_stdio`), so `/proc/1/fd/1` leads nowhere once
//! it is PID 1. A small process that does nothing but exist keeps the three, and whoever needs
//! them takes them from there.

use alloc::{ffi::CString, format};

use rustix::{
    event::pause,
    fd::OwnedFd,
    fs::{Mode, OFlags, open},
    io::Errno,
    process::{Pid, PidfdFlags, PidfdGetfdFlags, chdir, pidfd_getfd, pidfd_open, setsid},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
};

use super::{Spec, output};
use crate::{
    exec::beside_us,
    sys::{self, Forked},
};

/// Starts the process that keeps them.
pub(super) fn hold() -> Result<Pid, Errno> {
    match sys::fork()? {
        Forked::Parent(pid) => Ok(pid),
        Forked::Child => {
            let _ = setsid();
            let _ = chdir("/");
            // The init ends whoever is left with SIGTERM.
            sys::unblock_all();
            // Anew, so that ps(1) shows what it is and not the command line of the container.
            let _ = sys::execve(&beside_us(c"rich"), &[c"rich", c"hold"], &[]);
            idle()
        }
    }
}

/// Does nothing until a signal ends it.
pub(super) fn idle() -> ! {
    loop {
        pause();
    }
}

/// Takes the application's streams for our own: from the service that passes its output on, else
/// from the process that keeps the container's, else the terminal. Without any we keep what the
/// init gave us.
pub(super) fn take(spec: &Spec) {
    let streams = output::streams()
        .or_else(|_| of(spec.holder.ok_or(Errno::SRCH)?))
        .or_else(|errno| if spec.terminal { console() } else { Err(errno) });
    if let Ok([input, output, error]) = streams {
        let _ = dup2_stdin(&input);
        let _ = dup2_stdout(&output);
        let _ = dup2_stderr(&error);
    }
}

/// Those of the process `holder`.
pub(super) fn of(holder: Pid) -> Result<[OwnedFd; 3], Errno> {
    Ok([stream(holder, 0)?, stream(holder, 1)?, stream(holder, 2)?])
}

/// The container's terminal.
fn console() -> Result<[OwnedFd; 3], Errno> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let console = open("/dev/console", flags, Mode::empty())?;
    Ok([console.try_clone()?, console.try_clone()?, console])
}

fn stream(holder: Pid, number: i32) -> Result<OwnedFd, Errno> {
    pidfd_open(holder, PidfdFlags::empty())
        .and_then(|pidfd| pidfd_getfd(&pidfd, number, PidfdGetfdFlags::empty()))
        .or_else(|_| reopen(holder, number))
}

/// The way of kernels before 5.6; a socket cannot be had so.
fn reopen(holder: Pid, number: i32) -> Result<OwnedFd, Errno> {
    let path = format!("/proc/{}/fd/{number}", holder.as_raw_nonzero());
    let path = CString::new(path).map_err(|_| Errno::INVAL)?;
    let access = if number == 0 { OFlags::RDONLY } else { OFlags::WRONLY };
    open(&*path, access | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
}
