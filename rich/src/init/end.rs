//! Ending an init that is not systemd with the application's exit code.
//!
//! None of them has a way to end with a code of one's choice, but each can be made to become
//! another program: that is `rich exit`, which ends with it.

use core::ffi::CStr;

use rustix::{
    fs::{Mode, OFlags, open},
    io::Errno,
    mount::mount_bind,
    process::{Pid, Signal, kill_process},
};

use super::services;
use crate::{
    exec::beside_us,
    file::write_all,
    service::{Init, Spec},
};

const SYSV: &CStr = c"/sbin/init";

/// Makes PID 1 end.
pub(super) fn end() -> Result<(), Errno> {
    match Spec::read().map(|spec| spec.init) {
        Ok(Init::Sysv) => {
            services::stop();
            end_sysv()
        }
        // busybox ends every process and then becomes the restart line of its inittab.
        _ => Pid::from_raw(1).map_or(Ok(()), |init| kill_process(init, Signal::QUIT)),
    }
}

/// System V init executes itself anew when it is told to (`telinit u`), and what it then finds in
/// its place is us.
fn end_sysv() -> Result<(), Errno> {
    mount_bind(beside_us(c"rich"), SYSV)?;
    let request = reexec_request();
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let pipe = open("/run/initctl", flags, Mode::empty())
        .or_else(|_| open("/dev/initctl", flags, Mode::empty()))?;
    write_all(&pipe, &request)
}

/// `struct init_request` of initctl(5), 384 bytes: magic number, command "change the run level",
/// run level `U`.
fn reexec_request() -> [u8; 384] {
    let mut request = [0; 384];
    let fields = [0x0309_1969_i32, 1, i32::from(b'U')];
    for (place, field) in request.chunks_exact_mut(4).zip(fields) {
        place.copy_from_slice(&field.to_ne_bytes());
    }
    request
}
