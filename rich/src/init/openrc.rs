//! OpenRC, which starts and stops the services for an init that is not its own.

use rustix::fs::{Access, access};

/// What stops the services in their order, openrc(8).
const STOP: [&str; 2] = ["/sbin/openrc", "shutdown"];

/// Whether the image has it.
pub(super) fn is_there() -> bool {
    access(STOP[0], Access::EXEC_OK).is_ok()
}

/// The command that stops the services, if the image has OpenRC.
pub(super) fn stop_command() -> Option<[&'static str; 2]> {
    is_there().then_some(STOP)
}
