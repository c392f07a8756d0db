//! busybox's init.

use alloc::string::String;

use rustix::{
    fs::{Access, access},
    io::Errno,
};

use super::inittab;

/// What it does where the image has no inittab, but for the shells on terminals.
const DEFAULT: &str = "::sysinit:/etc/init.d/rcS\n";

/// Lets it start the application.
pub(super) fn configure(program: &str) -> Result<(), Errno> {
    let old = inittab::read()?.unwrap_or_else(|| {
        let boots = access("/etc/init.d/rcS", Access::EXEC_OK).is_ok();
        if boots { DEFAULT.into() } else { String::new() }
    });
    inittab::write(&with_ours(&old, program))
}

fn with_ours(old: &str, program: &str) -> String {
    let mut new = inittab::kept(old, program, |line| {
        // What it shows on a terminal of its own cannot be seen.
        let on_terminal = line.action == "respawn" && !matches!(line.id, "" | "null");
        on_terminal || line.action == "restart"
    });
    // SIGQUIT makes it become what its restart line says.
    new.extend(["::once:", program, " supervise\n::restart:", program, " exit\n"]);
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_lines_stand_at_the_end_once_whatever_was_there_before() {
        let old = "::sysinit:/etc/init.d/rcS\nconsole::respawn:-/bin/sh\n::restart:/sbin/init\n";
        let new = with_ours(old, "/r/rich");
        let expected = "::sysinit:/etc/init.d/rcS\n::once:/r/rich supervise\n\
                        ::restart:/r/rich exit\n";
        assert_eq!(new, expected);
        assert_eq!(with_ours(&new, "/r/rich"), expected);
    }
}
