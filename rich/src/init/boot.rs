//! What an init that boots an image expects of a machine: to be PID 1, and an empty `/run`.

use alloc::{ffi::CString, vec::Vec};
use core::{ffi::CStr, fmt};

use rustix::{
    fs::{Access, AtFlags, CWD, Dir, Mode, OFlags, access, mkdir, open, unlinkat},
    io::Errno,
    mount::{MountFlags, MoveMountFlags, OpenTreeFlags, mount, move_mount, open_tree},
    process::getpid,
};

use crate::{errno::Reason, file, service};

const RUN: &CStr = c"/run";

/// What keeps an image from being booted.
pub(crate) enum Error {
    NotPid1,
    Mount(Errno),
    Clear(Errno),
    OtherSystem,
    ControlGroups,
    Prepare(&'static str, Errno),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPid1 => f.write_str(
                "it must be PID 1 of the container, and it is not: take hostPID or \
                 shareProcessNamespace out of the pod",
            ),
            Self::Mount(errno) => write!(
                f,
                "/run cannot be mounted ({}): give the container a volume there (emptyDir, \
                 medium Memory), or privileged",
                Reason(*errno)
            ),
            Self::Clear(errno) => write!(f, "/run cannot be emptied: {}", Reason(*errno)),
            Self::OtherSystem => f.write_str(
                "/run belongs to another running system: give the container an emptyDir there, \
                 not the host's",
            ),
            Self::ControlGroups => f.write_str(
                "it must be allowed to make control groups, and /sys/fs/cgroup is read-only: let \
                 the container be privileged (rich.pouch/privileged)",
            ),
            Self::Prepare(what, errno) => {
                write!(f, "{what} cannot be written: {}", Reason(*errno))
            }
        }
    }
}

/// Makes `/run` as empty as after a boot. Before the initscript, so that what that puts there
/// stays.
pub(super) fn prepare() -> Result<(), Error> {
    if getpid().as_raw_nonzero().get() != 1 {
        return Err(Error::NotPid1);
    }
    let mounts = mount_points();
    if !mounts.iter().any(|point| point.as_c_str() == RUN) {
        make_folder(RUN).map_err(Error::Mount)?;
        mount_run(&mounts).map_err(Error::Mount)?;
    } else if access(service::FOLDER, Access::EXISTS).is_ok() {
        // An emptyDir outlives the container, and with it what the last start has left.
        clear(RUN, &mounts).map_err(Error::Clear)?;
    } else if access("/run/systemd/system", Access::EXISTS).is_ok() {
        return Err(Error::OtherSystem);
    }
    let folder = CString::new(service::FOLDER).unwrap_or_default();
    make_folder(&folder).map_err(|errno| Error::Prepare(service::FOLDER, errno))
}

/// Says before systemd does, whose words nobody would see, that it cannot work here.
pub(super) fn check_control_groups() -> Result<(), Error> {
    // That of version 2, and the two of a machine that has both.
    let hierarchies = ["", "systemd/", "unified/"]
        .map(|folder| alloc::format!("/sys/fs/cgroup/{folder}cgroup.procs"));
    let may = |access_to| hierarchies.iter().any(|path| access(path.as_str(), access_to).is_ok());
    // Where there is none it may be able to mount them.
    if may(Access::EXISTS) && !may(Access::WRITE_OK) {
        return Err(Error::ControlGroups);
    }
    Ok(())
}

/// Makes a folder where there is none.
pub(super) fn make_folder(path: &CStr) -> Result<(), Errno> {
    match mkdir(path, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Mounts a new file system at `/run` and keeps what is mounted below it, such as the token of
/// the pod's ServiceAccount.
fn mount_run(mounts: &[CString]) -> Result<(), Errno> {
    let clone = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let below = mounts.iter().filter(|point| is_below(point, RUN));
    let kept: Vec<_> = below
        .filter_map(|point| open_tree(CWD, point.as_c_str(), clone).ok().map(|tree| (point, tree)))
        .collect();
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount(c"tmpfs", RUN, c"tmpfs", flags, c"mode=755,size=20%")?;
    for (point, tree) in kept {
        make_parents(point)?;
        make_folder(point)?;
        move_mount(&tree, c"", CWD, point.as_c_str(), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    }
    Ok(())
}

fn make_parents(path: &CStr) -> Result<(), Errno> {
    let bytes = path.to_bytes();
    let slashes = bytes.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/');
    for (at, _) in slashes {
        make_folder(&CString::new(&bytes[..at]).map_err(|_| Errno::INVAL)?)?;
    }
    Ok(())
}

/// Removes everything in a folder that is not mounted there.
fn clear(folder: &CStr, mounts: &[CString]) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for entry in Dir::read_from(open(folder, flags, Mode::empty())?)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        let path = [folder.to_bytes(), name].join(&b'/');
        let path = CString::new(path).map_err(|_| Errno::INVAL)?;
        if mounts.contains(&path) {
            continue;
        }
        match unlinkat(CWD, &*path, AtFlags::empty()) {
            Err(Errno::ISDIR) => {
                clear(&path, mounts)?;
                if !mounts.iter().any(|point| is_below(point, &path)) {
                    unlinkat(CWD, &*path, AtFlags::REMOVEDIR)?;
                }
            }
            outcome => outcome?,
        }
    }
    Ok(())
}

fn is_below(path: &CStr, folder: &CStr) -> bool {
    let rest = path.to_bytes().strip_prefix(folder.to_bytes());
    rest.is_some_and(|rest| rest.starts_with(b"/"))
}

/// Where something is mounted: the fifth word of each line of `/proc/self/mountinfo`, proc(5).
fn mount_points() -> Vec<CString> {
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
    fn only_what_is_in_a_folder_is_below_it() {
        assert!(is_below(c"/run/secrets", c"/run"));
        assert!(!is_below(c"/running", c"/run"));
        assert!(!is_below(c"/run", c"/run"));
    }

    #[test]
    fn a_folder_is_cleared_but_for_what_is_mounted_in_it() {
        let folder = std::env::temp_dir().join(format!("rich-clear-{}", std::process::id()));
        for name in ["stale/deep", "kept/mounted", "mounted"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
            std::fs::write(folder.join(name).join("file"), "").unwrap();
        }
        std::os::unix::fs::symlink("/", folder.join("link")).unwrap();
        let path = |name: &str| {
            CString::new(folder.join(name).into_os_string().into_encoded_bytes()).unwrap()
        };
        let root = CString::new(folder.clone().into_os_string().into_encoded_bytes()).unwrap();
        clear(&root, &[path("kept/mounted"), path("mounted")]).unwrap();
        assert!(folder.join("kept/mounted/file").exists() && folder.join("mounted/file").exists());
        assert!(!folder.join("stale").exists() && !folder.join("link").is_symlink());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
