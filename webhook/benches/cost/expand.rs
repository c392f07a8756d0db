//! Long inputs written short: what is repeated stands there once.
//!
//! `~(20,` and `~)` are around what stands there 20 times; `~#` in it is the number of the time,
//! from 0. Everything else is as it is written.

const OPEN: &[u8] = b"~(";
const CLOSE: &[u8] = b"~)";
const NUMBER: &[u8] = b"~#";

/// Repetitions in repetitions.
const DEPTH: u8 = 4;

/// The bytes that are meant, of which there are no more than `most`.
pub(crate) fn expand(text: &[u8], most: usize) -> Vec<u8> {
    let mut reader = Reader { rest: text, written: Vec::new(), most };
    while !reader.rest.is_empty() {
        reader.part(0, 0);
        // A bracket that closes nothing.
        reader.rest = reader.rest.strip_prefix(CLOSE).unwrap_or(reader.rest);
    }
    reader.written
}

struct Reader<'t> {
    rest: &'t [u8],
    written: Vec<u8>,
    most: usize,
}

impl Reader<'_> {
    /// As far as the bracket that closes it, or the end.
    fn part(&mut self, number: usize, depth: u8) {
        while let Some((first, behind)) = self.rest.split_first() {
            if self.rest.starts_with(CLOSE) {
                return;
            }
            if let Some(behind) = self.rest.strip_prefix(NUMBER) {
                self.rest = behind;
                self.write(number.to_string().as_bytes());
            } else if let Some((count, body)) = repetition(self.rest).filter(|_| depth < DEPTH) {
                self.repeat(count, body.len(), depth);
            } else {
                self.rest = behind;
                self.write(&[*first]);
            }
        }
    }

    /// What begins so many bytes before the end.
    fn repeat(&mut self, count: usize, length: usize, depth: u8) {
        let body = &self.rest[self.rest.len() - length..];
        for number in 0..count {
            let before = self.written.len();
            self.rest = body;
            self.part(number, depth + 1);
            let full = self.written.len() == self.most;
            if full || self.written.len() == before {
                break;
            }
        }
        if count == 0 {
            self.rest = body;
        }
        self.rest = self.rest.strip_prefix(CLOSE).unwrap_or(self.rest);
    }

    fn write(&mut self, bytes: &[u8]) {
        let room = self.most - self.written.len();
        self.written.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// The count of a repetition that begins here, and what is behind its comma.
fn repetition(text: &[u8]) -> Option<(usize, &[u8])> {
    let text = text.strip_prefix(OPEN)?;
    let comma = text.iter().position(|byte| *byte == b',')?;
    let count = str::from_utf8(&text[..comma]).ok()?.parse().ok()?;
    Some((count, &text[comma + 1..]))
}
