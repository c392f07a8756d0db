//! Signals as a stream of values: everything is blocked and read from a signalfd.
//!
//! No handler is ever installed, so there is no code that could run at the wrong moment. Blocked
//! signals queue even where the kernel would otherwise discard them: ignored ones, and those with
//! the default action of PID 1 (`sig_ignored` in the kernel's kernel/signal.c).

use core::ptr;

use linux_raw_sys::general::{
    __NR_kill, __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_signalfd4, O_CLOEXEC, O_NONBLOCK,
    SIG_SETMASK,
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd},
    io::{Errno, read, retry_on_intr},
    process::Pid,
};

use super::call::syscall;

/// The kernel's signal set: 64 bits, of which signal N is bit N-1 (signal(7)).
const SET_SIZE: usize = size_of::<u64>();

/// The numbers of the signals that mean something to us, signal(7): the same on both
/// architectures.
pub(crate) mod number {
    pub(crate) const HUP: u8 = 1;
    pub(crate) const INT: u8 = 2;
    pub(crate) const QUIT: u8 = 3;
    pub(crate) const KILL: u8 = 9;
    pub(crate) const PIPE: u8 = 13;
    pub(crate) const TERM: u8 = 15;
    pub(crate) const CHLD: u8 = 17;
    pub(crate) const STOP: u8 = 19;
    pub(crate) const TSTP: u8 = 20;
    pub(crate) const TTIN: u8 = 21;
    pub(crate) const TTOU: u8 = 22;
    /// How systemd is told to stop, `SIGRTMIN+3`, systemd(1), and hence its images, too. The C
    /// library keeps the first two real-time signals for itself.
    pub(crate) const SYSTEMD_STOP: u8 = 37;
}

/// A signal that has come.
#[derive(Clone, Copy)]
pub(crate) struct Received {
    /// Its number, 1 to 64.
    pub(crate) number: u8,
    /// Who sent it, 0 where the kernel did or the sender is outside of our PID namespace.
    pub(crate) sender: u32,
}

/// The blocked signals as a file to read and poll, signalfd(2).
pub(crate) struct SignalFd(OwnedFd);

impl SignalFd {
    /// Opens it for every signal. Reading does not block: poll it.
    pub(crate) fn open() -> Result<Self, Errno> {
        let all = u64::MAX;
        let set = ptr::from_ref(&all).addr();
        // SFD_CLOEXEC and SFD_NONBLOCK are the open(2) flags by another name.
        let flags = O_CLOEXEC | O_NONBLOCK;
        // SAFETY: the set outlives the call; -1 asks for a new descriptor, which is then ours.
        unsafe {
            let fd = syscall(__NR_signalfd4, [usize::MAX, set, SET_SIZE, flags as usize, 0])?;
            let fd = i32::try_from(fd).map_err(|_| Errno::BADF)?;
            Ok(Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// Waits for the next signal.
    pub(crate) fn wait(&self) -> Received {
        loop {
            if let Some(received) = self.next() {
                return received;
            }
            // Interrupted or not, what counts is what can then be read.
            let _ = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None);
        }
    }

    /// Waits until any signal comes, and says whether one did within the time.
    pub(crate) fn comes_within(&self, time: &Timespec) -> bool {
        let mut ready = [PollFd::new(&self.0, PollFlags::IN)];
        retry_on_intr(|| poll(&mut ready, Some(time))).is_ok_and(|count| count > 0)
    }

    /// The next signal, if one has come.
    pub(crate) fn next(&self) -> Option<Received> {
        // struct signalfd_siginfo: ssi_signo at byte 0, ssi_pid at byte 12, 128 in all.
        let mut info = [0; 128];
        let count = retry_on_intr(|| read(&self.0, &mut info)).ok()?;
        let word = |at: usize| {
            let bytes = info.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_ne_bytes(bytes))
        };
        if count != info.len() {
            return None;
        }
        Some(Received { number: u8::try_from(word(0)?).ok()?, sender: word(12)? })
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Blocks every signal that can be blocked.
pub(crate) fn block_all() {
    set_mask(u64::MAX);
}

/// Blocks none. A SIGPIPE of our own writing is dropped: it must not be the end of the program
/// that we become.
pub(crate) fn unblock_all() {
    // To ignore a signal discards it.
    set_action(PIPE, SIG_IGN);
    set_action(PIPE, SIG_DFL);
    set_mask(0);
}

/// Gives every signal that was ignored when we were started its default action. The others have
/// it: nobody here installs a handler.
pub(crate) fn default_all() {
    for number in 1..=64 {
        // Setting it anew would also discard a SIGCHLD that is waiting (do_sigaction in the
        // kernel's kernel/signal.c).
        if action(number) == Ok(SIG_IGN) {
            set_action(number, SIG_DFL);
        }
    }
}

/// `struct sigaction` of the kernel: handler, flags, restorer, mask.
type Action = [usize; 4];
/// The two handlers that are none.
const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;
const PIPE: usize = number::PIPE as usize;

/// The handler of a signal.
fn action(number: usize) -> Result<usize, Errno> {
    let mut action = Action::default();
    let old = ptr::from_mut(&mut action).expose_provenance();
    // SAFETY: the kernel writes an action, which has room for it and outlives the call.
    unsafe { syscall(__NR_rt_sigaction, [number, 0, old, SET_SIZE, 0])? };
    Ok(action[0])
}

/// Ignores a signal or gives it its default action.
fn set_action(number: usize, handler: usize) {
    let action: Action = [handler, 0, 0, 0];
    let action = ptr::from_ref(&action).addr();
    // SAFETY: the action outlives the call, and its handler is none.
    let _ = unsafe { syscall(__NR_rt_sigaction, [number, action, 0, SET_SIZE, 0]) };
}

/// Sends a signal, also a real-time one, to a process.
pub(crate) fn kill(pid: Pid, signal: u8) -> Result<(), Errno> {
    send(pid.as_raw_nonzero().get(), signal)
}

/// Sends a signal, also a real-time one, to a process group.
pub(crate) fn kill_group(group: Pid, signal: u8) -> Result<(), Errno> {
    send(-group.as_raw_nonzero().get(), signal)
}

/// Sends a signal to all that a child has started, or to it alone as long as it has no group of
/// its own: between fork and setsid, or where it has left its group.
pub(crate) fn kill_all(child: Pid, signal: u8) {
    if kill_group(child, signal).is_err() {
        // Whoever is not there any more needs no signal.
        let _ = kill(child, signal);
    }
}

/// Sends a signal to every process but PID 1 and ourselves, kill(2).
pub(crate) fn kill_everybody(signal: u8) {
    // There may be nobody else.
    let _ = send(-1, signal);
}

/// Whether nobody is there but PID 1 and ourselves, be it a zombie, kill(2).
pub(crate) fn is_alone() -> bool {
    send(-1, 0) == Err(Errno::SRCH)
}

fn send(target: i32, signal: u8) -> Result<(), Errno> {
    // The kernel reads the low 32 bits as a signed number.
    let target = target.cast_unsigned() as usize;
    // SAFETY: numbers only.
    unsafe { syscall(__NR_kill, [target, signal.into(), 0, 0, 0]).map(drop) }
}

fn set_mask(mask: u64) {
    let set = ptr::from_ref(&mask).addr();
    // SAFETY: the set outlives the call. It cannot fail: the operation and the size are right.
    let _ = unsafe { syscall(__NR_rt_sigprocmask, [SIG_SETMASK as usize, set, 0, SET_SIZE, 0]) };
}
