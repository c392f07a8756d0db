//! The container's processes, as `/proc` has them.

use alloc::{ffi::CString, format, vec::Vec};
use core::str;

use rustix::{
    fs::{Dir, Mode, OFlags, open},
    process::Pid,
};

use crate::file;

/// The oldest child of a process: what an init starts first is the application.
pub(super) fn first_child(parent: Pid) -> Option<Pid> {
    children(parent)?.map(|(pid, _)| pid).min().and_then(Pid::from_raw)
}

/// Whether PID 1 is in the middle of starting something: systemd puts the name of what it forks in
/// parentheses until that has become another program.
pub(super) fn init_is_starting_something() -> bool {
    children(Pid::INIT).is_some_and(|mut all| all.any(|(_, stat)| stat.name.starts_with(b"(")))
}

fn children(parent: Pid) -> Option<impl Iterator<Item = (i32, Stat)>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let entries = Dir::read_from(open("/proc", flags, Mode::empty()).ok()?).ok()?;
    let all = entries.filter_map(|entry| {
        let pid = entry.ok()?.file_name().to_str().ok()?.parse().ok()?;
        Some((pid, Stat::read(pid)?))
    });
    Some(all.filter(move |(_, stat)| stat.parent == parent.as_raw_nonzero().get()))
}

/// What `/proc/PID/stat` says of a process, proc(5).
struct Stat {
    name: Vec<u8>,
    parent: i32,
}

impl Stat {
    fn read(pid: i32) -> Option<Self> {
        let path = CString::new(format!("/proc/{pid}/stat")).ok()?;
        Self::parse(&file::read(&path, 512).ok()?)
    }

    /// The name is in parentheses, and may hold some, and blanks.
    fn parse(text: &[u8]) -> Option<Self> {
        let start = text.iter().position(|byte| *byte == b'(')?;
        let end = text.iter().rposition(|byte| *byte == b')')?;
        let name = text.get(start + 1..end)?.to_vec();
        let rest = str::from_utf8(text.get(end + 1..)?).ok()?;
        let parent = rest.split_whitespace().nth(1)?.parse().ok()?;
        Some(Self { name, parent })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_blanks_and_parentheses() {
        for (text, name) in [
            ("41 (sleep) S 7 41 41", "sleep"),
            ("41 ((sd-executor)) R 7 1", "(sd-executor)"),
            ("41 (a) S 9 (b) S 7 1", "a) S 9 (b"),
        ] {
            let stat = Stat::parse(text.as_bytes()).expect(text);
            assert_eq!((&*stat.name, stat.parent), (name.as_bytes(), 7));
        }
        for text in ["", "41", "41 (sleep", "41 ) (", "41 (sleep) S", "41 (sleep) S x"] {
            assert!(Stat::parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}
