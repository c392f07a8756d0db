//! `rich status`: how things are in the container, a `key: value` a line.

use alloc::{format, string::String};
use core::{fmt, str};

use rustix::process::Pid;

use super::{
    Spec, UNIT, exit_code, processes::first_child, spec::Init, supervise::supervisor, systemctl,
};
use crate::{Strings, file, say, sys::stdout};

/// Prints it; the exit code is 0 where the application runs.
pub(super) fn main(env: Strings) -> u8 {
    let pid = match Spec::read() {
        Ok(spec) => {
            line("mode", &str::from_utf8(spec.mode).unwrap_or_default());
            match spec.init {
                Init::Systemd => systemd(env),
                Init::Busybox | Init::Sysv => supervised(),
            }
        }
        Err(_) => dumb_init(),
    };
    u8::from(pid.is_none())
}

fn systemd(env: Strings) -> Option<Pid> {
    let show = |property: &str| {
        let value = systemctl::read(&["show", "--value", "--property", property, UNIT], env);
        String::from(value.trim())
    };
    let pid = show("MainPID").parse().ok().and_then(Pid::from_raw);
    application(pid);
    line("restarts", &show("NRestarts"));
    line("systemd", &systemctl::read(&["is-system-running"], env).trim());
    let failed = systemctl::failed(env);
    line("failed services", &if failed.is_empty() { "none" } else { &failed });
    pid
}

fn supervised() -> Option<Pid> {
    let pid = supervisor().and_then(first_child);
    application(pid);
    pid
}

fn dumb_init() -> Option<Pid> {
    let name = file::read(c"/proc/1/comm", 64).unwrap_or_default();
    if name.trim_ascii() != b"dumb-init" {
        line("mode", &"none");
        return None;
    }
    line("mode", &"dumb-init");
    let pid = first_child(Pid::INIT);
    application(pid);
    pid
}

/// The application's state, and how it ended the last time.
fn application(pid: Option<Pid>) {
    match (pid, exit_code()) {
        (Some(pid), _) => line("application", &format!("running, pid {}", pid.as_raw_nonzero())),
        (None, Some(code)) => line("application", &format!("ended with {code}")),
        (None, None) => line("application", &"not started"),
    }
    match exit_code() {
        Some(code) => line("last exit", &code),
        None => line("last exit", &"none"),
    }
}

fn line(key: &str, value: &dyn fmt::Display) {
    say::line(stdout(), format_args!("{key}: {value}"));
}
