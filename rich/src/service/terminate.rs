//! What systemd calls to stop the application (`ExecStop=`).

use core::str;

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::retry_on_intr,
    process::{Pid, PidfdFlags, pidfd_open},
};

use crate::{
    Strings, env,
    sys::{self, number},
};

/// Tells the application and its process group to stop, at once and once, as dumb-init does, and
/// waits for its end. systemd's own way is to go through all processes of a unit until it finds
/// none that is new (systemd.kill(5), `KillMode=`), which also kills what the application starts
/// in order to stop well.
pub(super) fn main(env: Strings) -> u8 {
    let pid = env::get(env, "MAINPID").and_then(|value| str::from_utf8(value).ok()?.parse().ok());
    // There is none where it has ended by itself.
    let Some(application) = pid.and_then(Pid::from_raw) else { return 0 };
    let process = pidfd_open(application, PidfdFlags::empty());
    sys::kill_all(application, number::TERM);
    if let Ok(process) = process {
        let mut ended = [PollFd::new(&process, PollFlags::IN)];
        // systemd knows how long that may take.
        let _ = retry_on_intr(|| poll(&mut ended, None));
    }
    0
}
