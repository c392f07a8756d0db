//! What is known of the world beyond an object.

use crate::image::Entrypoints;

/// What whoever asks has found out: nothing, at first.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What images run.
    pub entrypoints: Entrypoints,
    /// The namespace of the object.
    pub namespace: Namespace,
    /// Whether the object is as its creator wrote it, as in a file: no webhook can have added to
    /// it. Otherwise its `metadata.managedFields` tell what the creator wrote.
    pub as_written: bool,
}

/// What a namespace says in its labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Whether the administrator lets annotations add privilege here.
    pub allows_privileged: bool,
    /// What Pod Security enforces here, where the namespace says so.
    pub enforces: Option<Level>,
    /// Whether its labels could not be read: it lets nothing then, and a refusal says why.
    pub is_unreadable: bool,
}

/// A level of the Pod Security Standards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Everything is allowed.
    Privileged,
    /// No known way to privilege.
    Baseline,
    /// What the best practices ask for.
    Restricted,
}

/// The label by which an administrator lets annotations add privilege.
const ALLOWS_PRIVILEGED: &str = "rich.pouch/allow-privileged";
/// The label of Pod Security admission.
const ENFORCES: &str = "pod-security.kubernetes.io/enforce";

impl Namespace {
    /// One whose labels could not be read.
    #[must_use]
    pub fn unreadable() -> Self {
        Self { is_unreadable: true, ..Self::default() }
    }

    /// Reads its labels.
    pub fn of<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut namespace = Self::default();
        for (name, value) in labels {
            match name {
                ALLOWS_PRIVILEGED => namespace.allows_privileged = value == "true",
                ENFORCES => namespace.enforces = Some(Level::read(value)),
                _ => {}
            }
        }
        namespace
    }
}

impl Level {
    /// What is no level counts as the strictest, as for the API server (`ParseLevel` of
    /// k8s.io/pod-security-admission).
    fn read(value: &str) -> Self {
        match value {
            "privileged" => Self::Privileged,
            "baseline" => Self::Baseline,
            _ => Self::Restricted,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labels_of_a_namespace_are_read() {
        let namespace = Namespace::of([(ALLOWS_PRIVILEGED, "true"), (ENFORCES, "baseline")]);
        assert!(namespace.allows_privileged);
        assert_eq!(namespace.enforces, Some(Level::Baseline));
        let namespace = Namespace::of([(ALLOWS_PRIVILEGED, "yes"), (ENFORCES, "strict")]);
        assert!(!namespace.allows_privileged);
        assert_eq!(namespace.enforces, Some(Level::Restricted));
        assert_eq!(Namespace::of([("team", "a")]), Namespace::default());
    }
}
