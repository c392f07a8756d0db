//! The three standard streams.

use core::mem::forget;

use rustix::{
    fd::{AsRawFd, BorrowedFd},
    fs::{Mode, OFlags, open},
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
