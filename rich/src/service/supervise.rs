//! `rich supervise`: the application under an init that does not wait for it.
//!
//! Two processes do it, so that its exit code outlives each of them: one is the application's
//! parent, and the other waits for that one and inherits the application where it is killed
//! (prctl(2), `PR_SET_CHILD_SUBREAPER`). The init starts the second anew where that is killed.

use alloc::format;
use core::str;

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::{Errno, retry_on_intr},
    process::{
        Pid, PidfdFlags, WaitOptions, getpid, pidfd_open, set_child_subreaper, wait, waitpid,
    },
};

use super::{
    FOLDER, SUPERVISOR, Spec,
    exec::{NOT_TRIED, prepare},
    exit_code, keep_exit_code,
    processes::first_child,
};
use crate::{
    dumb_init,
    errno::Reason,
    exec::find,
    file, say,
    sys::{self, Forked, number},
};

/// Starts the application unless that was done, and comes back when it and its poststop have ended.
pub(super) fn main() {
    sys::default_all();
    // Without it all is well as long as nobody is killed.
    let _ = set_child_subreaper(Some(getpid()));
    match supervisor() {
        Some(other) => wait_for_other(other),
        None => run_and_wait(supervise),
    }
    if exit_code().is_none() {
        keep_exit_code(inherited());
    }
    run_and_wait(|| {
        sys::block_all();
        if let Ok(spec) = Spec::read() {
            spec.run_poststop();
        }
        0
    });
}

/// The process that waits for the application.
pub(super) fn supervisor() -> Option<Pid> {
    let text = file::read(SUPERVISOR, 16).ok()?;
    Pid::from_raw(str::from_utf8(&text).ok()?.trim().parse().ok()?)
}

fn keep_supervisor() {
    let pid = getpid().as_raw_nonzero();
    // Where it cannot be kept, the container is stopped by the runtime's SIGKILL.
    let _ = file::replace(FOLDER, "supervisor", 0o644, format!("{pid}\n").as_bytes());
}

/// Starts the application, passes signals on, waits, and keeps the exit code.
fn supervise() -> u8 {
    // From the moment on in which others know us.
    sys::block_all();
    keep_supervisor();
    let code = match prepare() {
        Ok(spec) => serve(&spec),
        Err(error) => {
            say!("rich: {error}");
            NOT_TRIED
        }
    };
    keep_exit_code(code);
    code
}

fn serve(spec: &Spec) -> u8 {
    if let Err(failure) = find(spec.args.first().copied().unwrap_or_default(), &spec.env) {
        say!("rich: the application {failure}");
        return failure.code();
    }
    dumb_init::serve(&spec.args, &spec.env)
}

/// Waits for the application of a supervisor that was killed.
fn inherited() -> u8 {
    let Some(application) = first_child(getpid()) else {
        return 128 + number::KILL;
    };
    keep_supervisor();
    dumb_init::adopt(application)
}

/// Runs it in a process of its own, and reaps whatever ends meanwhile.
fn run_and_wait(child: impl FnOnce() -> u8) {
    match sys::fork() {
        Ok(Forked::Child) => sys::exit(child()),
        Ok(Forked::Parent(pid)) => loop {
            match wait(WaitOptions::empty()) {
                Ok(Some((ended, _))) if ended == pid => return,
                Ok(_) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
        },
        Err(errno) => {
            say!("rich: the application cannot be started: {}", Reason(errno));
            keep_exit_code(exit_code().unwrap_or(NOT_TRIED));
        }
    }
}

/// Waits for the end of a process that is not our child.
fn wait_for_other(pid: Pid) {
    // Where it is ours after all, it would stay a zombie and never be gone.
    let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    if let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) {
        let mut ended = [PollFd::new(&process, PollFlags::IN)];
        let _ = retry_on_intr(|| poll(&mut ended, None));
    }
}
