//! Links the program without the C library, its start files and its loader.
//!
//! Only for binaries: the tests are ordinary programs with `std`.

use std::env;

fn main() {
    let mut arguments = vec!["-nostartfiles", "-nostdlib", "-static", "-no-pie"];
    if env::var("PROFILE").as_deref() == Ok("release") {
        // Cargo's own `strip` is weaker for a package that has a profile of its own.
        arguments.push("-Wl,--strip-all");
    }
    for argument in arguments {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
