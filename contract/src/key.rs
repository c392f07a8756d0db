//! The annotation keys.

/// What every annotation of Rich Pouch begins with.
pub const PREFIX: &str = "rich.pouch/";

/// An annotation that a user may write on a Pod, a pod template or a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `rich.pouch/rich`: switches rich mode on or off.
    Rich,
    /// `rich.pouch/mode`: which init is PID 1.
    Mode,
    /// `rich.pouch/initscript`: a script of the container that runs before the application.
    Initscript,
    /// `rich.pouch/initcmd`: a shell command line that runs before the application.
    Initcmd,
    /// `rich.pouch/initscript-timeout`: how long initscript or initcmd may take.
    InitscriptTimeout,
    /// `rich.pouch/poststop`: a command that runs after the application has ended.
    Poststop,
    /// `rich.pouch/containers`: which containers of the pod become rich.
    Containers,
    /// `rich.pouch/restart`: who restarts the application.
    Restart,
    /// `rich.pouch/privileged`: whether the container is made privileged.
    Privileged,
    /// `rich.pouch/profile`: whether login shells see the container's environment.
    Profile,
    /// `rich.pouch/status`: written by the webhook; never read as input.
    Status,
}

impl Key {
    /// Every key, in the order of the documentation.
    pub const ALL: [Self; 11] = [
        Self::Rich,
        Self::Mode,
        Self::Initscript,
        Self::Initcmd,
        Self::InitscriptTimeout,
        Self::Poststop,
        Self::Containers,
        Self::Restart,
        Self::Privileged,
        Self::Profile,
        Self::Status,
    ];

    /// The whole annotation key, `rich.pouch/mode`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rich => "rich.pouch/rich",
            Self::Mode => "rich.pouch/mode",
            Self::Initscript => "rich.pouch/initscript",
            Self::Initcmd => "rich.pouch/initcmd",
            Self::InitscriptTimeout => "rich.pouch/initscript-timeout",
            Self::Poststop => "rich.pouch/poststop",
            Self::Containers => "rich.pouch/containers",
            Self::Restart => "rich.pouch/restart",
            Self::Privileged => "rich.pouch/privileged",
            Self::Profile => "rich.pouch/profile",
            Self::Status => "rich.pouch/status",
        }
    }

    /// The part after the prefix, `mode`: also the name of the flag of `rich run`.
    #[must_use]
    pub fn short(self) -> &'static str {
        &self.name()[PREFIX.len()..]
    }

    /// The key with this whole name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let short = name.strip_prefix(PREFIX)?;
        Self::ALL.into_iter().find(|key| key.short() == short)
    }

    /// The key that a misspelt name most likely means.
    #[must_use]
    pub fn nearest(name: &str) -> Self {
        let wanted = name.strip_prefix(PREFIX).unwrap_or(name);
        // PouchContainer's flag was --rich-mode.
        let wanted = Pattern::of(wanted.strip_prefix("rich-").unwrap_or(wanted));
        let mut nearest = (usize::MAX, Self::Mode);
        for key in Self::ALL.into_iter().filter(|key| *key != Self::Status) {
            let short = key.short();
            // Texts are no nearer than their lengths.
            if short.len().abs_diff(wanted.length) < nearest.0 {
                nearest = nearest.min((wanted.distance(short), key));
            }
        }
        nearest.1
    }
}

/// A text to which Levenshtein's distance of others is found, in bytes and without regard to case,
/// a column of the table at a time (Gene Myers, "A Fast Bit-Vector Algorithm for Approximate
/// String Matching", Journal of the ACM 46, 1999, as Heikki Hyyrö put it in 2003).
///
/// An object may have many unknown names. A slow search would keep other requests waiting.
struct Pattern {
    length: usize,
    /// For each byte of ASCII, the places where it stands.
    places: [u32; 128],
}

impl Pattern {
    /// Its beginning, where it is longer than any key.
    fn of(text: &str) -> Self {
        let mut pattern = Self { length: 0, places: [0; 128] };
        for (place, byte) in text.bytes().take(32).enumerate() {
            pattern.length += 1;
            if let Some(places) = pattern.places.get_mut(usize::from(byte.to_ascii_lowercase())) {
                *places |= 1 << place;
            }
        }
        pattern
    }

    /// The distance of a text of ASCII in lower case.
    fn distance(&self, text: &str) -> usize {
        let Some(last) = self.length.checked_sub(1) else {
            return text.len();
        };
        let mut distance = self.length;
        let (mut up, mut down) = (u32::MAX, 0);
        for byte in text.bytes() {
            let equal = self.places.get(usize::from(byte)).copied().unwrap_or_default();
            let vertical = equal | down;
            let horizontal = ((equal & up).wrapping_add(up) ^ up) | equal;
            let right_up = down | !(horizontal | up);
            let right_down = up & horizontal;
            distance += (right_up >> last & 1) as usize;
            distance -= (right_down >> last & 1) as usize;
            let (right_up, right_down) = (right_up << 1 | 1, right_down << 1);
            up = right_down | !(vertical | right_up);
            down = right_up & vertical;
        }
        distance
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn every_key_is_found_by_its_name() {
        for key in Key::ALL {
            assert_eq!(Key::parse(key.name()), Some(key));
        }
        assert_eq!(Key::parse("rich.pouch/Mode"), None);
    }

    #[test]
    fn a_misspelt_key_finds_the_one_that_was_meant() {
        for (typed, meant) in [
            ("rich.pouch/init-script", Key::Initscript),
            ("rich.pouch/rich-mode", Key::Mode),
            ("rich.pouch/Mode", Key::Mode),
            ("rich.pouch/initscript-time", Key::InitscriptTimeout),
            ("rich.pouch/container", Key::Containers),
            ("rich.pouch/post-stop", Key::Poststop),
            ("rich.pouch/privilege", Key::Privileged),
            ("rich.pouch/profiles", Key::Profile),
        ] {
            assert_eq!(Key::nearest(typed), meant, "{typed}");
        }
    }

    /// The table of Wagner and Fischer, a row at a time.
    fn distance(left: &str, right: &str) -> usize {
        let mut row: Vec<usize> = (0..=right.len()).collect();
        for (line, from) in left.bytes().enumerate() {
            let mut diagonal = core::mem::replace(&mut row[0], line + 1);
            for (column, to) in right.bytes().enumerate() {
                let replaced = diagonal + usize::from(from != to);
                diagonal = row[column + 1];
                row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
            }
        }
        row[right.len()]
    }

    proptest! {
        #[test]
        fn the_distance_is_that_of_the_whole_table(left in "[a-d-]{0,32}", right in "[a-d-]{0,40}") {
            prop_assert_eq!(Pattern::of(&left).distance(&right), distance(&left, &right));
        }

        #[test]
        fn no_name_is_too_long_or_strange(name in ".*") {
            let _ = Key::nearest(&name);
        }
    }
}
