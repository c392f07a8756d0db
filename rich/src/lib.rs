//! The program in a rich container.
//!
//! One small static file, called `rich` and, through a link beside it, `dumb-init`: the name it
//! is called by decides. It uses no C library, so it runs on any Linux image, even an empty one
//! with a read-only root, and it is written for PID 1: one thread, no signal handlers (signals
//! are blocked and read one by one), no allocation once it waits, `unsafe` only in [`sys`].
//!
//! | module | subject |
//! |---|---|
//! | `cli` | the commands |
//! | `request` | what `rich run` is asked for |
//! | `install` | puts the program into a folder |
//! | `run` | what happens before the init is PID 1: environment, initscript |
//! | `init` | the inits that it can become, one file each |
//! | `dumb_init` | the drop-in for Yelp's dumb-init |
//! | `service` | the application as a service of the image's own init |
//! | [`sys`] | the kernel |
//!
//! A new init system is one file in `init`. What a program without a C library must bring itself
//! is in the binary, `runtime`. README.md lists flags, exit codes and files.

#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod cli;
mod container;
mod dumb_init;
mod env;
mod errno;
mod exec;
mod file;
mod init;
mod install;
mod mounts;
mod poststop;
mod request;
mod run;
pub mod say;
mod service;
pub mod sys;

use core::ffi::CStr;

/// What a process is started with; the kernel keeps it in place as long as the process lives.
pub type Strings<'a> = &'a [&'static CStr];

/// Runs the program that `args[0]` names and gives its exit code.
#[must_use]
pub fn start(args: Strings, env: Strings) -> u8 {
    let name = args.first().map_or(&b"rich"[..], |name| base_name(name.to_bytes()));
    let args = args.get(1..).unwrap_or_default();
    match (name, args) {
        (b"dumb-init", _) => dumb_init::main(args, env),
        // System V init has become us: see init/end.rs.
        (b"init", [flag]) if flag.to_bytes() == b"--init" => service::exit(env),
        _ => cli::main(args, env),
    }
}

/// What follows the last slash of a path.
fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}
