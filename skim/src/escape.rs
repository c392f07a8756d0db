//! The text of a string, as it stands between its quotes.

use std::fmt;

use crate::scan::special;

/// Writes what `text` is within a JSON string (RFC 8259, section 7).
///
/// # Errors
/// That of `to`.
pub fn escape(mut text: &str, to: &mut impl fmt::Write) -> fmt::Result {
    while let Some((plain, rest)) =
        special(text.as_bytes(), 0).and_then(|at| text.split_at_checked(at))
    {
        to.write_str(plain)?;
        let mut rest = rest.chars();
        match rest.next() {
            Some('"') => to.write_str("\\\"")?,
            Some('\\') => to.write_str("\\\\")?,
            Some(control) => {
                let digit = |value: u32| char::from_digit(value & 0xf, 16).unwrap_or_default();
                to.write_str("\\u00")?;
                to.write_char(digit(u32::from(control) >> 4))?;
                to.write_char(digit(u32::from(control)))?;
            }
            None => {}
        }
        text = rest.as_str();
    }
    to.write_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_text_is_read_as_what_it_was(
            text in r#"([a"\\\n\u{0}-\u{1f}\u{7f}é]|\PC){0,40}"#,
        ) {
            let mut written = String::from("\"");
            escape(&text, &mut written).unwrap();
            written.push('"');
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }
}
