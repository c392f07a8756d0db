//! A text that needs no heap: ours only grows, and the service lives long.

use core::fmt::{self, Write};

/// A text of at most `N` bytes; what is longer is cut.
pub(super) struct Text<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

impl<const N: usize> Text<N> {
    pub(super) fn new(text: fmt::Arguments<'_>) -> Self {
        let mut new = Self { bytes: [0; N], used: 0 };
        // It cannot fail.
        let _ = new.write_fmt(text);
        new
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }
}

impl<const N: usize> Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (place, byte) in self.bytes.iter_mut().skip(self.used).zip(text.bytes()) {
            *place = byte;
            self.used += 1;
        }
        Ok(())
    }
}
