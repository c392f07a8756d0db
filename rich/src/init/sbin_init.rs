//! `/sbin/init` of the image, whichever it is.
//!
//! systemd is systemd under another name. Those that read `/etc/inittab` (System V's and
//! busybox's, also where OpenRC runs the services) get a line for the application.

use alloc::{format, string::String, vec::Vec};
use core::ffi::CStr;

use contract::Mode as RichMode;
use rustix::{
    fd::AsRawFd,
    fs::{Access, Mode, OFlags, access, open, readlink},
    io::Errno,
};

use super::{Error, beside_us, boot, systemd};
use crate::{
    Strings, base_name,
    exec::{check, explain, find},
    file,
    run::Request,
    service, sys,
};

const INIT: &CStr = c"/sbin/init";
const INITTAB: &CStr = c"/etc/inittab";
const MODE: RichMode = RichMode::SbinInit;

/// Becomes `/sbin/init`. Comes back only with why not.
pub(super) fn become_init(request: &Request, env: Strings) -> Error {
    if let Err(failure) = check(INIT) {
        return Error::Init { mode: MODE, failure };
    }
    if base_name(&real_path()) == b"systemd" {
        return systemd::boot(INIT, INIT, request, env);
    }
    let Some(init) = recognize() else {
        let what = "/sbin/init of the image is neither systemd nor busybox nor System V init, so \
                    how it would start the application is not known: set rich.pouch/mode to \
                    dumb-init";
        return Error::Missing { mode: MODE, what: what.into() };
    };
    let application = request.command.first().copied().unwrap_or_default();
    if let Err(failure) = find(application, env) {
        return Error::Application(failure);
    }
    let prepared = add_to_inittab(init)
        .map_err(|errno| boot::Error::Prepare("/etc/inittab", errno))
        .and_then(|()| {
            service::write(init, request, env)
                .map_err(|errno| boot::Error::Prepare(service::FOLDER, errno))
        });
    if let Err(error) = prepared {
        return Error::Boot { mode: MODE, error };
    }
    sys::unblock_all();
    let failure = explain(INIT, sys::execve(INIT, &[INIT], env));
    Error::Init { mode: MODE, failure }
}

/// Where the links of `/sbin/init` lead to.
fn real_path() -> Vec<u8> {
    open(INIT, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .and_then(|file| readlink(format!("/proc/self/fd/{}", file.as_raw_fd()), []))
        .map(alloc::ffi::CString::into_bytes)
        .unwrap_or_default()
}

/// Tells the inits apart by what is written in them: busybox its name, System V init the pipe
/// that it listens on (initctl).
fn recognize() -> Option<service::Init> {
    let program = file::read(INIT, usize::MAX).ok()?;
    let holds = |text: &[u8]| program.windows(text.len()).any(|window| window == text);
    if holds(b"BusyBox") {
        Some(service::Init::Busybox)
    } else if holds(b"/run/initctl") || holds(b"/dev/initctl") {
        Some(service::Init::Sysv)
    } else {
        None
    }
}

fn add_to_inittab(init: service::Init) -> Result<(), Errno> {
    let old = match file::read(INITTAB, usize::MAX) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        // What busybox does without the file, but for the shells on terminals.
        Err(Errno::NOENT) if access("/etc/init.d/rcS", Access::EXEC_OK).is_ok() => {
            "::sysinit:/etc/init.d/rcS\n".into()
        }
        Err(Errno::NOENT) => String::new(),
        Err(errno) => return Err(errno),
    };
    let program = beside_us(c"rich");
    let program = program.to_str().map_err(|_| Errno::INVAL)?;
    file::replace("/etc", "inittab", 0o644, inittab(&old, program, init).as_bytes())
}

/// The image's lines but for those that need a terminal, and ours.
fn inittab(old: &str, program: &str, init: service::Init) -> String {
    let mut new = String::new();
    for line in old.lines() {
        let mut words = line.split(':');
        let action = words.nth(2).unwrap_or_default();
        let terminal = action == "askfirst" || line.contains("getty") || line.contains("sulogin");
        let ours = line.contains(program) || action == "restart";
        if line.starts_with('#') || !(terminal || ours) {
            new.push_str(line);
            new.push('\n');
        }
    }
    let (once, restart) = match init {
        // SIGQUIT makes it become what its restart line says.
        service::Init::Busybox => ("::once:", Some("::restart:")),
        _ => ("rich:2345:once:", None),
    };
    new.extend([once, program, " supervise\n"]);
    if let Some(restart) = restart {
        new.extend([restart, program, " exit\n"]);
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_images_lines_stay_but_for_terminals_and_our_own() {
        let old = "# a getty\n::sysinit:/sbin/openrc sysinit\ntty1::respawn:/sbin/getty tty1\n\
                   ::restart:/sbin/init\n::askfirst:/bin/sh\n::once:/r/rich supervise\n";
        let new = inittab(old, "/r/rich", service::Init::Busybox);
        let kept = "# a getty\n::sysinit:/sbin/openrc sysinit\n::once:/r/rich supervise\n\
                    ::restart:/r/rich exit\n";
        assert_eq!(new, kept);
        assert_eq!(inittab(&new, "/r/rich", service::Init::Busybox), kept);
        assert_eq!(inittab("", "/r", service::Init::Sysv), "rich:2345:once:/r supervise\n");
    }
}
