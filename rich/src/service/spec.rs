//! The file that says how the application is to be started.
//!
//! `KEY=VALUE` entries, each ended by a NUL, which neither arguments nor environment can hold:
//! there is nothing to quote.

use alloc::{format, vec::Vec};
use core::{ffi::CStr, fmt, str, time::Duration};

use contract::Restart;
use rustix::{
    fs::Mode,
    io::Errno,
    process::chdir,
    process::{
        Gid, Pid, Resource, Rlimit, Uid, getcwd, getgid, getgroups, getrlimit, getuid, setrlimit,
        umask,
    },
    termios::isatty,
    thread::{set_thread_gid, set_thread_groups, set_thread_uid},
};

use super::{FOLDER, SPEC, streams};
use crate::{Strings, base_name, env, errno::Reason, file, request::Request, sys::stdout};

/// The limits that setrlimit(2) knows, in the order of their numbers.
const LIMITS: [Resource; 16] = [
    Resource::Cpu,
    Resource::Fsize,
    Resource::Data,
    Resource::Stack,
    Resource::Core,
    Resource::Rss,
    Resource::Nproc,
    Resource::Nofile,
    Resource::Memlock,
    Resource::As,
    Resource::Locks,
    Resource::Sigpending,
    Resource::Msgqueue,
    Resource::Nice,
    Resource::Rtprio,
    Resource::Rttime,
];

/// Which init starts the application, and so how it is told that all is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Init {
    Systemd,
    Busybox,
    Sysv,
}

impl Init {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Systemd, "systemd"), (Self::Busybox, "busybox"), (Self::Sysv, "sysv")];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(init, _)| *init == self).map_or("", |(_, name)| name)
    }
}

/// How the application is to be started.
pub(crate) struct Spec {
    /// Who starts it.
    pub(crate) init: Init,
    /// Who starts it again.
    pub(super) restart: Restart,
    /// The process that keeps the container's streams.
    pub(super) holder: Option<Pid>,
    /// The mode that was asked for.
    pub(super) mode: &'static [u8],
    /// Whether the container has a terminal.
    pub(super) terminal: bool,
    /// How long the container has to stop.
    pub(super) grace: Duration,
    /// Where its last words are left.
    pub(super) termination_log: &'static [u8],
    /// The command that runs after it.
    pub(super) poststop: Option<&'static [u8]>,
    /// Its arguments.
    pub(super) args: Vec<&'static CStr>,
    /// Its environment.
    pub(super) env: Vec<&'static CStr>,
    /// All entries.
    entries: Vec<&'static CStr>,
}

/// Why the application cannot be started as it should be.
pub(crate) enum Error {
    Read(Errno),
    Incomplete(&'static str),
    Apply(&'static str, Errno),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(errno) => {
                let reason = Reason(*errno);
                write!(f, "{} cannot be read: {reason}", SPEC.to_string_lossy())?;
                f.write_str("; only the init of a rich container can use this command")
            }
            Self::Incomplete(key) => write!(f, "{} lacks {key}", SPEC.to_string_lossy()),
            Self::Apply(what, errno) => {
                write!(f, "the application's {what} cannot be set: {}", Reason(*errno))
            }
        }
    }
}

/// Writes down how this process would start the application now.
pub(crate) fn write(init: Init, request: &Request, env: Strings) -> Result<(), Errno> {
    let holder = streams::hold()?;
    let mut text = Vec::new();
    let mut entry = |key: &str, value: &[u8]| {
        text.extend_from_slice(key.as_bytes());
        text.push(b'=');
        text.extend_from_slice(value);
        text.push(0);
    };
    entry("init", init.name().as_bytes());
    entry("restart", request.rich.restart.name().as_bytes());
    entry("holder", format!("{}", holder.as_raw_nonzero()).as_bytes());
    entry("mode", request.rich.mode.name().as_bytes());
    entry("terminal", if isatty(stdout()) { b"true" } else { b"false" });
    entry("grace", format!("{}", request.grace.as_secs()).as_bytes());
    entry("termination-log", request.termination_log.as_bytes());
    entry("cwd", getcwd([])?.to_bytes());
    let mask = umask(Mode::empty());
    umask(mask);
    entry("umask", format!("{}", mask.bits()).as_bytes());
    for group in getgroups()? {
        entry("group", format!("{}", group.as_raw()).as_bytes());
    }
    entry("gid", format!("{}", getgid().as_raw()).as_bytes());
    entry("uid", format!("{}", getuid().as_raw()).as_bytes());
    for (number, resource) in LIMITS.into_iter().enumerate() {
        let limit = getrlimit(resource);
        let show = |value: Option<u64>| value.map_or("-".into(), |value| format!("{value}"));
        let (soft, hard) = (show(limit.current), show(limit.maximum));
        entry("limit", format!("{number} {soft} {hard}").as_bytes());
    }
    if let Some(poststop) = &request.rich.poststop {
        entry("poststop", format!("{poststop}").as_bytes());
    }
    for arg in request.command {
        entry("arg", arg.to_bytes());
    }
    for variable in env {
        entry("env", variable.to_bytes());
    }
    file::replace(FOLDER, "spec", 0o600, &text)
}

impl Spec {
    /// Reads the file.
    pub(crate) fn read() -> Result<Self, Error> {
        // It is needed until the process ends or becomes the application.
        let text = file::read(SPEC, usize::MAX).map_err(Error::Read)?.leak();
        let entries: Vec<&'static CStr> = text
            .split_inclusive(|byte| *byte == 0)
            .filter_map(|entry| CStr::from_bytes_with_nul(entry).ok())
            .collect();
        let value = |key| env::get(&entries, key).and_then(|value| str::from_utf8(value).ok());
        let init = value("init").and_then(|name| Init::ALL.iter().find(|(_, n)| *n == name));
        let args = all(&entries, "arg");
        if args.is_empty() {
            return Err(Error::Incomplete("arg"));
        }
        Ok(Self {
            init: init.ok_or(Error::Incomplete("init"))?.0,
            restart: value("restart").and_then(Restart::parse).unwrap_or_default(),
            holder: value("holder").and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw),
            mode: env::get(&entries, "mode").unwrap_or_default(),
            terminal: env::get(&entries, "terminal") == Some(b"true"),
            grace: Duration::from_secs(value("grace").and_then(|it| it.parse().ok()).unwrap_or(30)),
            termination_log: env::get(&entries, "termination-log").unwrap_or_default(),
            poststop: env::get(&entries, "poststop"),
            args,
            env: all(&entries, "env"),
            entries,
        })
    }

    /// Makes this process what the application is to be: streams, folder, limits, user.
    pub(super) fn apply(&self) -> Result<(), Error> {
        streams::take(self);
        let numbers = |key| {
            all(&self.entries, key)
                .into_iter()
                .filter_map(|value| value.to_str().ok()?.parse::<u32>().ok())
        };
        for limit in all(&self.entries, "limit") {
            set_limit(limit);
        }
        for mask in numbers("umask") {
            umask(Mode::from_bits_truncate(mask));
        }
        for cwd in all(&self.entries, "cwd") {
            chdir(cwd).map_err(|errno| Error::Apply("working directory", errno))?;
        }
        // The user last: after that nothing else is allowed.
        let groups: Vec<Gid> = numbers("group").map(Gid::from_raw).collect();
        set_thread_groups(&groups).map_err(|errno| Error::Apply("groups", errno))?;
        for gid in numbers("gid") {
            set_thread_gid(Gid::from_raw(gid)).map_err(|errno| Error::Apply("group", errno))?;
        }
        for uid in numbers("uid") {
            set_thread_uid(Uid::from_raw(uid)).map_err(|errno| Error::Apply("user", errno))?;
        }
        Ok(())
    }
}

impl Spec {
    /// What the application is called in the journal: as its program.
    pub(super) fn log_name(&self) -> &'static str {
        let program = self.args.first().map_or(&b""[..], |program| program.to_bytes());
        let name = str::from_utf8(base_name(program)).unwrap_or_default();
        let fits = !name.is_empty() && name.len() < 200 && !name.contains('\n');
        if fits { name } else { "application" }
    }
}

/// The values of every entry with this key.
fn all(entries: &[&'static CStr], key: &str) -> Vec<&'static CStr> {
    let values = entries.iter().filter_map(|&entry| {
        let rest = entry.to_bytes_with_nul().strip_prefix(key.as_bytes())?;
        CStr::from_bytes_with_nul(rest.strip_prefix(b"=")?).ok()
    });
    values.collect()
}

/// Sets a limit as far as it is allowed: without `CAP_SYS_RESOURCE` none can be raised.
fn set_limit(entry: &CStr) -> Option<()> {
    let mut words = entry.to_str().ok()?.split(' ');
    let resource = *LIMITS.get(words.next()?.parse::<usize>().ok()?)?;
    let [soft, hard] = [words.next()?, words.next()?].map(|word| word.parse::<u64>().ok());
    let wanted = Rlimit { current: soft, maximum: hard };
    if setrlimit(resource, wanted).is_err() {
        let bound = |value: Option<u64>, by: Option<u64>| match (value, by) {
            (Some(value), Some(by)) => Some(value.min(by)),
            (value, by) => value.or(by),
        };
        let maximum = bound(hard, getrlimit(resource).maximum);
        let current = bound(soft, maximum);
        setrlimit(resource, Rlimit { current, maximum }).ok()?;
    }
    Some(())
}
