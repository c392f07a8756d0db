//! Scripts that were saved on Windows.
//!
//! The kernel looks for an interpreter whose name ends with a carriage return, and the shell would
//! stumble over every further line. What the user wants is plain, so a copy without them is run.

use alloc::{ffi::CString, format, vec::Vec};
use core::ffi::CStr;

use rustix::{
    fd::AsRawFd,
    fs::{MemfdFlags, memfd_create},
    io::Errno,
};

use crate::{exec, file, say, sys};

/// Whether the file is a script whose first line ends as lines do on Windows.
pub(super) fn is_crlf(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.len() < head.len() && line.ends_with(b"\r") && !head.contains(&0)
}

/// Becomes the interpreter of a copy with Unix line ends. Comes back only with why not.
pub(super) fn exec(path: &CStr, args: &[&CStr], env: &[&CStr]) -> Errno {
    match copy_and_exec(path, args, env) {
        Ok(never) => match never {},
        Err(errno) => errno,
    }
}

enum Never {}

fn copy_and_exec(path: &CStr, args: &[&CStr], env: &[&CStr]) -> Result<Never, Errno> {
    let text = without_carriage_returns(&file::read(path, usize::MAX)?);
    // The interpreter opens it by its number, so it must stay open.
    let copy = memfd_create(c"initscript", MemfdFlags::empty())?;
    file::write_all(&copy, &text)?;
    let copied = CString::new(format!("/proc/self/fd/{}", copy.as_raw_fd()));
    let copied = copied.map_err(|_| Errno::INVAL)?;

    let first_line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let interpreter = exec::interpreter(first_line).unwrap_or(b"/bin/sh");
    let interpreter = CString::new(interpreter).map_err(|_| Errno::INVAL)?;
    // All that follows the interpreter is one argument, execve(2).
    let argument = first_line
        .strip_prefix(b"#!")
        .map(|line| &line.trim_ascii()[interpreter.as_bytes().len()..])
        .map(<[u8]>::trim_ascii)
        .filter(|argument| !argument.is_empty());
    let argument = argument.map(CString::new).transpose().map_err(|_| Errno::INVAL)?;

    let mut words = Vec::from([interpreter.as_c_str()]);
    words.extend(argument.as_deref());
    words.push(&copied);
    words.extend(args.iter().skip(1));
    say!("rich: {} has Windows line ends: a copy without them is run", path.to_string_lossy());
    Err(sys::execve(&interpreter, &words, env))
}

fn without_carriage_returns(text: &[u8]) -> Vec<u8> {
    let next = text.iter().skip(1).map(Some).chain([None]);
    let pairs = text.iter().zip(next);
    let kept = pairs.filter(|(byte, next)| !(**byte == b'\r' && *next == Some(&b'\n')));
    kept.map(|(byte, _)| *byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_text_whose_first_line_ends_so_is_one() {
        assert!(is_crlf(b"#!/bin/sh\r\necho\r\n"));
        assert!(is_crlf(b"echo\r\n"));
        assert!(!is_crlf(b"#!/bin/sh\necho\r\n"));
        assert!(!is_crlf(b"#!/bin/sh\r"));
        assert!(!is_crlf(b"\x7fELF\0\r\n"));
        assert!(!is_crlf(b""));
    }

    #[test]
    fn only_carriage_returns_at_line_ends_go() {
        assert_eq!(without_carriage_returns(b"a\r\nb\rc\r\n\r"), b"a\nb\rc\n\r");
    }
}
