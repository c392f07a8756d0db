//! The forms that a value can have: a command line and a duration.

use alloc::{format, string::String};
use core::{fmt, time::Duration};

use crate::{Rule, rules};

/// A path in the container and its arguments, split at blanks as PouchContainer splits them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The words, with one blank between each two of them.
    text: String,
}

impl CommandLine {
    /// Reads `/path/to/script ARG…`; what is wrong comes back as the rule that it breaks.
    pub fn parse(text: &str) -> Result<Self, &'static Rule> {
        if text.contains(['\0', '\n', '\r']) {
            return Err(&rules::PATH_WITH_BREAK);
        }
        if !text.trim_ascii_start().starts_with('/') {
            return Err(&rules::PATH_NOT_ABSOLUTE);
        }
        let mut line = String::with_capacity(text.len());
        for word in text.split_ascii_whitespace() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        Ok(Self { text: line })
    }

    /// The absolute path of what is run.
    #[must_use]
    pub fn path(&self) -> &str {
        self.words().next().unwrap_or_default()
    }

    /// The arguments after the path.
    pub fn args(&self) -> impl Iterator<Item = &str> {
        self.words().skip(1)
    }

    fn words(&self) -> impl Iterator<Item = &str> {
        self.text.split(' ')
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads a duration as Kubernetes and Go write it, `500ms`, `30s`, `5m`, `1h30m`, longer than 0.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let number: u64 = number.parse().ok()?;
        let letters = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_lowercase()).len();
        let (unit, tail) = tail.split_at(letters);
        let part = match unit {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3600)?),
            _ => return None,
        };
        total = total.checked_add(part)?;
        rest = tail;
    }
    (total > Duration::ZERO).then_some(total)
}

/// Writes a duration so that [`parse_duration`] reads the same, to the millisecond.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    match (duration.as_secs(), duration.subsec_millis()) {
        (seconds, 0) => format!("{seconds}s"),
        (0, millis) => format!("{millis}ms"),
        (seconds, millis) => format!("{seconds}s{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn a_command_line_is_split_at_blanks() {
        let line = CommandLine::parse(" /opt/prepare.sh  --quick\tnow ").unwrap();
        assert_eq!(line.path(), "/opt/prepare.sh");
        assert!(line.args().eq(["--quick", "now"]));
        assert_eq!(line.to_string(), "/opt/prepare.sh --quick now");
    }

    #[test]
    fn a_command_line_that_names_no_absolute_path_is_refused() {
        for text in ["", "  ", "prepare.sh", "./prepare.sh"] {
            assert_eq!(CommandLine::parse(text), Err(&rules::PATH_NOT_ABSOLUTE), "{text:?}");
        }
        for text in ["/a\0", "/a\nb", "/a\r"] {
            assert_eq!(CommandLine::parse(text), Err(&rules::PATH_WITH_BREAK), "{text:?}");
        }
    }

    #[test]
    fn durations_are_read_as_kubernetes_writes_them() {
        for (text, seconds) in [("30s", 30), ("5m", 300), ("1h30m", 5400), ("1m1s", 61)] {
            assert_eq!(parse_duration(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        for text in ["", "30", "s", "0s", "-1s", "1.5s", "1d", "5 m", "99999999999999999999s"] {
            assert_eq!(parse_duration(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_duration_is_read_as_it_was_written(millis in 1..u64::from(u32::MAX)) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
        }

        #[test]
        fn no_text_makes_a_value_panic(text in ".*") {
            let _ = parse_duration(&text);
            let _ = CommandLine::parse(&text);
        }
    }
}
