//! `rich stop`: the pod's preStop, so that the application ends as a service does.
//!
//! An init takes the runtime's SIGTERM for something else (systemd starts itself anew,
//! systemd(1)), so the stop must come by the init's own means. The command then waits: when a
//! preStop comes back, the runtime sends SIGTERM to whatever is still there.

use core::{str, time::Duration};

use rustix::{
    event::Timespec,
    io::Errno,
    process::{Signal, WaitOptions, kill_process, waitpid},
    thread::nanosleep,
    time::{ClockId, clock_gettime},
};

use super::{
    FOLDER, SPEC, Spec, UNIT, exit_code, keep_exit_code, processes::kill_all_but_inits_own,
    spec::Init, streams, supervise::supervisor, systemctl,
};
use crate::{
    Strings,
    cli::unknown,
    errno::Reason,
    exec::{execvp, explain, find},
    file, say,
    sys::{self, Forked, SignalFd, number},
};

/// The exit code of an application that was stopped before it could run: SIGTERM's.
const NEVER_RAN: u8 = 143;
/// How often an init that is not up yet is asked, and how long between.
const ATTEMPTS: usize = 100;
const PAUSE: Duration = Duration::from_millis(200);
/// How often it is looked for who is still there.
const PACE: Duration = Duration::from_millis(10);
/// How long before the end of the grace period whatever is left is killed, so that the container
/// ends with the application's exit code and not by the kubelet.
const LAST: Duration = Duration::from_secs(1);

/// How much of the grace period is not the application's: what poststop and the services may need
/// at the least once it had to be killed.
pub(crate) fn reserve(grace: Duration) -> Duration {
    (grace / 6).clamp(LAST, Duration::from_secs(5))
}

/// Runs the pod's own preStop, stops the application and waits until the container is gone.
pub(super) fn main(args: Strings, env: Strings) -> u8 {
    let start = now();
    let before = match Before::read(args) {
        Ok(before) => before,
        Err(code) => return code,
    };
    // As dumb-init does, PID 1 stops by the runtime's signal.
    let spec = if file::read(SPEC, 0).is_ok() { Spec::read().map(Some) } else { Ok(None) };
    if let Ok(Some(spec)) = &spec
        && spec.init == Init::Systemd
    {
        watch(spec.grace, start, env);
    }
    before.run(env);
    match spec {
        Ok(None) => 0,
        Ok(Some(spec)) => stop(&spec, env),
        Err(error) => {
            say!("rich stop: {error}");
            1
        }
    }
}

fn stop(spec: &Spec, env: Strings) -> u8 {
    if let Err(errno) = file::replace(FOLDER, "stopping", 0o644, b"") {
        say!("rich stop: {}", Reason(errno));
    }
    let stopped = (0..ATTEMPTS).any(|_| {
        let done = match spec.init {
            Init::Systemd => systemctl::run(&["stop", UNIT], env) == 0,
            Init::Busybox | Init::Sysv => terminate_supervisor(),
        };
        if !done {
            sleep(PAUSE);
        }
        done
    });
    if !stopped {
        say!("rich stop: the init does not answer; the application is left to the runtime");
        return 1;
    }
    // What the init sends to all that is left must not be the end of us: the kubelet would report
    // a preStop that has failed.
    sys::block_all();
    if spec.init == Init::Systemd {
        // The unit has done so itself, unless it was stopped before it was ever started.
        let _ = systemctl::exit(exit_code().unwrap_or(NEVER_RAN), env);
    }
    match SignalFd::open() {
        Ok(signals) => while signals.wait().number != number::TERM {},
        Err(_) => streams::idle(),
    }
    0
}

/// Sees to it that the container ends within the grace period, in a process of its own.
fn watch(grace: Duration, start: Duration, env: Strings) {
    if !matches!(sys::fork(), Ok(Forked::Child)) {
        return;
    }
    sys::block_all();
    let Ok(signals) = SignalFd::open() else { streams::idle() };
    let last = start + grace.saturating_sub(LAST);
    if !terminated(&signals, start + grace.saturating_sub(reserve(grace))) {
        let _ = systemctl::run(&["kill", "--signal=KILL", UNIT], env);
        if !terminated(&signals, last) {
            let code = exit_code().unwrap_or(128 + number::KILL);
            // For whoever else ends the container: `rich ended` may be among those that are
            // killed now.
            keep_exit_code(code);
            let _ = systemctl::exit(code, env);
        }
    }
    // At its very end systemd waits for everybody, but is told only of its own children's ends:
    // not of this preStop's, nor of what `kubectl exec` has started, and would sit out its timeout
    // (systemd-shutdown(8)). We are its child by then, and the last to go.
    while !sys::is_alone() {
        // systemd waits for nobody who is not there. Where the kubelet was before us, its SIGTERM
        // has made systemd start anew.
        if now() > last {
            kill_all_but_inits_own();
        }
        sleep(PACE);
    }
    sys::exit(0)
}

/// Waits for a SIGTERM, and says whether it came before `end`.
fn terminated(signals: &SignalFd, end: Duration) -> bool {
    loop {
        let left = end.saturating_sub(now());
        if left.is_zero() || !signals.comes_within(&timespec(left)) {
            return false;
        }
        while let Some(received) = signals.next() {
            if received.number == number::TERM {
                return true;
            }
        }
    }
}

/// The pod's own preStop.
enum Before<'a> {
    Nothing,
    Sleep(Duration),
    Run(Strings<'a>),
}

impl<'a> Before<'a> {
    fn read(args: Strings<'a>) -> Result<Self, u8> {
        match args {
            [] => Ok(Self::Nothing),
            [end, command @ ..] if end.to_bytes() == b"--" => Ok(Self::Run(command)),
            [flag] => sleep_flag(flag.to_bytes())
                .map(Self::Sleep)
                .ok_or_else(|| unknown("rich stop", flag)),
            [_, more, ..] => Err(unknown("rich stop", more)),
        }
    }

    fn run(&self, env: Strings) {
        match self {
            Self::Nothing | Self::Run([]) => {}
            Self::Sleep(time) => sleep(*time),
            Self::Run(command) => run(command, env),
        }
    }
}

/// Reads `--sleep=Ns`.
fn sleep_flag(flag: &[u8]) -> Option<Duration> {
    let seconds = flag.strip_prefix(b"--sleep=")?.strip_suffix(b"s")?;
    str::from_utf8(seconds).ok()?.parse().ok().map(Duration::from_secs)
}

/// Whatever comes of it, the application is stopped then, as Kubernetes does.
fn run(command: Strings, env: Strings) {
    match sys::fork() {
        Ok(Forked::Child) => {
            let errno = execvp(command, env);
            let name = command.first().copied().unwrap_or_default();
            let failure = match find(name, env) {
                Err(failure) => failure,
                Ok(path) => explain(&path, errno),
            };
            say!("rich stop: {failure}");
            sys::exit(failure.code());
        }
        Ok(Forked::Parent(pid)) => {
            while matches!(waitpid(Some(pid), WaitOptions::empty()), Ok(None) | Err(Errno::INTR)) {}
        }
        Err(errno) => say!("rich stop: {}", Reason(errno)),
    }
}

/// Sends SIGTERM to the process that waits for the application, once it is there; false where it
/// is not yet.
fn terminate_supervisor() -> bool {
    let told = |pid| kill_process(pid, Signal::TERM).is_ok();
    exit_code().is_some() || supervisor().is_some_and(told)
}

fn sleep(time: Duration) {
    let _ = nanosleep(&timespec(time));
}

fn timespec(time: Duration) -> Timespec {
    let tv_sec = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timespec { tv_sec, tv_nsec: time.subsec_nanos().into() }
}

/// The time since the machine's start.
fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_the_grace_period_is_the_applications() {
        let of = |seconds| reserve(Duration::from_secs(seconds)).as_millis();
        assert_eq!([1, 6, 12, 30, 3600].map(of), [1000, 1000, 2000, 5000, 5000]);
    }

    #[test]
    fn what_the_webhook_writes_is_read() {
        assert_eq!(sleep_flag(b"--sleep=15s"), Some(Duration::from_secs(15)));
        assert_eq!(sleep_flag(b"--sleep=15"), None);
        assert!(matches!(Before::read(&[c"--", c"a", c"b"]), Ok(Before::Run([_, _]))));
        assert!(matches!(Before::read(&[]), Ok(Before::Nothing)));
    }
}
