//! What is mounted in the container, and what is the container's own.

use alloc::{ffi::CString, format, vec::Vec};

use rustix::{
    fd::{AsFd, AsRawFd, OwnedFd},
    fs::{Mode, OFlags, open},
    io::Errno,
};

use crate::file;

/// The kernel's number for a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MountId(u64);

impl MountId {
    /// Of the mount that an open file or folder was reached through: `mnt_id` of
    /// proc_pid_fdinfo(5), which every kernel since 3.15 has. Numbers of devices do not tell a
    /// folder of the node from one of the image: both can be on one file system, and overlayfs
    /// has several (the kernel's Documentation/filesystems/overlayfs.rst, "Inode properties").
    pub(crate) fn of(file: impl AsFd) -> Result<Self, Errno> {
        let path = format!("/proc/self/fdinfo/{}", file.as_fd().as_raw_fd());
        let path = CString::new(path).map_err(|_| Errno::INVAL)?;
        Self::parse(&file::read(&path, 4096)?).ok_or(Errno::NOSYS)
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let value =
            text.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"mnt_id:"))?;
        core::str::from_utf8(value).ok()?.trim().parse().ok().map(Self)
    }
}

/// Opens a folder of the container's own root file system; `EXDEV` where it is in a mount, such as
/// a folder of the node. What counts is where the folder is, not by which links its path leads
/// there; `flags` may forbid that its last part is one.
pub(crate) fn own_folder(path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let folder = file::open_folder(path, flags)?;
    let root = open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    if MountId::of(&folder)? == MountId::of(&root)? { Ok(folder) } else { Err(Errno::XDEV) }
}

/// Where something is mounted: the fifth word of each line of `/proc/self/mountinfo`, proc(5).
pub(crate) fn points() -> Vec<CString> {
    let text = file::read(c"/proc/self/mountinfo", usize::MAX).unwrap_or_default();
    text.split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .filter_map(|point| CString::new(unescape(point)).ok())
        .collect()
}

/// Blanks and the like stand as three octal digits after a backslash.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut rest = word;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let octal = after.get(..3).filter(|_| byte == b'\\');
        let value =
            octal.and_then(|digits| u8::from_str_radix(core::str::from_utf8(digits).ok()?, 8).ok());
        if let Some(value) = value {
            plain.push(value);
            rest = after.get(3..).unwrap_or_default();
        } else {
            plain.push(byte);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_with_a_blank_is_read() {
        assert_eq!(unescape(br"/a\040b\134c"), br"/a b\c");
        assert_eq!(unescape(br"/a\04"), br"/a\04");
    }

    #[test]
    fn the_number_of_a_mount_is_read_among_other_fields() {
        let text = b"pos:\t0\nflags:\t0100000\nmnt_id:\t29\nino:\t2\n";
        assert_eq!(MountId::parse(text), Some(MountId(29)));
        assert_eq!(MountId::parse(b"flags:\t02\n"), None);
        assert_eq!(MountId::parse(b"mnt_id:\tx\n"), None);
    }

    #[test]
    fn proc_is_no_folder_of_the_root_file_system() {
        assert!(own_folder("/", OFlags::empty()).is_ok());
        assert_eq!(own_folder("/proc", OFlags::empty()).unwrap_err(), Errno::XDEV);
    }
}
