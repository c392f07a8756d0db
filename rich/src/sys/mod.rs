//! The thin layer to the kernel: the only place with `unsafe`.
//!
//! The few system calls that rustix's stable interface lacks. Everything above it is safe Rust.

#![allow(unsafe_code)]

mod call;
mod process;
mod signal;
mod streams;

pub use process::exit;
pub(crate) use process::{Forked, detach_tty, execve, fork};
pub(crate) use signal::{
    Received, SignalFd, block_all, default_all, is_alone, kill, kill_all, kill_everybody,
    kill_group, number, unblock_all,
};
pub use streams::{open_missing, stderr};
pub(crate) use streams::{passed, stdin, stdout};
