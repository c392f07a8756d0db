//! `/sbin/init` of the image, whichever it is.
//!
//! systemd is systemd under another name. Those that read `/etc/inittab` (System V's and
//! busybox's, also where OpenRC runs the services) get a line for the application, and lose what
//! would change the node.

use alloc::{format, vec::Vec};
use core::ffi::CStr;

use contract::Mode as RichMode;
use rustix::{
    fd::AsRawFd,
    fs::{Mode, OFlags, fchmod, open, readlink},
    io::Errno,
};

use super::{Error, boot, boot_scripts, busybox, openrc, systemd, sysv};
use crate::{
    Strings, base_name, env as environment,
    exec::{beside_us, check_init, explain, find},
    file,
    request::Request,
    service, sys,
};

const INIT: &CStr = c"/sbin/init";
const MODE: RichMode = RichMode::SbinInit;

/// Becomes `/sbin/init`. Comes back only with why not.
pub(super) fn become_init(request: &Request, env: Strings) -> Error {
    if let Err(failure) = check_init(INIT) {
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
    let prepared = configure(init).and_then(|()| {
        service::write(init, request, env)
            .map_err(|errno| boot::Error::Prepare(service::FOLDER, errno))
    });
    if let Err(error) = prepared {
        return Error::Boot { mode: MODE, error };
    }
    let mut env: Vec<&CStr> = environment::without(env, "container");
    if openrc::is_there() {
        // The one word by which it knows that it is not to manage a machine (rc_sys of rc.conf).
        env.push(c"container=docker");
    }
    sys::unblock_all();
    let failure = explain(INIT, sys::execve(INIT, &[INIT], &env));
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

/// Lets the init start the application, and nothing that would change the node.
fn configure(init: service::Init) -> Result<(), boot::Error> {
    let failed = |what| move |errno| boot::Error::Prepare(what, errno);
    let program = beside_us(c"rich");
    let program =
        program.to_str().map_err(|_| boot::Error::Prepare("/etc/inittab", Errno::INVAL))?;
    make_lock_folder().map_err(failed("/run/lock"))?;
    boot_scripts::silence().map_err(failed("/etc/init.d"))?;
    match init {
        service::Init::Busybox => busybox::configure(program),
        _ => sysv::configure(program),
    }
    .map_err(failed("/etc/inittab"))
}

/// Debian's scripts lock here, and the one that would make it is one of those that may not run.
fn make_lock_folder() -> Result<(), Errno> {
    boot::make_folder(c"/run/lock")?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = open("/run/lock", flags, Mode::empty())?;
    fchmod(folder, Mode::from_raw_mode(0o1777))
}
