//! One stream of the application, from its pipe to the container's stream.
//!
//! The kernel moves what is in the pipe, splice(2): at no moment it is nowhere but in our memory,
//! so that a SIGKILL to us loses nothing.

use core::time::Duration;

use rustix::{
    event::{PollFd, PollFlags},
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{Mode, OFlags, open},
    io::{Errno, ioctl_fionread, read, retry_on_intr},
    pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice, tee},
};

use super::copy::Copy;
use crate::file::write_all;

/// What the pipes are to hold, bytes: what anybody may ask for (pipe(7), pipe-max-size).
const PIPE: usize = 1 << 20;
/// What is copied at once, bytes: what a pipe holds that nobody has enlarged.
pub(super) const PIECE: usize = 64 * 1024;

/// Makes a pipe for the application to write to.
pub(super) fn pipe() -> Result<(OwnedFd, OwnedFd), Errno> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    // The kernel's limit may be lower, or used up.
    let _ = fcntl_setpipe_size(&writer, PIPE);
    Ok((reader, writer))
}

/// How bytes get from here to there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Splice,
    /// For what cannot be spliced to, such as a file that is appended to.
    Write,
}

/// One stream.
pub(super) struct Stream {
    from: OwnedFd,
    to: OwnedFd,
    way: Way,
    /// Whether there is no room in `to`.
    blocked: bool,
    /// How much at the front of the pipe is in the copy already, bytes.
    copied: usize,
    pub(super) copy: Copy,
    /// A pipe that what is copied passes through.
    scratch: (OwnedFd, OwnedFd),
}

impl Stream {
    pub(super) fn new(from: OwnedFd, to: OwnedFd, copy: Copy) -> Result<Self, Errno> {
        let _ = fcntl_setpipe_size(&to, PIPE);
        let scratch = pipe_with(PipeFlags::CLOEXEC)?;
        Ok(Self { from, to, way: Way::Splice, blocked: false, copied: 0, copy, scratch })
    }

    /// Whether all that was written has been passed on.
    pub(super) fn is_empty(&self) -> bool {
        ioctl_fionread(&self.from).is_ok_and(|count| count == 0)
    }

    /// What there is to wait for.
    pub(super) fn wait_for(&self) -> [Option<PollFd<'_>>; 2] {
        let stream = if self.blocked {
            PollFd::new(&self.to, PollFlags::OUT)
        } else {
            PollFd::new(&self.from, PollFlags::IN)
        };
        let journal = self.copy.waits_for().map(|journal| PollFd::new(journal, PollFlags::OUT));
        [Some(stream), journal]
    }

    /// Passes on what is there, without waiting.
    pub(super) fn advance(&mut self, now: Duration, buffer: &mut [u8]) {
        self.copy_some(now, buffer);
        let length = if self.copied > 0 { self.copied } else { PIPE };
        let moved = match self.way {
            Way::Splice => move_some(self.from.as_fd(), self.to.as_fd(), length),
            Way::Write => write_some(self.from.as_fd(), self.to.as_fd(), length, buffer),
        };
        self.blocked = false;
        match moved {
            Ok(count) if self.copied > 0 => self.copied = self.copied.saturating_sub(count),
            Ok(count) => self.copy.leave_out(count),
            Err(Errno::AGAIN) => self.blocked = !self.is_empty(),
            Err(Errno::INVAL) if self.way == Way::Splice => self.way = Way::Write,
            // Nobody reads the container's stream any more: what is written is for nobody.
            Err(_) => self.discard(),
        }
    }

    /// Copies the front of the pipe, and leaves it there.
    fn copy_some(&mut self, now: Duration, buffer: &mut [u8]) {
        if self.copied > 0 || !self.copy.is_open(now) {
            return;
        }
        let (reader, writer) = &self.scratch;
        let Ok(mut left) = tee(&self.from, writer, PIECE, SpliceFlags::NONBLOCK) else { return };
        self.copied = left;
        while left > 0 {
            let room = buffer.get_mut(..left).unwrap_or_default();
            match retry_on_intr(|| read(reader, &mut *room)) {
                Ok(count @ 1..) => {
                    self.copy.offer(buffer.get(..count).unwrap_or_default());
                    left = left.saturating_sub(count);
                }
                _ => return,
            }
        }
    }

    fn discard(&mut self) {
        if let Ok(null) = open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
            self.to = null;
        }
        self.way = Way::Write;
    }
}

fn move_some(from: BorrowedFd<'_>, to: BorrowedFd<'_>, length: usize) -> Result<usize, Errno> {
    let flags = SpliceFlags::NONBLOCK | SpliceFlags::MOVE;
    retry_on_intr(|| splice(from, None, to, None, length, flags))
}

fn write_some(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    length: usize,
    buffer: &mut [u8],
) -> Result<usize, Errno> {
    if ioctl_fionread(from)? == 0 {
        return Err(Errno::AGAIN);
    }
    let room = buffer.get_mut(..length.min(PIECE)).unwrap_or_default();
    let count = retry_on_intr(|| read(from, &mut *room))?;
    write_all(to, buffer.get(..count).unwrap_or_default())?;
    Ok(count)
}
