//! The application as a service of the image's own init.
//!
//! An init starts services with an environment, a session and standard streams of its own, and
//! its configuration files have quoting rules of their own. So `rich run` writes down exactly
//! how the application is to be started ([`spec`]), keeps the container's streams open
//! ([`streams`]), and gives the init nothing but a command that reads it all.

mod ended;
mod exec;
mod failed;
mod last_words;
pub(crate) mod output;
mod processes;
mod spec;
mod status;
mod stop;
mod streams;
mod supervise;
mod systemctl;
mod terminate;

use alloc::format;
use core::ffi::CStr;

pub(crate) use spec::{Init, Spec, write};
pub(crate) use stop::reserve;

use crate::{Strings, file};

/// What we keep for the life of one start of the container.
pub(crate) const FOLDER: &str = "/run/rich";
/// How the application is to be started.
pub(crate) const SPEC: &CStr = c"/run/rich/spec";
/// The exit code of the application, once it has ended, as a decimal number.
const EXIT_CODE: &CStr = c"/run/rich/exit-code";
/// Is there once the container has been told to stop.
const STOPPING: &CStr = c"/run/rich/stopping";
/// The process that waits for the application where the init itself does not, as a number.
const SUPERVISOR: &CStr = c"/run/rich/supervisor";
/// The name of the application's unit in systemd.
pub(crate) const UNIT: &str = "rich.service";

/// `rich exec`: becomes the application.
pub(crate) fn exec(_: Strings) -> u8 {
    exec::main()
}

/// `rich supervise`: starts the application and waits for it; the init is still to be ended.
pub(crate) fn supervise() {
    supervise::main();
}

/// `rich ended`: what systemd calls when the application has ended.
pub(crate) fn ended(env: Strings) -> u8 {
    ended::main(env)
}

/// `rich terminate`: what systemd calls to stop the application.
pub(crate) fn terminate(env: Strings) -> u8 {
    terminate::main(env)
}

/// `rich systemd-exit`: the end of systemd.
pub(crate) fn systemd_exit(env: Strings) -> u8 {
    ended::exit(env)
}

/// `rich exit`: what an init becomes when it has ended.
pub(crate) fn exit(_: Strings) -> u8 {
    exit_code().unwrap_or(u8::MAX)
}

/// Does nothing until a signal ends it.
pub(crate) fn idle() -> ! {
    streams::idle()
}

/// `rich hold`: keeps the container's streams open.
pub(crate) fn hold(_: Strings) -> u8 {
    streams::idle()
}

/// `rich failed`: what systemd calls when it has given up.
pub(crate) fn failed(env: Strings) -> u8 {
    failed::main(env)
}

/// `rich output`: passes the application's output on.
pub(crate) fn output(env: Strings) -> u8 {
    output::main(env)
}

/// `rich status`: how things are, for people.
pub(crate) fn status(env: Strings) -> u8 {
    status::main(env)
}

/// `rich stop`: the pod's preStop.
pub(crate) fn stop(args: Strings, env: Strings) -> u8 {
    stop::main(args, env)
}

/// The exit code of the application, if it has ended.
fn exit_code() -> Option<u8> {
    let text = file::read(EXIT_CODE, 8).ok()?;
    core::str::from_utf8(&text).ok()?.trim().parse().ok()
}

/// Keeps the exit code of the application for whoever ends the container.
fn keep_exit_code(code: u8) {
    // When it cannot be kept, the container still ends, with 255.
    let _ = file::replace(FOLDER, "exit-code", 0o644, format!("{code}\n").as_bytes());
}
