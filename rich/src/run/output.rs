//! What the initscript prints: passed on as it comes, and its end remembered.
//!
//! It reaches us through pipes. A service that the script leaves running keeps them open, so
//! before PID 1 becomes the init a small process takes over the reading: without a reader the
//! service would die of `SIGPIPE` at its next line.

use alloc::vec::Vec;

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{BorrowedFd, OwnedFd},
    fs::{OFlags, fcntl_setfl},
    io::{Errno, read, retry_on_intr, write},
    pipe::{PipeFlags, pipe_with},
    process::{chdir, setsid},
    thread::set_name,
};

use crate::sys::{self, Forked, stderr, stdout};

/// How much of the output is remembered, bytes: half of what a termination message may hold.
const REMEMBERED: usize = 2048;

/// What is read and written at once, bytes: `PIPE_BUF`, as much as a pipe that polls as writable
/// takes without blocking (pipe(7)).
const PIECE: usize = 4096;

/// What a pipe holds, bytes (pipe(7)): what a process has printed when it ends is at most that.
const PIPE: usize = 64 * 1024;

/// The end of an output, oldest byte first.
pub(super) struct Tail {
    ring: [u8; REMEMBERED],
    written: usize,
}

impl Default for Tail {
    fn default() -> Self {
        Self { ring: [0; REMEMBERED], written: 0 }
    }
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if let Some(place) = self.ring.get_mut(self.written % REMEMBERED) {
                *place = *byte;
            }
            self.written += 1;
        }
    }

    /// The last whole lines that fit into `limit` bytes, ending with a line break.
    pub(super) fn lines(&self, limit: usize) -> Vec<u8> {
        let start = self.written.saturating_sub(REMEMBERED);
        let mut text: Vec<u8> = (start..self.written)
            .filter_map(|at| self.ring.get(at % REMEMBERED))
            .copied()
            .collect();
        if text.last().is_some_and(|last| *last != b'\n') {
            text.push(b'\n');
        }
        let excess = text.len().saturating_sub(limit);
        if start > 0 || excess > 0 {
            // The first line may have lost its beginning; a single long line is better than none.
            let rest = text.get(excess..).unwrap_or_default();
            let cut = rest.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let cut = if excess + cut == text.len() { excess } else { excess + cut };
            text.drain(..cut);
        }
        text
    }
}

/// One stream of the script, on its way to ours.
struct Stream {
    /// None once nobody can write any more.
    from: Option<OwnedFd>,
    to: BorrowedFd<'static>,
    buffer: [u8; PIECE],
    /// Where in the buffer what is not yet written begins and ends.
    pending: (usize, usize),
    /// How many bytes may still be read.
    budget: usize,
}

impl Stream {
    fn pending(&self) -> &[u8] {
        self.buffer.get(self.pending.0..self.pending.1).unwrap_or_default()
    }

    /// What there is to wait for: room to write, or something to read.
    fn wait_for(&self) -> Option<PollFd<'_>> {
        if !self.pending().is_empty() {
            return Some(PollFd::from_borrowed_fd(self.to, PollFlags::OUT));
        }
        let from = self.from.as_ref()?;
        (self.budget > 0).then(|| PollFd::new(from, PollFlags::IN))
    }

    fn advance(&mut self, tail: &mut Tail) {
        if self.pending().is_empty() {
            self.read(tail);
        } else {
            match write(self.to, self.pending()) {
                Ok(count) => self.pending.0 += count,
                Err(Errno::INTR | Errno::AGAIN) => {}
                // Our own output is closed: the script's is then for nobody.
                Err(_) => self.pending = (0, 0),
            }
        }
    }

    fn read(&mut self, tail: &mut Tail) {
        let Some(from) = &self.from else { return };
        let room = self.budget.min(PIECE);
        let Some(buffer) = self.buffer.get_mut(..room) else { return };
        match retry_on_intr(|| read(from, &mut *buffer)) {
            Ok(count) if count > 0 => {
                self.pending = (0, count);
                self.budget -= count;
                tail.push(self.pending());
            }
            Err(Errno::AGAIN) => {}
            _ => self.from = None,
        }
    }
}

/// Both streams of the script.
pub(super) struct Output([Stream; 2]);

/// The ends that the script writes to.
pub(super) struct Writers {
    /// For its standard output.
    pub(super) stdout: OwnedFd,
    /// For its standard error.
    pub(super) stderr: OwnedFd,
}

impl Output {
    /// Makes the pipes.
    pub(super) fn new() -> Result<(Self, Writers), Errno> {
        let (output, output_writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let (error, error_writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let stream = |from: OwnedFd, to| {
            // Ours alone: the script's end keeps blocking.
            fcntl_setfl(&from, OFlags::NONBLOCK)?;
            let from = Some(from);
            Ok(Stream { from, to, buffer: [0; PIECE], pending: (0, 0), budget: usize::MAX })
        };
        let streams = [stream(output, stdout())?, stream(error, stderr())?];
        Ok((Self(streams), Writers { stdout: output_writer, stderr: error_writer }))
    }

    /// Passes on what has come, or waits for more, for `other`, or until `timeout` is over.
    /// Says whether there was anything.
    pub(super) fn pass(
        &mut self,
        tail: &mut Tail,
        other: BorrowedFd<'_>,
        timeout: Option<&Timespec>,
    ) -> bool {
        let mut ready = [false; 2];
        let mut fds = Vec::from([PollFd::from_borrowed_fd(other, PollFlags::IN)]);
        let waiting: Vec<usize> = (0..2).filter(|at| self.0[*at].wait_for().is_some()).collect();
        fds.extend(self.0.iter().filter_map(Stream::wait_for));
        if poll(&mut fds, timeout).is_err() {
            return true;
        }
        for (at, fd) in waiting.iter().zip(fds.iter().skip(1)) {
            ready[*at] = !fd.revents().is_empty();
        }
        drop(fds);
        let mut any = false;
        for (stream, ready) in self.0.iter_mut().zip(ready) {
            if ready {
                stream.advance(tail);
                any = true;
            }
        }
        any
    }

    /// From now on, only what was printed before the script ended.
    pub(super) fn limit(&mut self) {
        for stream in &mut self.0 {
            stream.budget = PIPE;
        }
    }

    /// Whether something that was read has not been written yet.
    pub(super) fn has_pending(&self) -> bool {
        self.0.iter().any(|stream| !stream.pending().is_empty())
    }

    /// Leaves what services of the script will still print to a process of its own.
    pub(super) fn leave(mut self) {
        let open = self.0.iter().any(|stream| {
            stream.from.as_ref().is_some_and(|from| {
                let mut fd = [PollFd::new(from, PollFlags::IN)];
                let polled = poll(&mut fd, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
                // Hung up and nothing to read: no writer is left.
                polled.is_ok() && fd[0].revents() != PollFlags::HUP
            })
        });
        if !open {
            return;
        }
        if let Ok(Forked::Child) = sys::fork() {
            // So that whoever stops the application's session does not stop this with it.
            let _ = setsid();
            let _ = chdir("/");
            let _ = set_name(c"rich-output");
            sys::unblock_all();
            self.pass_until_closed();
            sys::exit(0);
        }
    }

    fn pass_until_closed(&mut self) {
        let mut tail = Tail::default();
        for stream in &mut self.0 {
            stream.budget = usize::MAX;
        }
        while self.0.iter().any(|stream| stream.from.is_some()) || self.has_pending() {
            let mut fds: Vec<PollFd<'_>> = self.0.iter().filter_map(Stream::wait_for).collect();
            let _ = poll(&mut fds, None);
            for stream in &mut self.0 {
                stream.advance(&mut tail);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(text: &[u8]) -> Tail {
        let mut tail = Tail::default();
        tail.push(text);
        tail
    }

    #[test]
    fn a_short_output_is_kept_whole() {
        assert_eq!(tail(b"a\nb").lines(4096), b"a\nb\n");
        assert_eq!(tail(b"").lines(4096), b"");
    }

    #[test]
    fn a_long_output_is_cut_to_whole_lines() {
        let text: Vec<u8> = (0..1000).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        let kept = tail(&text).lines(100);
        assert!(kept.len() <= 100 && kept.starts_with(b"line ") && kept.ends_with(b"line 999\n"));
        let kept = tail(&text).lines(4096);
        assert!(kept.len() > 2000 && kept.starts_with(b"line "));
    }

    #[test]
    fn a_line_longer_than_all_is_cut_at_its_beginning() {
        assert_eq!(tail(&[b'x'; 5000]).lines(10), b"xxxxxxxxx\n");
    }
}
