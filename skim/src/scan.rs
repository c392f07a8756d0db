//! Finds ends: of a string, and of an object or an array with all that is in it.
//!
//! The method for 64 bytes at a time is that of Geoff Langdale and Daniel Lemire, "Parsing
//! Gigabytes of JSON per Second" (The VLDB Journal 28, 2019).

use wide::u8x16;

const BLOCK: usize = 64;
const PART: usize = 16;

const QUOTE: u8x16 = u8x16::new([b'"'; PART]);
const BACKSLASH: u8x16 = u8x16::new([b'\\'; PART]);
const LAST_CONTROL: u8x16 = u8x16::new([0x1f; PART]);
const OPENING: u8x16 = u8x16::new([b'{'; PART]);
const CLOSING: u8x16 = u8x16::new([b'}'; PART]);
const BRACKET_TO_BRACE: u8x16 = u8x16::new([b'{' - b'['; PART]);

/// Where a string ends; nothing where a control character stands in it, which is no JSON. `from`
/// is behind its opening quote; the end is at its closing one.
pub(crate) fn end_of_string(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at = special(bytes, at)?;
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => return None,
        }
    }
}

/// The next byte that a string cannot have in it as it is.
#[inline]
pub(crate) fn special(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    // Most strings are short.
    let found = match rest.first_chunk::<PART>() {
        Some(part) => special_in_part(part).or_else(|| special_behind_part(rest)),
        None => special_in_few(rest),
    };
    found.map(|found| from + found)
}

/// The same, where it is known that there is none in the first part.
#[inline(never)]
fn special_behind_part(bytes: &[u8]) -> Option<usize> {
    let (parts, _) = bytes.as_chunks::<PART>();
    for (index, part) in parts.iter().enumerate().skip(1) {
        if let Some(found) = special_in_part(part) {
            return Some(index * PART + found);
        }
    }
    // What is left, and some once more.
    special_in_part(bytes.last_chunk()?).map(|found| bytes.len() - PART + found)
}

/// The same in fewer bytes than a part has.
#[inline(never)]
fn special_in_few(bytes: &[u8]) -> Option<usize> {
    let mut part = [b' '; PART];
    part.get_mut(..bytes.len())?.copy_from_slice(bytes);
    special_in_part(&part)
}

#[inline]
fn special_in_part(part: &[u8; PART]) -> Option<usize> {
    let part = u8x16::new(*part);
    let control = part.min(LAST_CONTROL).simd_eq(part);
    let found = part.simd_eq(QUOTE) | part.simd_eq(BACKSLASH) | control;
    let found = found.to_bitmask();
    (found != 0).then(|| found.trailing_zeros() as usize)
}

/// Where an object or an array ends. `from` is at its opening bracket; the end is at its closing
/// one, of whatever kind.
pub(crate) fn end_of_container(bytes: &[u8], from: usize) -> Option<usize> {
    let mut quotes = Quotes::default();
    let mut depth = 0;
    let mut at = from;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let end = if let Some(block) = rest.first_chunk::<BLOCK>() {
            end_in_block(block, &mut quotes, &mut depth)
        } else {
            let mut block = [b' '; BLOCK];
            block.get_mut(..rest.len())?.copy_from_slice(rest);
            end_in_block(&block, &mut quotes, &mut depth)
        };
        if let Some(end) = end {
            return Some(at + end);
        }
        at += BLOCK;
    }
    None
}

fn end_in_block(block: &[u8; BLOCK], quotes: &mut Quotes, depth: &mut u32) -> Option<usize> {
    let marks = Marks::of(block);
    let inside = quotes.inside(marks.quotes, marks.backslashes);
    let (mut opened, mut closed) = (marks.opened & !inside, marks.closed & !inside);
    if *depth > 0 {
        // What is empty ends nothing else, and there may be much of it.
        let empty = opened & closed >> 1;
        opened &= !empty;
        closed &= !(empty << 1);
    }
    let mut brackets = opened | closed;
    if *depth > 1 && has_many(brackets) {
        let (begun, ended) = (opened.count_ones(), closed.count_ones());
        if *depth > ended {
            // This block does not close all that is open.
            *depth += begun;
            *depth -= ended;
            return None;
        }
    }
    while brackets != 0 {
        let place = brackets.trailing_zeros();
        *depth = if opened >> place & 1 == 1 { *depth + 1 } else { *depth - 1 };
        if *depth == 0 {
            return Some(place as usize);
        }
        brackets &= brackets - 1;
    }
    None
}

/// Whether it takes less to count the bits than to walk them.
fn has_many(bits: u64) -> bool {
    (0..4).fold(bits, |bits, _| bits & bits.wrapping_sub(1)) != 0
}

/// Where in a block what has a meaning stands, a bit for each byte, the first in the lowest.
#[derive(Default)]
struct Marks {
    quotes: u64,
    backslashes: u64,
    opened: u64,
    closed: u64,
}

impl Marks {
    fn of(block: &[u8; BLOCK]) -> Self {
        let mut marks = Self::default();
        let (parts, _) = block.as_chunks::<PART>();
        for (index, part) in parts.iter().enumerate() {
            let part = u8x16::new(*part);
            // Brackets and braces differ in this bit, by which no other byte becomes one.
            let braces = part | BRACKET_TO_BRACE;
            let place = |found: u8x16| u64::from(found.to_bitmask()) << (index * PART);
            marks.quotes |= place(part.simd_eq(QUOTE));
            marks.backslashes |= place(part.simd_eq(BACKSLASH));
            marks.opened |= place(braces.simd_eq(OPENING));
            marks.closed |= place(braces.simd_eq(CLOSING));
        }
        marks
    }
}

/// What one block must know of the last: whether it ended within a string or an escape.
#[derive(Default)]
struct Quotes {
    /// All bits where it ended within a string.
    inside: u64,
    /// The lowest bit where its last byte was a backslash that escapes the next.
    escaping: u64,
}

impl Quotes {
    /// The bytes that are within strings, each from its opening quote to before its closing one.
    fn inside(&mut self, quotes: u64, backslashes: u64) -> u64 {
        let quotes = quotes & !self.escaped(backslashes);
        let inside = parity(quotes) ^ self.inside;
        self.inside = if inside >> 63 == 1 { u64::MAX } else { 0 };
        inside
    }

    /// The bytes that a backslash escapes: those behind an odd number of them.
    fn escaped(&mut self, backslashes: u64) -> u64 {
        const EVEN: u64 = 0x5555_5555_5555_5555;
        if backslashes == 0 {
            return std::mem::take(&mut self.escaping);
        }
        let backslashes = backslashes & !self.escaping;
        let follows = backslashes << 1 | self.escaping;
        let odd_starts = backslashes & !EVEN & !follows;
        let (from_even, overflows) = odd_starts.overflowing_add(backslashes);
        self.escaping = u64::from(overflows);
        (EVEN ^ (from_even << 1)) & follows
    }
}

/// For each bit, whether the number of bits set up to and with it is odd.
fn parity(bits: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].into_iter().fold(bits, |bits, shift| bits ^ (bits << shift))
}
