//! What a sentence shows of a user's text: one line, and not all of it.

use alloc::string::String;
use core::fmt::{self, Write};

use crate::{
    limits::{NAMES, SHOWN},
    listed::and_more,
};

/// No name in Kubernetes is longer than a label of the DNS (RFC 1123), except those that have a
/// dot in them.
const NAME: usize = 63;

/// A value as a sentence shows it: one line, however hostile it is, and no more than
/// [`SHOWN`] characters of it.
#[must_use]
pub fn shown(value: impl fmt::Display) -> String {
    let mut text = Shown { text: String::new(), room: SHOWN };
    // It ends with an error where the value is longer.
    let _ = write!(text, "{value}");
    text.text
}

/// Names as a sentence lists them: `a, b, c and 7 more`.
#[must_use]
pub fn shown_names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut names = names.into_iter();
    let mut text = Shown { text: String::new(), room: 0 };
    for (index, name) in names.by_ref().take(NAMES).enumerate() {
        if index > 0 {
            text.text.push_str(", ");
        }
        text.room = NAME;
        let _ = text.write_str(name);
    }
    if let Some(more) = and_more(names.count()) {
        text.text.push(' ');
        text.text.push_str(&more);
    }
    text.text
}

struct Shown {
    text: String,
    /// How many characters there is still room for.
    room: usize,
}

impl Write for Shown {
    fn write_str(&mut self, value: &str) -> fmt::Result {
        // Nearly every value is short and plain.
        if value.len() <= self.room && value.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            self.room -= value.len();
            self.text.push_str(value);
            return Ok(());
        }
        for character in value.chars() {
            if self.room == 0 {
                self.text.push('…');
                return Err(fmt::Error);
            }
            self.room -= 1;
            match character {
                '"' | '\'' | '\\' => self.text.push(character),
                _ => self.text.extend(character.escape_debug()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec::Vec};

    #[test]
    fn a_value_is_one_line_of_so_many_characters() {
        assert_eq!(shown("it's \"a\\b\""), "it's \"a\\b\"");
        assert_eq!(shown(format_args!("a{}b", "\n\u{1b}")), "a\\n\\u{1b}b");
        let long = shown("é".repeat(SHOWN + 1));
        assert_eq!((long.chars().count(), long.ends_with("é…")), (SHOWN + 1, true));
        assert_eq!(shown("m".repeat(SHOWN)).len(), SHOWN);
    }

    #[test]
    fn names_are_listed_as_far_as_they_help() {
        assert_eq!(shown_names([]), "");
        assert_eq!(shown_names(["a", "b\n"]), "a, b\\n");
        let many: Vec<String> = (0..1000).map(|index| format!("c{index}")).collect();
        let text = shown_names(many.iter().map(String::as_str));
        assert!(text.starts_with("c0, c1, ") && text.ends_with(" c9 and 990 more"), "{text}");
        assert!(shown_names([&*"n".repeat(1000)]).len() < 70);
    }
}
