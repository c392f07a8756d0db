//! The loop of PID 1: passes signals on and reaps, until the application ends.

use core::fmt;

use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitOptions, getpid, kill_process, wait},
};

use super::options::Options;
use crate::{
    exec::exit_code,
    sys::{self, Received, SignalFd, number},
};

/// What a terminal sends to stop a job.
const JOB_CONTROL: [u8; 3] = [number::TSTP, number::TTIN, number::TTOU];

/// The process that waits for the application.
pub(super) struct Supervisor<'a> {
    options: &'a Options<'a>,
    signals: &'a SignalFd,
    application: Pid,
    /// Our own id, as the sender of a signal.
    myself: u32,
}

impl<'a> Supervisor<'a> {
    pub(super) fn new(options: &'a Options, signals: &'a SignalFd, application: Pid) -> Self {
        let myself = getpid().as_raw_nonzero().get().unsigned_abs();
        Self { options, signals, application, myself }
    }

    /// Waits for the application's end and gives its exit code.
    pub(super) fn run(&self) -> u8 {
        loop {
            if let Some(code) = self.handle(self.signals.wait()) {
                return code;
            }
        }
    }

    fn handle(&self, received: Received) -> Option<u8> {
        let signal = received.number;
        if signal == number::PIPE && received.sender == self.myself {
            // Nobody reads what we say; to say so would raise the next one.
            return None;
        }
        self.debug(format_args!("Received signal {signal}."));
        if signal == number::CHLD {
            return self.reap();
        }
        if received.sender == self.myself {
            self.debug(format_args!("Ignoring signal {signal}, which we have caused."));
            return None;
        }
        self.forward(signal);
        if JOB_CONTROL.contains(&signal) {
            self.debug(format_args!("Suspending self due to TTY signal."));
            // As PID 1 of a namespace we cannot be stopped, and then just go on.
            let _ = kill_process(getpid(), Signal::STOP);
        }
        None
    }

    /// Takes the exit status of every process that has ended.
    fn reap(&self) -> Option<u8> {
        loop {
            let (pid, status) = match wait(WaitOptions::NOHANG) {
                Ok(Some(ended)) => ended,
                Err(Errno::INTR) => continue,
                // None has ended, or there is no child at all.
                Ok(None) | Err(_) => return None,
            };
            let code = exit_code(status);
            let id = pid.as_raw_nonzero();
            match status.terminating_signal() {
                Some(signal) => self.debug(format_args!(
                    "A child with PID {id} was terminated by signal {signal}."
                )),
                None => self
                    .debug(format_args!("A child with PID {id} exited with exit status {code}.")),
            }
            if pid == self.application {
                self.end_session();
                self.debug(format_args!("Child exited with status {code}. Goodbye."));
                return Some(code);
            }
        }
    }

    fn forward(&self, signal: u8) {
        let stop = self.options.setsid && JOB_CONTROL.contains(&signal);
        let rewritten = self.options.rewrite.of(signal).or(stop.then_some(number::STOP));
        if let Some(rewritten) = rewritten {
            self.debug(format_args!("Translating signal {signal} to {rewritten}."));
        }
        let signal = rewritten.unwrap_or(signal);
        if signal == 0 {
            self.debug(format_args!("Not forwarding signal 0 to children (ignored)."));
            return;
        }
        if self.options.setsid {
            sys::kill_all(self.application, signal);
        } else {
            let _ = sys::kill(self.application, signal);
        }
        self.debug(format_args!("Forwarded signal {signal} to children."));
    }

    /// Tells what the application leaves in its session to end. It itself is gone, and its id may
    /// soon be another's, so nothing is sent to that.
    fn end_session(&self) {
        let signal = self.options.rewrite.of(number::TERM).unwrap_or(number::TERM);
        if self.options.setsid && signal != 0 {
            let _ = sys::kill_group(self.application, signal);
        }
    }

    fn debug(&self, text: fmt::Arguments<'_>) {
        super::debug(self.options, text);
    }
}
