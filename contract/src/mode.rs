//! The init systems that can be PID 1.

/// Which init is PID 1 of a rich container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// `dumb-init`: our own, which comes with the pod; nothing need be in the image.
    #[default]
    DumbInit,
    /// `systemd`: the image's systemd.
    Systemd,
    /// `sbin-init`, also spelled `/sbin/init`: whatever the image has there.
    SbinInit,
}

impl Mode {
    /// Every mode, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::DumbInit, Self::Systemd, Self::SbinInit];

    /// The name as a user writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DumbInit => "dumb-init",
            Self::Systemd => "systemd",
            Self::SbinInit => "sbin-init",
        }
    }

    /// The mode with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "/sbin/init" => Some(Self::SbinInit),
            _ => Self::ALL.into_iter().find(|mode| mode.name() == name),
        }
    }

    /// Whether PID 1 is the image's own init, which mounts, runs as root and has services.
    #[must_use]
    pub const fn boots_the_image(self) -> bool {
        matches!(self, Self::Systemd | Self::SbinInit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_is_found_by_its_name() {
        for mode in Mode::ALL {
            assert_eq!(Mode::parse(mode.name()), Some(mode));
        }
        assert_eq!(Mode::parse("/sbin/init"), Some(Mode::SbinInit));
        assert_eq!(Mode::parse("upstart"), None);
        assert_eq!(Mode::parse(""), None);
    }
}
