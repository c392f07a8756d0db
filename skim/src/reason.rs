//! Why text is not what was asked for, in one sentence.

use std::fmt;

/// How many characters are shown of an error of serde_json, which quotes a string as a whole.
const SHOWN: usize = 300;

/// An error of serde_json, of which no more is shown than helps.
pub struct Reason<'e>(pub &'e serde_json::Error);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        let text = error.to_string();
        match text.char_indices().nth(SHOWN) {
            None => formatter.write_str(&text),
            Some((end, _)) => {
                let (line, column) = (error.line(), error.column());
                write!(formatter, "{}… at line {line} column {column}", &text[..end])
            }
        }
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
