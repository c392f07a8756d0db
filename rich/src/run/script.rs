//! Runs the initscript or initcmd and waits for it.

use alloc::{ffi::CString, format, string::String, vec::Vec};
use core::{ffi::CStr, time::Duration};

use contract::{CommandLine, Init, Key};
use rustix::{
    event::Timespec,
    fd::{AsFd, OwnedFd},
    io::{Errno, read, retry_on_intr, write},
    pipe::{PipeFlags, pipe_with},
    process::{Pid, WaitOptions, WaitStatus, getpid, setpgid, wait},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
    time::{ClockId, clock_gettime},
};

use super::{
    crlf,
    outcome::Failed,
    output::{Output, Tail, Writers},
    state,
};
use crate::{
    Strings, exec,
    sys::{self, Forked, Received, SignalFd, number},
};

/// How long the script may take to end after the container was told to stop. A pod has 30 s for
/// everything, of which its preStop may have used a part.
const STOP_GRACE: Duration = Duration::from_secs(8);
/// How long it may take to end after its time is over.
const TIMEOUT_GRACE: Duration = Duration::from_secs(2);

/// What tells a container to stop.
const STOPS: [u8; 4] = [number::TERM, number::INT, number::QUIT, number::HUP];

/// Runs `init` and waits until it has ended.
pub(super) fn run(
    init: &Init,
    timeout: Option<Duration>,
    env: Strings,
    signals: &SignalFd,
    tail: &mut Tail,
) -> Result<(), Failed> {
    let program = Program::new(init)?;
    program.check()?;
    let (mut output, writers) = Output::new().map_err(|e| Failed::Kernel("a pipe", e))?;
    let stdin = state_pipe().map_err(|e| Failed::Kernel("a pipe", e))?;
    let (report, reporter) =
        pipe_with(PipeFlags::CLOEXEC).map_err(|e| Failed::Kernel("a pipe", e))?;
    let pid = match sys::fork().map_err(|e| Failed::Kernel("a process", e))? {
        Forked::Child => {
            let errno = program.become_it(&stdin, &writers, env);
            // Where nobody reads it, the exit code still tells.
            let _ = write(&reporter, &errno.raw_os_error().to_ne_bytes());
            sys::exit(127);
        }
        Forked::Parent(pid) => pid,
    };
    drop((stdin, writers, reporter));
    // The child does the same: whoever is first.
    let _ = setpgid(Some(pid), Some(pid));
    let errno = reported(&report);

    let deadline = timeout.map(|timeout| now().saturating_add(timeout));
    let mut watch = Watch { pid, what: &program.what, timeout, deadline, ending: None };
    let outcome = watch.wait(signals, &mut output, tail);
    if outcome.is_ok() {
        output.leave();
    }
    match errno {
        Some(errno) => Err(Failed::NotRun {
            failure: exec::explain(program.path(), errno),
            what: program.kind(),
        }),
        None => outcome,
    }
}

/// What is run.
struct Program {
    /// What to call it in a sentence.
    what: String,
    words: Vec<CString>,
    script: bool,
}

impl Program {
    fn new(init: &Init) -> Result<Self, Failed> {
        let (what, words, script) = match init {
            Init::Script(line) => {
                let what = format!("{} {}", Key::Initscript.short(), line.path());
                (what, words(line), true)
            }
            Init::Command(line) => {
                let words = ["/bin/sh", "-c", line].map(CString::new).into_iter().collect();
                (Key::Initcmd.short().into(), words, false)
            }
        };
        // The contract's rules leave no NUL in there.
        let words = words.map_err(|_| Failed::Kernel("a command without NUL", Errno::INVAL))?;
        Ok(Self { what, words, script })
    }

    /// What it is called where its path is named anyway.
    fn kind(&self) -> String {
        let key = if self.script { Key::Initscript } else { Key::Initcmd };
        key.short().into()
    }

    fn path(&self) -> &CStr {
        self.words.first().map_or(c"", CString::as_c_str)
    }

    /// Says early and exactly what would go wrong.
    fn check(&self) -> Result<(), Failed> {
        if self.script && crlf::is_crlf(&exec::head(self.path())) {
            return Ok(());
        }
        exec::check(self.path()).map_err(|failure| Failed::NotRun { what: self.kind(), failure })
    }

    /// In the child: sets everything up and becomes the program. Comes back with why not.
    fn become_it(&self, stdin: &OwnedFd, writers: &Writers, env: Strings) -> Errno {
        let prepared = setpgid(None, None)
            .and_then(|()| dup2_stdin(stdin))
            .and_then(|()| dup2_stdout(&writers.stdout))
            .and_then(|()| dup2_stderr(&writers.stderr));
        if let Err(errno) = prepared {
            return errno;
        }
        sys::unblock_all();
        let words: Vec<&CStr> = self.words.iter().map(CString::as_c_str).collect();
        if self.script && crlf::is_crlf(&exec::head(self.path())) {
            crlf::exec(self.path(), &words, env)
        } else {
            exec::exec(self.path(), &words, env)
        }
    }
}

fn words(line: &CommandLine) -> Result<Vec<CString>, alloc::ffi::NulError> {
    [line.path()].into_iter().chain(line.args()).map(CString::new).collect()
}

/// A pipe that holds the container's state and then ends. It is small enough to fit, so a script
/// that never reads it holds nobody up.
fn state_pipe() -> Result<OwnedFd, Errno> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    write(&writer, state::json().as_bytes())?;
    Ok(reader)
}

/// The error that the child reports; nothing once it has become the program.
fn reported(report: &OwnedFd) -> Option<Errno> {
    let mut number = [0; 4];
    match retry_on_intr(|| read(report, &mut number)) {
        Ok(4) => Some(Errno::from_raw_os_error(i32::from_ne_bytes(number))),
        _ => None,
    }
}

/// Why the script is being ended.
#[derive(Clone, Copy)]
enum Ending {
    TimedOut,
    Stopped(u8),
}

/// The wait for the script's end.
struct Watch<'a> {
    pid: Pid,
    what: &'a str,
    timeout: Option<Duration>,
    /// When something is to be done next.
    deadline: Option<Duration>,
    ending: Option<Ending>,
}

impl Watch<'_> {
    fn wait(
        &mut self,
        signals: &SignalFd,
        output: &mut Output,
        tail: &mut Tail,
    ) -> Result<(), Failed> {
        let mut ended = None;
        loop {
            while let Some(received) = signals.next() {
                if received.number == number::CHLD {
                    ended = self.reap().or(ended);
                    if ended.is_some() {
                        output.limit();
                        self.deadline = None;
                    }
                } else {
                    self.forward(received);
                }
            }
            if self.deadline.is_some_and(|deadline| deadline <= now()) {
                self.time_is_over();
            }
            // Once it has ended, what it has printed is there.
            let drain = ended.is_some() && !output.has_pending();
            let left = self.deadline.map(|deadline| deadline.saturating_sub(now()));
            let timeout = if drain { Some(Duration::ZERO) } else { left }.map(timespec);
            let any = output.pass(tail, signals.as_fd(), timeout.as_ref());
            match ended {
                Some(status) if drain && !any => return self.outcome(status),
                _ => {}
            }
        }
    }

    /// Takes the exit status of every process that has ended; gives the script's.
    fn reap(&self) -> Option<WaitStatus> {
        let mut ended = None;
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.pid => ended = Some(status),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return ended,
            }
        }
    }

    fn forward(&mut self, received: Received) {
        // Such as a SIGPIPE that our own writing raises.
        if i64::from(received.sender) == i64::from(getpid().as_raw_nonzero().get()) {
            return;
        }
        let signal = meant(received.number);
        sys::kill_all(self.pid, signal);
        if self.ending.is_none() && STOPS.contains(&signal) {
            self.ending = Some(Ending::Stopped(signal));
            self.deadline = Some(now().saturating_add(STOP_GRACE));
        }
    }

    fn time_is_over(&mut self) {
        if self.ending.is_some() {
            self.deadline = None;
            sys::kill_all(self.pid, number::KILL);
        } else {
            self.ending = Some(Ending::TimedOut);
            self.deadline = Some(now().saturating_add(TIMEOUT_GRACE));
            sys::kill_all(self.pid, number::TERM);
        }
    }

    fn outcome(&self, status: WaitStatus) -> Result<(), Failed> {
        let what = String::from(self.what);
        let byte = |value: Option<i32>| value.and_then(|value| u8::try_from(value).ok());
        match (self.ending, byte(status.exit_status())) {
            (Some(Ending::TimedOut), _) => {
                Err(Failed::TimedOut { what, after: self.timeout.unwrap_or_default() })
            }
            (Some(Ending::Stopped(signal)), _) => Err(Failed::Stopped { what, signal }),
            (None, Some(0)) => Ok(()),
            (None, Some(code)) => Err(Failed::Exited { what, code }),
            (None, None) => {
                let signal = byte(status.terminating_signal()).unwrap_or(number::KILL);
                Err(Failed::Killed { what, signal })
            }
        }
    }
}

/// What a signal asks for: systemd's own is a stop like the usual one.
fn meant(signal: u8) -> u8 {
    if signal == number::SYSTEMD_STOP { number::TERM } else { signal }
}

/// The signal among those that wait that tells the container to stop.
pub(super) fn stop_among(signals: &SignalFd) -> Option<u8> {
    let mut stop = None;
    while let Some(received) = signals.next() {
        stop = stop.or(Some(meant(received.number)).filter(|signal| STOPS.contains(signal)));
    }
    stop
}

/// The time since the machine's start.
fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
