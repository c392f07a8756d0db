//! busybox's init.

use alloc::{format, string::String};

use rustix::{
    fs::{Access, access},
    io::Errno,
};

use super::inittab::{self, Line};

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
    let kept = inittab::kept(old, program, |line| line.action == "restart" || is_console(line));
    let mut new: String = kept.lines().map(without_terminal).collect();
    // SIGQUIT makes it become what its restart line says.
    new.extend(["::respawn:", program, " supervise\n::restart:", program, " exit\n"]);
    new
}

/// Whether it is a shell that somebody at a terminal is to use.
fn is_console(line: &Line) -> bool {
    let shell = matches!(line.program(), "ash" | "bash" | "login" | "sh");
    line.action == "respawn" && shell && !line.id.is_empty()
}

/// The line without the terminal that it names: it does not run where that is not there.
fn without_terminal(text: &str) -> String {
    match Line::read(text) {
        Some(line) if !matches!(line.id, "" | "null") => {
            format!("::{}:{}\n", line.action, line.process)
        }
        _ => format!("{text}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_lines_stand_at_the_end_once_whatever_was_there_before() {
        let old = "::sysinit:/etc/init.d/rcS\nconsole::respawn:-/bin/sh\n::restart:/sbin/init\n\
                   null::once:/bin/a\nconsole::respawn:/bin/b :\n# console::once:/bin/c\n";
        let new = with_ours(old, "/r/rich");
        let expected = "::sysinit:/etc/init.d/rcS\nnull::once:/bin/a\n::respawn:/bin/b :\n\
                        # console::once:/bin/c\n::respawn:/r/rich supervise\n\
                        ::restart:/r/rich exit\n";
        assert_eq!(new, expected);
        assert_eq!(with_ours(&new, "/r/rich"), expected);
    }
}
