//! The container's processes, as `/proc` has them.

use alloc::{ffi::CString, format};
use core::str;

use rustix::{
    fs::{Dir, Mode, OFlags, open},
    process::{Pid, getpid},
};

use crate::{
    file,
    sys::{self, number},
};

/// The oldest child of a process: what an init starts first is the application.
pub(super) fn first_child(parent: Pid) -> Option<Pid> {
    let children = all()?.filter(|(_, stat)| stat.parent == parent.as_raw_nonzero().get());
    children.map(|(pid, _)| pid).min_by_key(|pid| pid.as_raw_nonzero())
}

/// Kills all but PID 1, ourselves, and what PID 1 has forked since we are there and made no service
/// of, which would have a session of its own: a systemd that starts anew gives up where its
/// generators are killed.
pub(super) fn kill_all_but_inits_own() {
    let (Some(init), Some(us), Some(all)) = (Stat::read(Pid::INIT), Stat::read(getpid()), all())
    else {
        return sys::kill_everybody(number::KILL);
    };
    let is_inits_own = |stat: &Stat| stat.session == init.session && stat.start >= us.start;
    for (pid, stat) in all {
        if pid != Pid::INIT && pid != getpid() && !is_inits_own(&stat) {
            // It may be gone already.
            let _ = sys::kill(pid, number::KILL);
        }
    }
}

fn all() -> Option<impl Iterator<Item = (Pid, Stat)>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let entries = Dir::read_from(open("/proc", flags, Mode::empty()).ok()?).ok()?;
    Some(entries.filter_map(|entry| {
        let pid = Pid::from_raw(entry.ok()?.file_name().to_str().ok()?.parse().ok()?)?;
        Some((pid, Stat::read(pid)?))
    }))
}

/// What `/proc/PID/stat` says of a process, proc(5).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: i32,
    session: i32,
    /// When it was started, in clock ticks since the machine's.
    start: u64,
}

impl Stat {
    fn read(pid: Pid) -> Option<Self> {
        let path = CString::new(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
        Self::parse(&file::read(&path, 512).ok()?)
    }

    /// The second field is the name in parentheses, which may hold some, and blanks.
    fn parse(text: &[u8]) -> Option<Self> {
        const NAME: usize = 2;
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let rest = str::from_utf8(text.get(end + 1..)?).ok()?;
        let field = |number: usize| rest.split_whitespace().nth(number - NAME - 1);
        Some(Self {
            parent: field(4)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            start: field(22)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_blanks_and_parentheses() {
        for name in ["sleep", "(sd-executor)", "a) S 9 (b"] {
            let text = format!("41 ({name}) S 7 41 5 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 1234 9 9");
            let stat = Stat { parent: 7, session: 5, start: 1234 };
            assert_eq!(Stat::parse(text.as_bytes()), Some(stat));
        }
        for text in ["", "41", "41 (sleep", "41 (sleep) S 7 41 5", "41 (sleep) S x"] {
            assert_eq!(Stat::parse(text.as_bytes()), None, "{text}");
        }
        assert!(Stat::read(getpid()).is_some());
    }
}
