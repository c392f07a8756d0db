//! The kernel's error numbers as words.

use core::fmt;

use rustix::io::Errno;

/// Why a system call failed, in the words of errno(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reason(pub(crate) Errno);

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self.0 {
            Errno::PERM => "Operation not permitted",
            Errno::NOENT => "No such file or directory",
            Errno::SRCH => "No such process",
            Errno::IO => "Input/output error",
            Errno::TOOBIG => "Argument list too long",
            Errno::NOEXEC => "Exec format error",
            Errno::BADF => "Bad file descriptor",
            Errno::AGAIN => "Resource temporarily unavailable",
            Errno::NOMEM => "Cannot allocate memory",
            Errno::ACCESS => "Permission denied",
            Errno::BUSY => "Device or resource busy",
            Errno::EXIST => "File exists",
            Errno::NOTDIR => "Not a directory",
            Errno::ISDIR => "Is a directory",
            Errno::INVAL => "Invalid argument",
            Errno::MFILE => "Too many open files",
            Errno::NOTTY => "Inappropriate ioctl for device",
            Errno::TXTBSY => "Text file busy",
            Errno::FBIG => "File too large",
            Errno::NOSPC => "No space left on device",
            Errno::ROFS => "Read-only file system",
            Errno::PIPE => "Broken pipe",
            Errno::NAMETOOLONG => "File name too long",
            Errno::NOSYS => "Function not implemented",
            Errno::LOOP => "Too many levels of symbolic links",
            Errno::DQUOT => "Disk quota exceeded",
            other => return write!(f, "error {}", other.raw_os_error()),
        };
        f.write_str(words)
    }
}
