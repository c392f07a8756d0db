//! What systemd calls where the application's unit has failed, and where it gives the boot up
//! (`OnFailure=`, emergency.service).

use alloc::format;

use super::{
    Spec, UNIT, exec::NOT_TRIED, exit_code, keep_exit_code, last_words, streams, systemctl,
};
use crate::{Strings, say, sys};

/// Ends the container, unless systemd starts the application again.
pub(super) fn main(env: Strings) -> u8 {
    sys::block_all();
    sys::default_all();
    let properties = "--property=ActiveState,ExecMainCode,ExecMainStatus";
    let state = systemctl::read(&["show", properties, UNIT], env);
    let property = |name: &str| {
        state.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or("")
    };
    match property("ActiveState") {
        "inactive" | "failed" => {}
        // systemctl was killed: systemd starts us again.
        "" => return 1,
        _ => return 0,
    }
    // `rich ended` has kept it, unless it was killed.
    let ended = || how_it_ended(property("ExecMainCode"), property("ExecMainStatus"));
    if let Some(code) = exit_code().or_else(ended) {
        keep_exit_code(code);
        return end(code, env);
    }
    match Spec::read() {
        Ok(spec) => streams::take(&spec),
        Err(error) => say!("rich: {error}"),
    }
    let failed = systemctl::failed(env);
    let failed = if failed.is_empty() { "nothing by name" } else { &failed };
    last_words::say(format_args!(
        "systemd has not come as far as the application; what failed: {failed} (their reasons \
         stand above, or in the journal)"
    ));
    end(NOT_TRIED, env)
}

/// Also where what failed has queued a job that no other may replace.
fn end(code: u8, env: Strings) -> u8 {
    match systemctl::exit(code, env) {
        0 => 0,
        _ => systemctl::run(&["--force", "exit", &format!("{code}")], env),
    }
}

/// The exit code of the application, if it has ended, from systemd's `ExecMainCode` (the `si_code`
/// of a SIGCHLD, sigaction(2)) and `ExecMainStatus` (org.freedesktop.systemd1(5)).
fn how_it_ended(code: &str, status: &str) -> Option<u8> {
    let status: u8 = status.parse().ok()?;
    match code {
        "1" => Some(status),
        "2" | "3" => status.checked_add(128),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_ended_has_an_exit_code() {
        assert_eq!(how_it_ended("1", "7"), Some(7));
        assert_eq!(how_it_ended("2", "9"), Some(137));
        assert_eq!(how_it_ended("3", "11"), Some(139));
        assert_eq!(how_it_ended("0", "0"), None);
        assert_eq!(how_it_ended("", ""), None);
    }
}
