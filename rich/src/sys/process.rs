//! fork, exec and exit without a C library.

use alloc::vec::Vec;
use core::{
    ffi::{CStr, c_char},
    ptr,
};

use linux_raw_sys::general::{__NR_clone, __NR_execve, __NR_exit_group, __NR_ioctl, SIGCHLD};
use rustix::{
    fd::{AsFd, AsRawFd},
    io::Errno,
    process::Pid,
};

use super::call::syscall;

/// On which side of [`fork`] we are.
pub(crate) enum Forked {
    /// In the child.
    Child,
    /// In the parent, with the child's id.
    Parent(Pid),
}

/// Makes a child with a copy of everything, clone(2) with SIGCHLD only.
///
/// Safe here because the program has one thread and no C library whose state could be torn.
pub(crate) fn fork() -> Result<Forked, Errno> {
    // SAFETY: flags only. Without a new stack the child goes on with a copy of ours; all
    // pointers that clone could write through are null and not asked for.
    let pid = unsafe { syscall(__NR_clone, [SIGCHLD as usize, 0, 0, 0, 0])? };
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    Ok(pid.map_or(Forked::Child, Forked::Parent))
}

/// Replaces the program, execve(2). Comes back only with the reason why not.
pub(crate) fn execve(path: &CStr, args: &[&CStr], env: &[&CStr]) -> Errno {
    let (args, env) = (pointers(args), pointers(env));
    let call = [path.as_ptr().addr(), args.as_ptr().addr(), env.as_ptr().addr(), 0, 0];
    // SAFETY: three NUL-terminated things that outlive the call; the kernel only reads them.
    match unsafe { syscall(__NR_execve, call) } {
        Err(errno) => errno,
        // execve has no successful return.
        Ok(_) => Errno::INVAL,
    }
}

/// Ends the process with this exit code, exit_group(2).
pub fn exit(code: u8) -> ! {
    loop {
        // SAFETY: a number only.
        let _ = unsafe { syscall(__NR_exit_group, [code.into(), 0, 0, 0, 0]) };
    }
}

/// Gives up the controlling terminal, `TIOCNOTTY` of `ioctl_tty(2)`.
pub(crate) fn detach_tty(terminal: impl AsFd) -> Result<(), Errno> {
    /// From the kernel's include/uapi/asm-generic/ioctls.h.
    const TIOCNOTTY: usize = 0x5422;
    let fd = terminal.as_fd().as_raw_fd();
    let fd = usize::try_from(fd).map_err(|_| Errno::BADF)?;
    // SAFETY: a descriptor and a request without argument.
    unsafe { syscall(__NR_ioctl, [fd, TIOCNOTTY, 0, 0, 0]).map(drop) }
}

fn pointers(strings: &[&CStr]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}
