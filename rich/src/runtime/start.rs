//! The entry point that the kernel jumps to, and the reading of what it left on the stack.

use alloc::vec::Vec;
use core::{
    arch::global_asm,
    ffi::{CStr, c_char},
};

// At entry the stack pointer points at argc (System V ABI, "Initial Stack and Register State";
// the same layout on both architectures). The stack is aligned as a call expects it and the frame
// pointer cleared, so that a debugger's backtrace ends here.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {begin}",
    "ud2",
    begin = sym begin,
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, #0",
    "mov x30, #0",
    "mov x0, sp",
    "and x9, x0, #-16",
    "mov sp, x9",
    "bl {begin}",
    "brk #1",
    begin = sym begin,
);

unsafe extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: the kernel put argc, argv, NULL, envp, NULL there and they live as long as we do.
    let (args, env) = unsafe {
        let count = *stack;
        let argv = stack.add(1).cast::<*const c_char>();
        (strings(argv), strings(argv.add(count + 1)))
    };
    rich::sys::open_missing();
    rich::sys::exit(rich::start(&args, &env));
}

/// The strings of an array of pointers that ends with NULL.
///
/// # Safety
///
/// `array` must be such an array, and it and its strings must never go away.
unsafe fn strings(array: *const *const c_char) -> Vec<&'static CStr> {
    let mut strings = Vec::new();
    // SAFETY: what the caller promises.
    unsafe {
        while !(*array.add(strings.len())).is_null() {
            strings.push(CStr::from_ptr(*array.add(strings.len())));
        }
    }
    strings
}
