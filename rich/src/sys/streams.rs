//! The three standard streams, and what else we were started with.

use core::mem::forget;

use rustix::{
    fd::{AsRawFd, BorrowedFd, OwnedFd},
    fs::{Mode, OFlags, open},
    io::{Errno, fcntl_dupfd_cloexec},
    stdio,
};

/// Opens what is closed of the three, so that no other file takes the place of one.
pub fn open_missing() {
    while let Ok(null) = open("/dev/null", OFlags::RDWR, Mode::empty())
        && null.as_raw_fd() <= stdio::raw_stderr()
    {
        forget(null);
    }
}

/// Standard input.
pub(crate) fn stdin() -> BorrowedFd<'static> {
    // SAFETY: nothing in this program closes the standard streams.
    unsafe { stdio::stdin() }
}

/// Standard output.
pub(crate) fn stdout() -> BorrowedFd<'static> {
    // SAFETY: as for standard input.
    unsafe { stdio::stdout() }
}

/// Standard error.
#[must_use]
pub fn stderr() -> BorrowedFd<'static> {
    // SAFETY: as for standard input.
    unsafe { stdio::stderr() }
}

/// A descriptor that we were started with, by its number; EBADF where there is none.
pub(crate) fn passed(number: usize) -> Result<OwnedFd, Errno> {
    let number = i32::try_from(number).map_err(|_| Errno::BADF)?;
    // SAFETY: it is borrowed for one system call, which looks whether it is open.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    fcntl_dupfd_cloexec(descriptor, 0)
}
