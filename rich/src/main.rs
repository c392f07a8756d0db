//! The binary: the library `rich`, and what a program without a C library must bring itself.

// Lints look at a test build of it, too, which has all that from `std`.
#![cfg_attr(not(test), no_std, no_main)]

#[cfg(not(test))]
extern crate alloc;

#[cfg(not(test))]
mod runtime;
