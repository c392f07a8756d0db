//! `rich stop`: the pod's preStop, so that the application ends as a service does.
//!
//! An init takes the runtime's SIGTERM for something else (systemd starts itself anew,
//! systemd(1)), so the stop must come by the init's own means. The command then waits: when a
//! preStop comes back, the runtime sends SIGTERM to whatever is still there.

use alloc::{ffi::CString, format, vec::Vec};
use core::ffi::CStr;

use rustix::{
    event::Timespec,
    io::Errno,
    process::{Pid, Signal, WaitOptions, kill_process, waitpid},
    thread::nanosleep,
};

use super::{FOLDER, SPEC, SUPERVISOR, Spec, UNIT, exit_code, spec::Init, streams};
use crate::{
    Strings,
    exec::{self, execvp},
    file, say,
    sys::{self, Forked},
};

/// The exit code of an application that was stopped before it could run: SIGTERM's.
const NEVER_RAN: u8 = 143;
/// How often an init that is not up yet is asked, and how long between, nanoseconds.
const ATTEMPTS: usize = 100;
const PAUSE: i64 = 200_000_000;

/// Stops the application and waits until the container is gone.
pub(super) fn main(env: Strings) -> u8 {
    // As dumb-init does, PID 1 stops by the runtime's signal.
    if file::read(SPEC, 0).is_err() {
        return 0;
    }
    let spec = match Spec::read() {
        Ok(spec) => spec,
        Err(error) => {
            say!("rich stop: {error}");
            return 1;
        }
    };
    if let Err(errno) = file::replace(FOLDER, "stopping", 0o644, b"") {
        say!("rich stop: {}", crate::errno::Reason(errno));
    }
    let stopped = (0..ATTEMPTS).any(|_| {
        let done = match spec.init {
            Init::Systemd => systemctl(&["stop", UNIT], env) == 0,
            Init::Busybox | Init::Sysv => terminate_supervisor(),
        };
        if !done {
            let _ = nanosleep(&Timespec { tv_sec: 0, tv_nsec: PAUSE });
        }
        done
    });
    if !stopped {
        say!("rich stop: the init does not answer; the application is left to the runtime");
        return 1;
    }
    if spec.init == Init::Systemd {
        // The unit has done so itself, unless it was stopped before it was ever started.
        let _ = end_systemd(exit_code().unwrap_or(NEVER_RAN), env);
    }
    streams::idle()
}

/// Ends systemd with this exit code, systemctl(1) "exit"; the exit code where that fails.
pub(super) fn end_systemd(code: u8, env: Strings) -> u8 {
    systemctl(&["--no-block", "exit", &format!("{code}")], env)
}

/// Runs systemctl and gives its exit code.
fn systemctl(args: &[&str], env: Strings) -> u8 {
    let words: Result<Vec<CString>, _> =
        ["systemctl"].iter().chain(args).copied().map(CString::new).collect();
    let (Ok(words), Ok(forked)) = (words, sys::fork()) else { return u8::MAX };
    let words: Vec<&CStr> = words.iter().map(CString::as_c_str).collect();
    match forked {
        Forked::Child => {
            sys::unblock_all();
            let errno = execvp(&words, env);
            say!("rich: systemctl: {}", crate::errno::Reason(errno));
            sys::exit(127);
        }
        Forked::Parent(pid) => loop {
            match waitpid(Some(pid), WaitOptions::empty()) {
                Ok(Some((_, status))) => return exec::exit_code(status),
                Err(Errno::INTR) | Ok(None) => {}
                Err(_) => return u8::MAX,
            }
        },
    }
}

/// Sends SIGTERM to the process that waits for the application, once it is there.
fn terminate_supervisor() -> bool {
    let pid = file::read(SUPERVISOR, 16).ok().and_then(|text| {
        let pid = core::str::from_utf8(&text).ok()?.trim().parse().ok()?;
        Pid::from_raw(pid)
    });
    pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok())
}
