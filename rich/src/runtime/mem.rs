//! The memory functions that compiled code calls and that a C library otherwise brings.
//!
//! A plain loop would be recognised as the very function it is in and become a call to itself,
//! hence string instructions on x86_64 and volatile accesses elsewhere. Nothing here is hot.

#[cfg(target_arch = "x86_64")]
use core::arch::asm;

/// memcpy(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller gives two areas of `count` bytes that do not overlap.
    unsafe { copy_forward(to, from, count) };
    to
}

/// memmove(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, count: usize) -> *mut u8 {
    // SAFETY: the caller gives two areas of `count` bytes. Where they overlap, the order of
    // the copy sees to it that no byte is overwritten before it is read.
    unsafe {
        if to.addr().wrapping_sub(from.addr()) >= count {
            copy_forward(to, from, count);
        } else {
            for index in (0..count).rev() {
                to.add(index).write_volatile(from.add(index).read_volatile());
            }
        }
    }
    to
}

/// memset(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, value: i32, count: usize) -> *mut u8 {
    let value = value.to_le_bytes()[0];
    // SAFETY: the caller gives an area of `count` bytes.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!(
            "rep stosb",
            inout("rcx") count => _,
            inout("rdi") to => _,
            in("al") value,
            options(nostack, preserves_flags),
        );
        #[cfg(not(target_arch = "x86_64"))]
        for index in 0..count {
            to.add(index).write_volatile(value);
        }
    }
    to
}

/// memcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    for index in 0..count {
        // SAFETY: the caller gives two areas of `count` bytes.
        let (left, right) =
            unsafe { (left.add(index).read_volatile(), right.add(index).read_volatile()) };
        if left != right {
            return i32::from(left) - i32::from(right);
        }
    }
    0
}

/// bcmp(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, count: usize) -> i32 {
    // SAFETY: the caller gives two areas of `count` bytes.
    unsafe { memcmp(left, right, count) }
}

/// strlen(3).
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: the caller gives a string that ends with a NUL.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}

/// Copies byte by byte from the start.
///
/// # Safety
///
/// Both areas must have `count` bytes, and `to` must not begin within `from`.
unsafe fn copy_forward(to: *mut u8, from: *const u8, count: usize) {
    // SAFETY: what the caller promises.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        asm!(
            "rep movsb",
            inout("rcx") count => _,
            inout("rdi") to => _,
            inout("rsi") from => _,
            options(nostack, preserves_flags),
        );
        #[cfg(not(target_arch = "x86_64"))]
        for index in 0..count {
            to.add(index).write_volatile(from.add(index).read_volatile());
        }
    }
}
