//! `rich install`: puts the program into a folder that containers mount.
//!
//! Works as any user that may write there, with a read-only root, and as often as it is run: each
//! file appears under its name in one step (rename(2)), so whoever runs the old one is not hurt.

use alloc::{ffi::CString, format};
use core::{ffi::CStr, fmt};

use rustix::{
    fd::OwnedFd,
    fs::{AtFlags, Mode, OFlags, fchmod, open, openat, renameat, symlinkat, unlinkat},
    io::{Errno, read, retry_on_intr},
    process::getpid,
    time::{ClockId, clock_gettime},
};

use crate::{
    Strings,
    cli::{USAGE, print, unknown},
    errno::Reason,
    file::write_all,
    say,
};

const HELP: &str = "\
Usage: rich install DIR

Puts this program into DIR as rich, and dumb-init as a link to it. DIR must be there.";

/// The program, as the kernel knows it, however it was called.
const MYSELF: &CStr = c"/proc/self/exe";

/// What stands between us and an installed program.
#[derive(Debug)]
struct Error {
    step: Step,
    errno: Errno,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    OpenFolder,
    ReadMyself,
    Create,
    Write,
    Rename,
    Link,
}

impl Step {
    fn because(self, errno: Errno) -> Error {
        Error { step: self, errno }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.step {
            Step::OpenFolder => "the folder cannot be opened",
            Step::ReadMyself => "/proc/self/exe cannot be read",
            Step::Create => "no file can be made in the folder",
            Step::Write => "the program cannot be written",
            Step::Rename => "the program cannot be renamed into place",
            Step::Link => "the link dumb-init cannot be made",
        };
        write!(f, "{what}: {}", Reason(self.errno))?;
        f.write_str(match self.errno {
            Errno::NOENT | Errno::NOTDIR => "; give a folder that exists, such as a mounted volume",
            Errno::ACCESS | Errno::PERM => {
                "; the user of this container must be allowed to write there (fsGroup, runAsUser)"
            }
            Errno::ROFS => "; mount it without readOnly",
            Errno::NOSPC | Errno::DQUOT => "; give the volume a larger sizeLimit",
            _ => "",
        })
    }
}

/// Runs the command.
pub(crate) fn main(args: Strings) -> u8 {
    let folder = match args {
        [folder] if folder.to_bytes() == b"--help" => return print(HELP),
        [flag, ..] if flag.to_bytes().starts_with(b"-") => return unknown("rich install", flag),
        [folder] => folder,
        [] => {
            say!("rich install: a folder is missing: see rich install --help");
            return USAGE;
        }
        [_, more, ..] => return unknown("rich install", more),
    };
    match install(folder) {
        Ok(()) => 0,
        Err(error) => {
            say!("rich install: {}: {error}", folder.to_string_lossy());
            1
        }
    }
}

fn install(folder: &CStr) -> Result<(), Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = open(folder, flags, Mode::empty()).map_err(|e| Step::OpenFolder.because(e))?;
    let myself = open(MYSELF, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| Step::ReadMyself.because(e))?;

    let temporary = temporary("rich");
    let placed = copy(&myself, &folder, &temporary).and_then(|()| {
        renameat(&folder, &temporary, &folder, "rich").map_err(|e| Step::Rename.because(e))
    });
    placed.inspect_err(|_| remove(&folder, &temporary))?;

    let temporary = self::temporary("dumb-init");
    symlinkat("rich", &folder, &temporary)
        .and_then(|()| renameat(&folder, &temporary, &folder, "dumb-init"))
        .map_err(|e| Step::Link.because(e))
        .inspect_err(|_| remove(&folder, &temporary))
}

/// A name that no other installer uses at the same time.
fn temporary(name: &str) -> CString {
    let pid = getpid().as_raw_nonzero();
    let now = clock_gettime(ClockId::Realtime);
    let name = format!(".{name}.{pid}.{}.{}", now.tv_sec, now.tv_nsec);
    CString::new(name).unwrap_or_default()
}

fn copy(from: &OwnedFd, folder: &OwnedFd, name: &CStr) -> Result<(), Error> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o755);
    let to = openat(folder, name, flags, mode).map_err(|e| Step::Create.because(e))?;
    let mut buffer = [0; 16 * 1024];
    loop {
        let count =
            retry_on_intr(|| read(from, &mut buffer)).map_err(|e| Step::ReadMyself.because(e))?;
        match buffer.get(..count) {
            Some(part @ [_, ..]) => write_all(&to, part).map_err(|e| Step::Write.because(e))?,
            _ => break,
        }
    }
    // Once more, because the umask has taken from it.
    fchmod(&to, mode).map_err(|e| Step::Write.because(e))
}

fn remove(folder: &OwnedFd, name: &CStr) {
    // What is left there hurts nobody, and the error that brought us here is the one to tell.
    let _ = unlinkat(folder, name, AtFlags::empty());
}
