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
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// The key that a misspelt name most likely means.
    #[must_use]
    pub fn nearest(name: &str) -> Self {
        let wanted = name.strip_prefix(PREFIX).unwrap_or(name);
        // PouchContainer's flag was --rich-mode.
        let wanted = wanted.strip_prefix("rich-").unwrap_or(wanted);
        Self::ALL
            .into_iter()
            .filter(|key| *key != Self::Status)
            .min_by_key(|key| edit_distance(wanted, key.short()))
            .unwrap_or(Self::Mode)
    }
}

/// Levenshtein's distance in bytes, on one row, with the names cut where no key is that long.
fn edit_distance(left: &str, right: &str) -> usize {
    const LONGEST: usize = 32;
    let left = &left.as_bytes()[..left.len().min(LONGEST)];
    let right = &right.as_bytes()[..right.len().min(LONGEST)];
    let mut row = [0; LONGEST + 1];
    for (column, cell) in row.iter_mut().enumerate() {
        *cell = column;
    }
    for (line, from) in left.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, to) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(!from.eq_ignore_ascii_case(to));
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
