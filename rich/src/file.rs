//! Whole files.

use alloc::{ffi::CString, vec::Vec};
use core::ffi::CStr;

use rustix::{
    fd::AsFd,
    fs::{Mode, OFlags, fchmod, open, rename, unlink},
    io::{Errno, read as read_some, retry_on_intr, write as write_some},
};

/// Reads a file, at most its first `limit` bytes.
pub(crate) fn read(path: &CStr, limit: usize) -> Result<Vec<u8>, Errno> {
    // A pipe or a terminal would hold us up.
    let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?;
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

/// Puts a file at `folder`/`name` in one step; what was there is replaced.
pub(crate) fn replace(folder: &str, name: &str, mode: u32, bytes: &[u8]) -> Result<(), Errno> {
    let path = |parts: &[&str]| CString::new(parts.concat()).map_err(|_| Errno::INVAL);
    // Hidden and without its ending, so that nobody takes it for one that counts.
    let temporary = path(&[folder, "/.", name, ".new"])?;
    let mode = Mode::from_raw_mode(mode);
    let flags =
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = open(&*temporary, flags, mode)?;
    fchmod(&file, mode)
        .and_then(|()| write_all(&file, bytes))
        .and_then(|()| rename(&*temporary, &*path(&[folder, "/", name])?))
        .inspect_err(|_| {
            let _ = unlink(&*temporary);
        })
}
