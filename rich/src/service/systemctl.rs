//! systemd's own tool.

use alloc::{ffi::CString, format, string::String, vec::Vec};
use core::ffi::CStr;

use rustix::{
    fd::OwnedFd,
    io::{Errno, read as read_some, retry_on_intr},
    pipe::{PipeFlags, pipe_with},
    process::{Pid, WaitOptions, waitpid},
    stdio::dup2_stdout,
};

use crate::{
    Strings,
    errno::Reason,
    exec::{self, execvp},
    say,
    sys::{self, Forked},
};

/// How often it is tried again when it was killed.
const ATTEMPTS: usize = 3;
/// The exit codes from here on are signals.
const KILLED: u8 = 128;

/// Ends systemd with this exit code, systemctl(1) "exit"; the exit code where that fails.
pub(super) fn exit(code: u8, env: Strings) -> u8 {
    let code = format!("{code}");
    let attempts = (0..ATTEMPTS).map(|_| run(&["--no-block", "exit", &code], env));
    let mut last = u8::MAX;
    for outcome in attempts {
        last = outcome;
        if outcome < KILLED {
            break;
        }
    }
    last
}

/// Runs it and gives its exit code.
pub(super) fn run(args: &[&str], env: Strings) -> u8 {
    start(args, env, None).map_or(u8::MAX, wait)
}

/// Runs it and gives what it prints.
pub(super) fn read(args: &[&str], env: Strings) -> String {
    let mut text = Vec::new();
    if let Ok((reader, writer)) = pipe_with(PipeFlags::CLOEXEC)
        && let Ok(pid) = start(args, env, Some(&writer))
    {
        drop(writer);
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = retry_on_intr(|| read_some(&reader, &mut buffer)) {
            text.extend_from_slice(buffer.get(..count).unwrap_or_default());
        }
        wait(pid);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The units that failed, with blanks between them.
pub(super) fn failed(env: Strings) -> String {
    let text = read(&["list-units", "--failed", "--plain", "--no-legend", "--full"], env);
    let units: Vec<&str> = text.lines().filter_map(|it| it.split_whitespace().next()).collect();
    units.join(" ")
}

fn start(args: &[&str], env: Strings, output: Option<&OwnedFd>) -> Result<Pid, Errno> {
    let words = ["systemctl"].iter().chain(args).copied().map(CString::new);
    let words: Vec<CString> = words.collect::<Result<_, _>>().map_err(|_| Errno::INVAL)?;
    let words: Vec<&CStr> = words.iter().map(CString::as_c_str).collect();
    match sys::fork()? {
        Forked::Parent(pid) => Ok(pid),
        Forked::Child => {
            sys::unblock_all();
            let _ = output.map(dup2_stdout);
            let errno = execvp(&words, env);
            say!("rich: systemctl: {}", Reason(errno));
            sys::exit(127);
        }
    }
}

fn wait(pid: Pid) -> u8 {
    loop {
        match waitpid(Some(pid), WaitOptions::empty()) {
            Ok(Some((_, status))) => return exec::exit_code(status),
            Err(Errno::INTR) | Ok(None) => {}
            Err(_) => return u8::MAX,
        }
    }
}
