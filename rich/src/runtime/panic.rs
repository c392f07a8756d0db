//! What happens when the program itself is wrong: one line and exit code 70 (`EX_SOFTWARE`).

use core::panic::PanicInfo;

use rich::{say, sys};

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    say!("rich: this is a bug, please report it: {info}");
    sys::exit(70);
}

// Unoptimized code keeps references to the unwinder, which `panic = "abort"` never calls.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[unsafe(no_mangle)]
extern "C" fn _Unwind_Resume() -> ! {
    sys::exit(70);
}
