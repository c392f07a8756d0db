//! Lines on standard error and standard output, written without a heap.

use core::fmt::{self, Write};

use rustix::fd::BorrowedFd;

use crate::file::write_all;

/// Writes one line to standard error.
#[macro_export]
macro_rules! say {
    ($($argument:tt)*) => {
        $crate::say::line($crate::sys::stderr(), format_args!($($argument)*))
    };
}

/// Writes one line to `fd`. That it cannot be written is nothing that could be said anywhere.
pub fn line(fd: BorrowedFd<'_>, text: fmt::Arguments<'_>) {
    let mut line = Line { fd, buffer: [0; Line::SIZE], used: 0 };
    let _ = writeln!(line, "{text}");
    line.flush();
}

/// Collects a line, so that it reaches a shared log in one piece.
struct Line<'a> {
    fd: BorrowedFd<'a>,
    buffer: [u8; Line::SIZE],
    used: usize,
}

impl Line<'_> {
    const SIZE: usize = 512;

    fn flush(&mut self) {
        let _ = write_all(self.fd, self.buffer.get(..self.used).unwrap_or_default());
        self.used = 0;
    }
}

impl Write for Line<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.used == Self::SIZE {
                self.flush();
            }
            if let Some(place) = self.buffer.get_mut(self.used) {
                *place = byte;
                self.used += 1;
            }
        }
        Ok(())
    }
}
