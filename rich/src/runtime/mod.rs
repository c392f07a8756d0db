//! What a program without a C library must bring itself: where it begins, its heap, the memory
//! functions that the compiler calls, and what a panic does.

#![allow(unsafe_code)]

mod heap;
mod mem;
mod panic;
mod start;
