//! The end of the image's services, where the init itself would only kill them.

use alloc::{ffi::CString, format, vec::Vec};
use core::ffi::CStr;

use rustix::{
    event::Timespec,
    fs::{Dir, Mode, OFlags, open},
    process::{Pid, WaitOptions, getpid, setsid, waitpid},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
    thread::nanosleep,
};

use super::{openrc, sysv};
use crate::{
    file,
    sys::{self, Forked, number},
};

/// How often, and how long between, nanoseconds, it is asked whether they have ended: 10 s for
/// their own scripts, 2 s for what these leave. A pod has 30 s, of which the application has had
/// its part.
const SCRIPTS: usize = 200;
const REST: usize = 40;
const PAUSE: i64 = 50_000_000;

/// What a machine gives its scripts at its end, init(8).
const ENV: [&CStr; 3] = [c"PATH=/sbin:/usr/sbin:/bin:/usr/bin", c"RUNLEVEL=0", c"PREVLEVEL=2"];

/// Lets the image's own scripts stop the services, then terminates what is left.
pub(crate) fn stop() {
    if let Some(words) = openrc::stop_command().or_else(sysv::stop_command) {
        run(words);
    }
    for pid in others(|_| true) {
        let _ = sys::kill(pid, number::TERM);
    }
    until(REST, || others(is_ours).is_empty());
}

fn run(words: [&'static str; 2]) {
    let words = words.map(CString::new);
    let [Ok(path), Ok(argument)] = words else { return };
    match sys::fork() {
        Ok(Forked::Child) => {
            let _ = setsid();
            // What services say at the start and at the end is not the application's log.
            if let Ok(null) = open("/dev/null", OFlags::RDWR, Mode::empty()) {
                let _ = dup2_stdin(&null);
                let _ = dup2_stdout(&null);
                let _ = dup2_stderr(&null);
            }
            sys::unblock_all();
            let _ = sys::execve(&path, &[&path, &argument], &ENV);
            sys::exit(127);
        }
        Ok(Forked::Parent(pid)) => {
            let ended = || !matches!(waitpid(Some(pid), WaitOptions::NOHANG), Ok(None));
            if !until(SCRIPTS, ended) {
                sys::kill_all(pid, number::KILL);
            }
        }
        Err(_) => {}
    }
}

/// All processes that this is true for, but the init and ourselves.
fn others(is_wanted: impl Fn(Pid) -> bool) -> Vec<Pid> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = open("/proc", flags, Mode::empty()).and_then(Dir::new) else {
        return Vec::new();
    };
    folder
        .filter_map(|entry| entry.ok()?.file_name().to_str().ok()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|pid| *pid != Pid::INIT && *pid != getpid() && is_wanted(*pid))
        .collect()
}

/// Whether it has not ended and did not come into the container from outside, as what `kubectl
/// exec` runs: its parent is in the container. proc_pid_stat(5), of which the
/// second field may hold anything, blanks and brackets included.
fn is_ours(pid: Pid) -> bool {
    let Ok(path) = CString::new(format!("/proc/{}/stat", pid.as_raw_nonzero())) else {
        return false;
    };
    let text = file::read(&path, 4096).unwrap_or_default();
    let end = text.iter().rposition(|byte| *byte == b')').map_or(text.len(), |at| at + 1);
    let mut fields = text[end..].split(|byte| *byte == b' ').skip(1);
    let (state, parent) = (fields.next(), fields.next());
    state.is_some_and(|state| state != b"Z") && parent.is_some_and(|parent| parent != b"0")
}

/// Asks until it is so, and says whether it is.
fn until(times: usize, mut is_so: impl FnMut() -> bool) -> bool {
    (0..times).any(|_| {
        let so = is_so();
        if !so {
            let _ = nanosleep(&Timespec { tv_sec: 0, tv_nsec: PAUSE });
        }
        so
    })
}
