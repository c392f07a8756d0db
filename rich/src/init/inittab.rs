//! `/etc/inittab`: the services of busybox's init and of System V init.

use alloc::string::String;
use core::ffi::CStr;

use rustix::io::Errno;

use super::cover;
use crate::file;

const PATH: &CStr = c"/etc/inittab";

/// What has nothing to do in a container: the machine's file systems, clock, kernel and power are
/// the node's. Least of all `umount -a -r`, which many an image runs at its end: it makes every
/// file system read-only that it cannot unmount, those of the node that the kubelet has mounted
/// into the container included.
const NODE: [&str; 20] = [
    "fsck",
    "halt",
    "hostname",
    "hwclock",
    "ifdown",
    "ifup",
    "insmod",
    "mdev",
    "modprobe",
    "mount",
    "ntpd",
    "poweroff",
    "rc.sysinit",
    "reboot",
    "shutdown",
    "swapoff",
    "swapon",
    "sysctl",
    "umount",
    "watchdog",
];

/// A line that is neither empty nor a comment: inittab(5); busybox calls the first field the
/// terminal and has nothing in the second.
pub(super) struct Line<'a> {
    pub(super) id: &'a str,
    pub(super) levels: &'a str,
    pub(super) action: &'a str,
    pub(super) process: &'a str,
}

impl<'a> Line<'a> {
    pub(super) fn read(line: &'a str) -> Option<Self> {
        let mut fields = line.trim_start().splitn(4, ':');
        let mut next = || fields.next().map(str::trim);
        let line = Self { id: next()?, levels: next()?, action: next()?, process: next()? };
        (!line.id.starts_with('#')).then_some(line)
    }

    /// The name of the program, without what the inits put before it.
    pub(super) fn program(&self) -> &str {
        let mut words = self.process.trim_start_matches(['-', '+', '@']).split_whitespace();
        let name = |word: &'a str| word.rsplit('/').next().unwrap_or(word);
        let first = words.next().map_or("", name);
        if first == "busybox" { words.next().map_or("", name) } else { first }
    }

    /// Whether it waits for somebody at a terminal. In a privileged container the node's own are
    /// to be seen.
    fn is_terminal(&self) -> bool {
        let program = self.program();
        self.action == "askfirst" || program.ends_with("getty") || program == "sulogin"
    }

    /// Whether it would change the node.
    fn is_for_the_node(&self) -> bool {
        NODE.contains(&self.program())
    }
}

/// The image's file; nothing where there is none.
pub(super) fn read() -> Result<Option<String>, Errno> {
    match file::read(PATH, usize::MAX) {
        Ok(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Puts our file in its place.
pub(super) fn write(text: &str) -> Result<(), Errno> {
    cover::put("/etc", "inittab", 0o644, text.as_bytes())
}

/// The lines of the image that can be kept: not those that need a terminal, would change the node,
/// or are our own, and not those that `drop` names.
pub(super) fn kept(old: &str, program: &str, drop: impl Fn(&Line) -> bool) -> String {
    let mut new = String::new();
    for text in old.lines() {
        let dropped = Line::read(text).is_some_and(|line| {
            line.process.starts_with(program)
                || line.is_terminal()
                || line.is_for_the_node()
                || drop(&line)
        });
        if !dropped {
            new.push_str(text);
            new.push('\n');
        }
    }
    new
}

/// Whether one of the lines is as `wanted`.
pub(super) fn has(text: &str, wanted: impl Fn(&Line) -> bool) -> bool {
    text.lines().filter_map(Line::read).any(|line| wanted(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_terminal_or_would_change_the_node_is_dropped() {
        let old = "# a getty\n\
                   ::sysinit:/bin/mount -o remount,rw /\n\
                   ::sysinit:/bin/busybox mount -a\n\
                   null::sysinit:/bin/ln -sf /proc/self/fd /dev/fd\n\
                   ::sysinit:/sbin/openrc sysinit\n\
                   tty1::respawn:/sbin/getty 38400 tty1\n\
                   tty2::askfirst:-/bin/sh\n\
                   1:2345:respawn:/sbin/agetty tty1\n\
                   ::shutdown:/sbin/swapoff -a\n\
                   ::shutdown:/bin/umount -a -r\n\
                   si::sysinit:/etc/rc.d/rc.sysinit\n\
                   ca:12345:ctrlaltdel:/sbin/shutdown -t1 -a -r now\n\
                   ::respawn:/r/rich supervise\n\
                   ::respawn:/usr/bin/mounted\n\n";
        let kept = kept(old, "/r/rich", |_| false);
        let expected = "# a getty\n\
                        null::sysinit:/bin/ln -sf /proc/self/fd /dev/fd\n\
                        ::sysinit:/sbin/openrc sysinit\n\
                        ::respawn:/usr/bin/mounted\n\n";
        assert_eq!(kept, expected);
    }

    #[test]
    fn a_line_is_read_with_colons_in_its_command() {
        let line = Line::read("a:2:once:/bin/x a:b").unwrap();
        assert_eq!((line.id, line.levels, line.action), ("a", "2", "once"));
        assert_eq!((line.process, line.program()), ("/bin/x a:b", "x"));
        assert!(Line::read("# a:b:c:d").is_none() && Line::read("").is_none());
    }
}
