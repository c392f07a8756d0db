//! System V init, with its own scripts or with OpenRC's.

use alloc::string::String;

use rustix::{
    fs::{Access, access},
    io::Errno,
};

use super::inittab;

/// Where distributions have the script that starts and stops the services of a run level.
const SCRIPTS: [&str; 2] = ["/etc/init.d/rc", "/etc/rc.d/rc"];

/// Lets it start the application once the services of its run level run.
pub(super) fn configure(program: &str) -> Result<(), Errno> {
    let old = inittab::read()?.unwrap_or_default();
    inittab::write(&with_ours(&old, program))
}

fn with_ours(old: &str, program: &str) -> String {
    let mut new = inittab::kept(old, program, |line| {
        // The run levels that end a machine: their scripts unmount, set the clock and switch off.
        let ends = !line.levels.is_empty() && line.levels.chars().all(|it| matches!(it, '0' | '6'));
        ends || line.id.starts_with("rich")
    });
    // Without it, it would ask for the run level on the console.
    let known = |level: &str| matches!(level, "2" | "3" | "4" | "5");
    if !inittab::has(&new, |line| line.action == "initdefault" && known(line.levels)) {
        new = inittab::kept(&new, program, |line| line.action == "initdefault");
        new.push_str("id:2:initdefault:\n");
    }
    // Whoever says halt or reboot in the container, stops the application.
    new.extend(["ric0:06:wait:", program, " stop\n"]);
    // In every run level, or a change of it would kill the application after five seconds.
    new.extend(["rich:0123456:respawn:", program, " supervise\n"]);
    new
}

/// What stops the services of the image in their order, if there is such a thing.
pub(super) fn stop_command() -> Option<[&'static str; 2]> {
    let script = SCRIPTS.into_iter().find(|path| access(*path, Access::EXEC_OK).is_ok())?;
    Some([script, "0"])
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "ric0:06:wait:/r/rich stop\nrich:0123456:respawn:/r/rich supervise\n";

    #[test]
    fn the_levels_that_end_a_machine_stop_the_application() {
        let old = "id:3:initdefault:\nl0:0:wait:/etc/init.d/rc 0\nl3:3:wait:/etc/init.d/rc 3\n\
                   z6:6:respawn:/sbin/sulogin\nsi::sysinit:/etc/init.d/rcS\n";
        let new = with_ours(old, "/r/rich");
        let kept = "id:3:initdefault:\nl3:3:wait:/etc/init.d/rc 3\nsi::sysinit:/etc/init.d/rcS\n";
        assert_eq!(new, [kept, OURS].concat());
        assert_eq!(with_ours(&new, "/r/rich"), new);
    }

    #[test]
    fn a_run_level_that_nobody_could_boot_into_is_replaced() {
        for old in ["", "id:6:initdefault:\n", "id::initdefault:\n"] {
            assert_eq!(with_ours(old, "/r/rich"), ["id:2:initdefault:\n", OURS].concat());
        }
    }
}
