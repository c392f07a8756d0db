//! Whole files.

use alloc::{ffi::CString, format, vec::Vec};
use core::ffi::CStr;

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, FileType, Mode, OFlags, fchmod, fstat, open, openat, renameat, unlinkat},
    io::{Errno, read as read_some, retry_on_intr, write as write_some},
    process::getpid,
};

/// Reads a file, at most its first `limit` bytes. What is no file, such as a pipe or a device that
/// an image has in its place, is not read: it may have no end.
pub(crate) fn read(path: &CStr, limit: usize) -> Result<Vec<u8>, Errno> {
    // Opening a pipe would wait for a writer.
    let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?;
    match FileType::from_raw_mode(fstat(&file)?.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(Errno::ISDIR),
        _ => return Err(Errno::INVAL),
    }
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    while all.len() < limit {
        let count = retry_on_intr(|| read_some(&file, &mut buffer))?;
        match buffer.get(..count) {
            Some(part @ [_, ..]) => all.extend_from_slice(part),
            _ => break,
        }
    }
    all.truncate(limit);
    Ok(all)
}

/// Writes all of it.
pub(crate) fn write_all(file: impl AsFd, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match retry_on_intr(|| write_some(&file, bytes))? {
            0 => return Err(Errno::IO),
            count => bytes = bytes.get(count..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// Writes into a file that is there already, from its beginning.
pub(crate) fn overwrite(path: &CStr, bytes: &[u8]) -> Result<(), Errno> {
    // A pipe in its place would hold us up for as long as nobody reads.
    let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NONBLOCK | OFlags::NOCTTY;
    write_all(open(path, flags | OFlags::CLOEXEC, Mode::empty())?, bytes)
}

/// Opens a folder.
pub(crate) fn open_folder(path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(path, flags, Mode::empty())
}

/// Puts a file at `folder`/`name` in one step; what was there is replaced.
pub(crate) fn replace(folder: &str, name: &str, mode: u32, bytes: &[u8]) -> Result<(), Errno> {
    replace_in(open_folder(folder, OFlags::empty())?, name, mode, bytes)
}

/// The same in an open folder. Nobody whom `mode` keeps out can read the file at any moment.
pub(crate) fn replace_in(
    folder: impl AsFd,
    name: &str,
    mode: u32,
    bytes: &[u8],
) -> Result<(), Errno> {
    // Hidden and without its ending, so that nobody takes it for one that counts, and of this
    // process alone: several of ours may keep the exit code at once.
    let temporary = format!(".{name}.{}.new", getpid().as_raw_nonzero());
    let temporary = CString::new(temporary).map_err(|_| Errno::INVAL)?;
    let remove = || unlinkat(&folder, &*temporary, AtFlags::empty());
    match remove() {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    let mode = Mode::from_raw_mode(mode);
    // Never one that was there: a process that has it open would read along, and it may be a pipe
    // or a link to elsewhere.
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(&folder, &*temporary, flags, mode)?;
    // Once more, because the umask has taken from it.
    fchmod(&file, mode)
        .and_then(|()| write_all(&file, bytes))
        .and_then(|()| renameat(&folder, &*temporary, &folder, name))
        .inspect_err(|_| {
            let _ = remove();
        })
}
