//! What an init that boots an image expects of a machine: to be PID 1, and an empty `/run`.

use alloc::{ffi::CString, string::String, vec::Vec};
use core::{ffi::CStr, fmt};

use rustix::{
    fd::OwnedFd,
    fs::{
        Access, AtFlags, CWD, Dir, Mode, OFlags, access, fchmod, fchown, lstat, mkdir, open,
        openat, unlinkat,
    },
    io::Errno,
    mount::{MountFlags, MoveMountFlags, OpenTreeFlags, mount, move_mount, open_tree},
    process::{Gid, Uid, getpid},
};

use crate::{
    errno::Reason,
    mounts::{self, MountId},
    service,
};

const RUN: &CStr = c"/run";
/// How a folder is opened that must not be a link to one.
const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// How many folders deep `/run` is emptied: as many descriptors are open at once.
const DEEPEST: usize = 512;

/// What keeps an image from being booted.
pub(crate) enum Error {
    NotPid1,
    Mount(Errno),
    Clear(Errno),
    OtherSystem,
    ControlGroups,
    Rival(String),
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
            Self::Rival(path) => write!(
                f,
                "{path} of the image would change the unit that starts the application, or \
                 replace it: take it out of the image"
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
    let mounts = mounts::points();
    if !mounts.iter().any(|point| point.as_c_str() == RUN) {
        mount_run(&mounts).map_err(Error::Mount)?;
    } else if lstat(service::FOLDER).is_ok() {
        // An emptyDir outlives the container, and with it what the last start has left.
        clear_run().map_err(Error::Clear)?;
    } else if access("/run/systemd/system", Access::EXISTS).is_ok() {
        return Err(Error::OtherSystem);
    }
    close_run().map_err(|errno| Error::Prepare("/run", errno))?;
    let folder = CString::new(service::FOLDER).unwrap_or_default();
    make_folder(&folder).map_err(|errno| Error::Prepare(service::FOLDER, errno))
}

fn clear_run() -> Result<(), Errno> {
    let run = open(RUN, FOLDER, Mode::empty())?;
    let mount = MountId::of(&run)?;
    clear(run, mount, DEEPEST)
}

/// Lets nobody but root put something into `/run`: in an emptyDir everybody may, and could put
/// another folder in the place of ours.
fn close_run() -> Result<(), Errno> {
    let run = open(RUN, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    fchown(&run, Some(Uid::ROOT), Some(Gid::ROOT))?;
    fchmod(&run, Mode::from_raw_mode(0o755))
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

/// Makes a folder where there is none. A link to one is none: what is written there would land
/// elsewhere.
pub(super) fn make_folder(path: &CStr) -> Result<(), Errno> {
    match mkdir(path, Mode::from_raw_mode(0o755)) {
        Err(Errno::EXIST) => open(path, FOLDER, Mode::empty()).map(drop),
        outcome => outcome,
    }
}

/// Mounts a new file system at `/run` and keeps what is mounted below it, such as the token of
/// the pod's ServiceAccount.
fn mount_run(mounts: &[CString]) -> Result<(), Errno> {
    let clone = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    match mkdir(RUN, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
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

/// Removes everything in a folder but what is mounted there. It goes by open folders, so that
/// nobody can put a link in its way, and into no other mount.
fn clear(folder: OwnedFd, mount: MountId, depth: usize) -> Result<(), Errno> {
    let depth = depth.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
    let mut entries = Dir::new(folder)?;
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let folder = entries.fd()?;
        match unlinkat(folder, name, AtFlags::empty()) {
            Err(Errno::ISDIR) => {}
            outcome => {
                removed(outcome)?;
                continue;
            }
        }
        let below = openat(folder, name, FOLDER, Mode::empty())?;
        if MountId::of(&below)? == mount {
            clear(below, mount, depth)?;
            removed(unlinkat(folder, name, AtFlags::REMOVEDIR))?;
        }
    }
    Ok(())
}

/// What stays is a mount, or holds one, unlink(2) and rmdir(2).
fn removed(outcome: Result<(), Errno>) -> Result<(), Errno> {
    match outcome {
        Err(Errno::BUSY | Errno::NOTEMPTY | Errno::NOENT) => Ok(()),
        outcome => outcome,
    }
}

fn is_below(path: &CStr, folder: &CStr) -> bool {
    let rest = path.to_bytes().strip_prefix(folder.to_bytes());
    rest.is_some_and(|rest| rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_a_folder_is_below_it() {
        assert!(is_below(c"/run/secrets", c"/run"));
        assert!(!is_below(c"/running", c"/run"));
        assert!(!is_below(c"/run", c"/run"));
    }
}
