//! System calls by number, one instruction per architecture.
//!
//! Registers: syscall(2), "Architecture calling conventions".

use core::arch::asm;

use rustix::io::Errno;

/// Calls the kernel with up to five arguments; unused ones are 0.
///
/// # Safety
///
/// The arguments must be what the system call `number` expects, pointers included.
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn syscall(number: u32, args: [usize; 5]) -> Result<usize, Errno> {
    let result: isize;
    // SAFETY: the caller answers for number and arguments; the kernel changes rax, rcx and r11.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as usize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    outcome(result)
}

/// Calls the kernel with up to five arguments; unused ones are 0.
///
/// # Safety
///
/// The arguments must be what the system call `number` expects, pointers included.
#[cfg(target_arch = "aarch64")]
pub(super) unsafe fn syscall(number: u32, args: [usize; 5]) -> Result<usize, Errno> {
    let result: isize;
    // SAFETY: the caller answers for number and arguments; the kernel changes x0 only.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number as usize,
            inlateout("x0") args[0] => result,
            in("x1") args[1],
            in("x2") args[2],
            in("x3") args[3],
            in("x4") args[4],
            options(nostack),
        );
    }
    outcome(result)
}

/// The kernel answers an error as its negative number, -4095 to -1.
fn outcome(result: isize) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| {
        let number = i32::try_from(result.unsigned_abs()).unwrap_or(0);
        Errno::from_raw_os_error(number)
    })
}
