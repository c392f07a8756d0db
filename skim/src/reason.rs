//! Why text is not what was asked for, in one sentence.

use std::fmt::{self, Write};

/// How many characters are shown of an error of serde_json, which quotes a string as a whole.
pub(crate) const SHOWN: usize = 300;

/// An error of serde_json, of which no more is shown than helps.
pub struct Reason<'e>(pub &'e serde_json::Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        let mut shown = Beginning { room: SHOWN, formatter };
        if write!(shown, "{error}").is_ok() {
            return Ok(());
        }
        write!(formatter, "… at line {} column {}", error.line(), error.column())
    }
}

/// Writes the beginning of a text, and fails where there is more of it.
struct Beginning<'a, 'f> {
    room: usize,
    formatter: &'a mut fmt::Formatter<'f>,
}

impl Write for Beginning<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = text.char_indices().nth(self.room);
        let Some((end, _)) = end else {
            self.room -= text.chars().count();
            return self.formatter.write_str(text);
        };
        self.formatter.write_str(&text[..end])?;
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_that_is_quoted_is_cut_and_its_place_is_kept() {
        let reason = |text: &str| Reason(&crate::from_str::<u8>(text).unwrap_err()).to_string();
        assert_eq!(reason(r#""a""#), r#"invalid type: string "a", expected u8 at line 1 column 3"#);
        let long = reason(&format!("\"{}\"", "é".repeat(100_000)));
        assert!(long.len() < 3 * SHOWN && long.ends_with("éé… at line 1 column 200002"), "{long}");
    }
}
