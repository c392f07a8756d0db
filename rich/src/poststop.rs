//! The command that runs after the application has ended.

use alloc::{ffi::CString, vec::Vec};
use core::ffi::CStr;

use rustix::{
    io::Errno,
    process::{Pid, WaitOptions, getpid, setsid, wait},
};

use crate::{
    Strings, exec,
    exec::exit_code,
    say,
    sys::{self, Forked, SignalFd, number},
};

/// Hands the command over from `rich run`: dumb-init's arguments are those of the application.
/// The application does not see it.
pub(crate) const VARIABLE: &str = "RICH_POSTSTOP";

/// A command, ready to be run without further preparation.
pub(crate) struct Command<'a> {
    words: Vec<CString>,
    env: Strings<'a>,
}

impl<'a> Command<'a> {
    /// Splits the command line at blanks, as everywhere.
    pub(crate) fn read(line: &[u8], env: Strings<'a>) -> Option<Self> {
        let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let words: Vec<CString> = words.filter_map(|word| CString::new(word).ok()).collect();
        (!words.is_empty()).then_some(Self { words, env })
    }

    /// Runs it and waits, passing signals on. The exit code of the container is the application's,
    /// whatever comes of this.
    pub(crate) fn run(&self, signals: &SignalFd) {
        match sys::fork() {
            Ok(Forked::Child) => sys::exit(self.child()),
            Ok(Forked::Parent(pid)) => {
                let code = wait_for(pid, signals);
                if code != 0 {
                    say!("rich: poststop {} ended with exit code {code}", self.name());
                }
            }
            Err(errno) => {
                say!("rich: poststop {} {}", self.name(), exec::explain(self.path(), errno));
            }
        }
    }

    fn child(&self) -> u8 {
        // Its own group, so that a signal can reach all that it starts.
        let _ = setsid();
        sys::unblock_all();
        let words: Vec<&CStr> = self.words.iter().map(CString::as_c_str).collect();
        let failure = exec::explain(self.path(), exec::exec(self.path(), &words, self.env));
        say!("rich: poststop: {failure}");
        failure.code()
    }

    fn path(&self) -> &CStr {
        self.words.first().map_or(c"", CString::as_c_str)
    }

    fn name(&self) -> &str {
        self.path().to_str().unwrap_or("")
    }
}

fn wait_for(pid: Pid, signals: &SignalFd) -> u8 {
    let myself = getpid().as_raw_nonzero().get().unsigned_abs();
    loop {
        let received = signals.wait();
        if received.number != number::CHLD {
            if received.sender != myself {
                sys::kill_all(pid, received.number);
            }
            continue;
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((ended, status))) if ended == pid => return exit_code(status),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) | Err(_) => break,
            }
        }
    }
}
