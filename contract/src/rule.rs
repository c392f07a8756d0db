//! What a rule is, and what it says of one object that breaks it.

use alloc::{borrow::ToOwned, format, string::String, vec::Vec};
use core::fmt;

use crate::{shown, shown_names};

/// One thing that is refused: a row of [`crate::rules::ALL`].
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// A stable name, for metrics, Events and the documentation.
    pub code: &'static str,
    /// The sentence, with the names of what it is about in braces.
    pub message: &'static str,
    /// The shortest input that breaks it, as annotations or fields.
    pub example: &'static str,
}

impl Rule {
    /// This rule, broken by the annotation or field at `field`.
    #[must_use]
    pub fn broken_at(&'static self, field: &str) -> Violation {
        Violation { rule: self, field: field.to_owned(), values: Vec::new() }
    }
}

/// A rule that an object breaks, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule that is broken.
    pub rule: &'static Rule,
    /// Where: a field path in the object, such as `spec.hostPID`.
    pub field: String,
    values: Vec<(&'static str, String)>,
}

impl Violation {
    /// Gives the text that stands in the message for `{name}`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.values.push((name, shown(value)));
        self
    }

    /// Gives the names that stand in the message for `{name}`.
    #[must_use]
    pub fn with_names<'a>(
        mut self,
        name: &'static str,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        self.values.push((name, shown_names(names)));
        self
    }

    /// The same violation in a pod that is the template of a larger object.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.field = format!("{prefix}{}", self.field);
        self
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.rule.message;
        while let Some((before, after)) = rest.split_once('{') {
            f.write_str(before)?;
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            match self.values.iter().find(|(known, _)| *known == name) {
                Some((_, value)) => f.write_str(value)?,
                None => f.write_str(&self.field)?,
            }
            rest = after;
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use crate::rules;
    use alloc::string::ToString;

    #[test]
    fn a_message_names_the_field_and_the_value() {
        let violation = rules::HOST_PID.broken_at("spec.hostPID").under("spec.template.");
        assert!(violation.to_string().starts_with("spec.template.spec.hostPID "), "{violation}");
    }

    #[test]
    fn a_value_with_braces_and_breaks_stays_one_line() {
        let text =
            rules::UNKNOWN_MODE.broken_at("x").with("value", "{key}\n\u{1b}[31m").to_string();
        assert!(text.contains("{key}\\n\\u{1b}[31m"), "{text}");
        assert!(!text.contains('\n'));
    }

    #[test]
    fn a_long_value_is_cut() {
        let text = rules::UNKNOWN_MODE.broken_at("x").with("value", "m".repeat(9999)).to_string();
        assert!(text.len() < 400, "{}", text.len());
    }
}
