//! What systemd calls once the application has ended (`ExecStopPost=`).

use alloc::{format, vec::Vec};
use core::str;

use contract::Restart;
use rustix::fs::{Access, access};

use super::{STOPPING, Spec, keep_exit_code, streams, systemctl};
use crate::{
    Strings, env,
    poststop::Command,
    say,
    sys::{self, SignalFd},
};

/// Runs poststop and ends systemd with the application's exit code.
pub(super) fn main(env: Strings) -> u8 {
    sys::block_all();
    sys::default_all();
    let code = exit_code(env);
    keep_exit_code(code);
    match Spec::read() {
        Ok(spec) => {
            // Also for the journal: with us, the last words of the application find their unit.
            streams::take(&spec);
            let goes_on = spec.restart == Restart::Service;
            if goes_on && access(STOPPING, Access::EXISTS).is_err() {
                return 0;
            }
            spec.run_poststop();
        }
        Err(error) => say!("rich: {error}"),
    }
    systemctl::exit(code, env)
}

/// The last thing that systemd runs before it ends (`systemd-exit.service`). It is told the exit
/// code once more: a SIGTERM makes it start anew, and then it has forgotten it (systemd(1),
/// "SIGTERM").
pub(super) fn exit(env: Strings) -> u8 {
    sys::block_all();
    sys::default_all();
    let code = super::exit_code().map(|code| format!("{code}"));
    let words = ["--force", "exit"].into_iter().chain(code.as_deref());
    systemctl::run(&words.collect::<Vec<_>>(), env)
}

impl Spec {
    /// Runs poststop, as the user that the application was.
    pub(super) fn run_poststop(&self) {
        let Some(line) = self.poststop else { return };
        if let Err(error) = self.apply() {
            say!("rich: poststop: {error}");
        }
        if let (Some(command), Ok(signals)) = (Command::read(line, &self.env), SignalFd::open()) {
            command.run(&signals);
        }
    }
}

/// How the application ended, as systemd tells it: `$EXIT_CODE` and `$EXIT_STATUS` of
/// systemd.exec(5). 255 where it does not tell.
fn exit_code(env: Strings) -> u8 {
    let status = env::get(env, "EXIT_STATUS").and_then(|value| str::from_utf8(value).ok());
    let status = status.unwrap_or_default();
    match env::get(env, "EXIT_CODE") {
        Some(b"exited") => status.parse().unwrap_or(u8::MAX),
        Some(b"killed" | b"dumped") => {
            signal(status).map_or(u8::MAX, |number| number.saturating_add(128))
        }
        _ => u8::MAX,
    }
}

/// The number of a signal, by its name without `SIG`, signal(7).
fn signal(name: &str) -> Option<u8> {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    let number = match name.strip_prefix("RTMIN+") {
        // The first real-time signal that a C library leaves to programs.
        Some(offset) => offset.parse::<usize>().ok()?.checked_add(34)?,
        None => NAMES.iter().position(|known| *known == name)? + 1,
    };
    u8::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systemds_words_become_a_shells_exit_code() {
        assert_eq!(exit_code(&[c"EXIT_CODE=exited", c"EXIT_STATUS=7"]), 7);
        assert_eq!(exit_code(&[c"EXIT_CODE=killed", c"EXIT_STATUS=TERM"]), 143);
        assert_eq!(exit_code(&[c"EXIT_CODE=dumped", c"EXIT_STATUS=SEGV"]), 139);
        assert_eq!(exit_code(&[c"EXIT_CODE=killed", c"EXIT_STATUS=RTMIN+3"]), 165);
        assert_eq!(exit_code(&[c"EXIT_CODE=killed", c"EXIT_STATUS=?"]), 255);
        assert_eq!(exit_code(&[]), 255);
    }
}
