//! The image's systemd.

use alloc::{ffi::CString, format, string::String, vec::Vec};
use core::ffi::CStr;

use contract::{Mode, Restart};
use rustix::{fs::symlink, io::Errno, termios::isatty};

use super::{
    Error,
    boot::{self, make_folder},
    rivals,
};
use crate::{
    Strings,
    container::container_id,
    env,
    exec::{beside_us, check_init, explain, find},
    file,
    request::Request,
    service::{self, UNIT, output},
    sys,
};

/// Where distributions have it.
const PLACES: [&CStr; 3] = [
    c"/usr/lib/systemd/systemd",
    c"/lib/systemd/systemd",
    c"/run/current-system/systemd/lib/systemd/systemd",
];

/// What would manage the node's hardware, kernel, clock or network instead of the container's, or
/// wait for a terminal that is not there.
const MASKED: [&str; 60] = [
    "systemd-udevd.service",
    "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket",
    "systemd-udev-trigger.service",
    "systemd-udev-settle.service",
    "systemd-hwdb-update.service",
    "systemd-firstboot.service",
    "systemd-modules-load.service",
    "modprobe@.service",
    "kmod-static-nodes.service",
    "systemd-sysctl.service",
    "systemd-remount-fs.service",
    "systemd-tmpfiles-setup-dev.service",
    "systemd-tmpfiles-setup-dev-early.service",
    "systemd-vconsole-setup.service",
    "systemd-random-seed.service",
    "systemd-journald-audit.socket",
    "systemd-binfmt.service",
    "systemd-timesyncd.service",
    "systemd-time-wait-sync.service",
    "chrony.service",
    "chronyd.service",
    "fake-hwclock.service",
    "ntp.service",
    "ntpd.service",
    "ntpsec.service",
    "openntpd.service",
    "watchdog.service",
    "wd_keepalive.service",
    "auditd.service",
    "irqbalance.service",
    "thermald.service",
    "smartd.service",
    "smartmontools.service",
    "multipathd.service",
    "lvm2-monitor.service",
    "e2scrub_reap.service",
    "e2scrub_all.service",
    "e2scrub_all.timer",
    "network.service",
    "networking.service",
    "NetworkManager.service",
    "systemd-networkd.service",
    "systemd-networkd.socket",
    "systemd-networkd-wait-online.service",
    "systemd-resolved.service",
    "proc-sys-fs-binfmt_misc.automount",
    "proc-sys-fs-binfmt_misc.mount",
    "dev-hugepages.mount",
    "sys-kernel-debug.mount",
    "sys-kernel-tracing.mount",
    "sys-kernel-config.mount",
    "sys-fs-fuse-connections.mount",
    "tmp.mount",
    "getty@.service",
    "serial-getty@.service",
    "container-getty@.service",
    "console-getty.service",
    "getty-static.service",
    "getty.target",
];

/// What systemd is told about every service, so that one that does not stop leaves time for others.
const MANAGER: &str = "[Manager]\nDefaultTimeoutStopSec=10s\n";

/// The kernel's messages are the node's, and every pod would keep and go through a copy of them.
const JOURNAL: &str = "[Journal]\nReadKMsg=no\n";

/// Where systemd gives the boot up, it asks for a password at a terminal; there, we end the
/// container.
const GIVEN_UP: [&str; 2] = ["emergency.service", "rescue.service"];
const FAILED: &str = "rich-failed.service";

/// Changes what systemd runs at its end.
const EXIT: &str = "/run/systemd/system/systemd-exit.service.d";

/// Keeps our programs where they are until systemd itself has ended: what it does not need, it
/// unmounts before, and [`EXIT`] would not find them (systemd.mount(5), "Default Dependencies").
const MOUNT: &str = "/run/systemd/system/\\x2erich.mount.d";
const MOUNTED: &str = "[Unit]\nDefaultDependencies=no\n";

/// Debian's own file of this name empties `/tmp` at boot, and with it what the initscript has put
/// there (tmpfiles.d(5); a file in `/run` takes the place of one in `/usr/lib`).
const TMPFILES: &str = "d /tmp 1777 root root -\nd /var/tmp 1777 root root -\n";

/// Becomes systemd, which starts the application as a service. Comes back only with why not.
pub(super) fn become_init(request: &Request, env: Strings) -> Error {
    let Some(path) = PLACES.into_iter().find(|path| check_init(path).is_ok()) else {
        let what = format!(
            "the image has no systemd (looked for {}): install it, or set rich.pouch/mode to \
             dumb-init",
            PLACES[0].to_string_lossy()
        );
        return Error::Missing { mode: Mode::Systemd, what };
    };
    boot(path, path, request, env)
}

/// Becomes the systemd at `path`, called `name`.
pub(super) fn boot(path: &CStr, name: &CStr, request: &Request, env: Strings) -> Error {
    let mode = request.rich.mode;
    let application = request.command.first().copied().unwrap_or_default();
    if let Err(failure) = find(application, env) {
        return Error::Application(failure);
    }
    if let Err(error) = boot::check_control_groups() {
        return Error::Boot { mode, error };
    }
    if let Some(path) = rivals::of(&[UNIT, output::UNIT, FAILED]) {
        return Error::Boot { mode, error: boot::Error::Rival(path) };
    }
    if let Err(errno) = configure(request) {
        return Error::Boot { mode, error: boot::Error::Prepare("/run/systemd/system", errno) };
    }
    if let Err(errno) = service::write(service::Init::Systemd, request, env) {
        return Error::Boot { mode, error: boot::Error::Prepare(service::FOLDER, errno) };
    }
    // Only the image's default, which may be a desktop, would be started otherwise.
    let args = [name, c"--unit=multi-user.target"];
    let machine = machine_id();
    let mut env: Vec<&CStr> = env::without(env, "container");
    env.push(c"container=oci");
    env.extend(machine.as_deref());
    sys::unblock_all();
    let failure = explain(path, sys::execve(path, &args, &env));
    Error::Init { mode, failure }
}

/// Writes what systemd is to read. All is in `/run`: nothing of the image changes.
fn configure(request: &Request) -> Result<(), Errno> {
    for folder in [
        c"/run/tmpfiles.d",
        c"/run/systemd",
        c"/run/systemd/system",
        c"/run/systemd/system.conf.d",
        c"/run/systemd/journald.conf.d",
        c"/run/systemd/system/multi-user.target.wants",
        &CString::new(EXIT).unwrap_or_default(),
        &CString::new(MOUNT).unwrap_or_default(),
    ] {
        make_folder(folder)?;
    }
    for unit in MASKED {
        link("/dev/null", unit)?;
    }
    let program = beside_us(c"rich");
    let program = program.to_str().map_err(|_| Errno::INVAL)?;
    let write =
        |name: &str, text: &str| file::replace("/run/systemd/system", name, 0o644, text.as_bytes());
    write(UNIT, &application(program, request))?;
    // A terminal is the application's own.
    if !isatty(sys::stdout()) {
        write(output::UNIT, &output_unit(program))?;
    }
    let failed = failed(program);
    for unit in GIVEN_UP.into_iter().chain([FAILED]) {
        write(unit, &failed)?;
    }
    file::replace(EXIT, "rich.conf", 0o644, exit(program).as_bytes())?;
    file::replace(MOUNT, "rich.conf", 0o644, MOUNTED.as_bytes())?;
    file::replace("/run/tmpfiles.d", "tmp.conf", 0o644, TMPFILES.as_bytes())?;
    file::replace("/run/systemd/system.conf.d", "rich.conf", 0o644, MANAGER.as_bytes())?;
    file::replace("/run/systemd/journald.conf.d", "rich.conf", 0o644, JOURNAL.as_bytes())?;
    link(&format!("../{UNIT}"), &format!("multi-user.target.wants/{UNIT}"))
}

fn link(target: &str, name: &str) -> Result<(), Errno> {
    match symlink(target, format!("/run/systemd/system/{name}")) {
        // An initscript may have been here first.
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// systemd.unit(5), systemd.service(5). What the application is and how it runs is not in here:
/// `rich exec` reads that.
fn application(program: &str, request: &Request) -> String {
    let restart = match request.rich.restart {
        Restart::Container => "Restart=no",
        Restart::Service => "Restart=always\nRestartSec=1s",
    };
    let grace = request.grace.saturating_sub(service::reserve(request.grace)).as_secs().max(1);
    let output = output::UNIT;
    format!(
        "[Unit]\n\
         Description=The application of this container\n\
         Wants={output}\n\
         After={output}\n\
         OnFailure={FAILED}\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         ExecStart={program} exec\n\
         ExecStop=-{program} terminate\n\
         ExecStopPost={program} ended\n\
         {restart}\n\
         TimeoutStopSec={grace}s\n\
         TasksMax=infinity\n\
         OOMPolicy=continue\n"
    )
}

/// It is there before the application, and until the very end: nothing stops it but systemd's last
/// SIGTERM to all that is left.
fn output_unit(program: &str) -> String {
    format!(
        "[Unit]\n\
         Description=The way of the application's output to the log and the journal\n\
         DefaultDependencies=no\n\
         After=systemd-journald.socket\n\
         RefuseManualStop=yes\n\
         IgnoreOnIsolate=yes\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=notify\n\
         ExecStart={program} output\n\
         Restart=always\n\
         RestartSec=100ms\n\
         FileDescriptorStoreMax=32\n\
         OOMPolicy=continue\n"
    )
}

/// Like all others it may be killed, and then systemd would never end, or with 255.
fn exit(program: &str) -> String {
    format!(
        "[Unit]\n\
         SuccessAction=none\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         Type=simple\n\
         ExecStart=\n\
         ExecStart={program} systemd-exit\n\
         Restart=always\n\
         RestartSec=100ms\n"
    )
}

/// It is started again until it has come to its end. (A oneshot may do so since systemd 244 only.)
fn failed(program: &str) -> String {
    format!(
        "[Unit]\n\
         Description=The end of a container whose application cannot be started\n\
         DefaultDependencies=no\n\
         StartLimitIntervalSec=0\n\
         \n\
         [Service]\n\
         ExecStart={program} failed\n\
         Restart=on-failure\n\
         RestartSec=100ms\n"
    )
}

/// systemd takes the machine's id from here where `/etc/machine-id` has none, so that a container
/// has its own and keeps it (machine-id(5)).
fn machine_id() -> Option<CString> {
    let id = container_id();
    let id = id.get(..32).filter(|_| id.len() == 64)?;
    CString::new(format!("container_uuid={id}")).ok()
}
