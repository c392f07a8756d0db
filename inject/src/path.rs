//! Paths as the kubelet and the runtime read them, so that one place has one spelling.

use std::borrow::Cow;

/// Not as a character: where parts are short, a search for each costs more than a look at every
/// byte.
const SLASH: [char; 1] = ['/'];

/// The absolute path without empty, `.` and `..` components, and without a slash at its end. The
/// kubelet takes a relative mount path from the root (`MakeAbsolutePath` of
/// k8s.io/kubernetes/pkg/volume/util).
///
/// Links are not followed: those of an image or of a node are not known here.
pub(crate) fn clean(path: &str) -> Cow<'_, str> {
    let is_plain = |part| !matches!(part, "" | "." | "..");
    if path.strip_prefix('/').is_some_and(|rest| rest.split(SLASH).all(is_plain)) {
        return Cow::Borrowed(path);
    }
    let mut kept = Vec::new();
    for part in path.split(SLASH) {
        match part {
            "" | "." => {}
            ".." => drop(kept.pop()),
            _ => kept.push(part),
        }
    }
    Cow::Owned(["/", &kept.join("/")].concat())
}

/// Whether a path is this folder or below it; both are clean.
pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_path_is_the_same_path() {
        for path in [
            "/.rich",
            "/.rich/",
            "//.rich",
            "/./.rich",
            "/a/../.rich",
            "/.rich/../.rich",
            ".rich",
            "./.rich//.",
            "../.rich",
            "/../../.rich/a/..",
        ] {
            assert_eq!(clean(path), "/.rich", "{path}");
        }
        for (path, cleaned) in [("/", "/"), ("", "/"), ("//", "/"), ("/..", "/"), ("/a..", "/a..")]
        {
            assert_eq!(clean(path), cleaned, "{path:?}");
        }
        assert!(matches!(clean("/.rich/a.b"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_folder_has_itself_and_what_is_below_it() {
        for (path, folder, is_in_it) in [
            ("/a", "/a", true),
            ("/a/b", "/a", true),
            ("/ab", "/a", false),
            ("/", "/a", false),
            ("/a", "/", true),
            ("/", "/", true),
        ] {
            assert_eq!(is_within(path, folder), is_in_it, "{path} in {folder}");
        }
    }
}
