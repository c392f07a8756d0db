//! A drop-in for Yelp's dumb-init 1.2.5: PID 1 for one application.
//!
//! It starts the application in a session of its own, passes every signal on to it and all that
//! it has started, reaps what becomes an orphan, and ends with the application's exit code. What
//! differs from the original: real-time signals are passed on, too, and signals that the kernel
//! raises because of what we do ourselves (handing the terminal over, writing to a closed log)
//! never are.

mod options;
mod supervisor;

use rustix::{
    io::Errno,
    process::{Pid, chdir, getpid, getsid, ioctl_tiocsctty, setsid},
};

use self::{
    options::{Options, Parsed, UsageError},
    supervisor::Supervisor,
};
use crate::{
    Strings, env,
    errno::Reason,
    exec, poststop, say,
    sys::{self, Forked, SignalFd, number, stdin},
};

const VERSION: &str = "dumb-init v1.2.5";

const HELP: &str = "\
Usage: dumb-init [option] command [[arg] ...]

A small init for containers: starts the command, passes signals on to it, reaps zombies.

   -c, --single-child   Pass signals on to the command itself only,
                        not to the whole session that it leads.
   -r, --rewrite s:r    Pass signal s on as signal r, or not at all where r is 0.
                        May be given several times.
   -v, --verbose        Say on standard error what happens.
   -h, --help           Print this text and exit.
   -V, --version        Print the version and exit.

Environment: DUMB_INIT_SETSID=0 is --single-child, DUMB_INIT_DEBUG=1 is --verbose.";

/// Exit code where the application cannot be executed, as the original has it.
const EXEC_FAILED: u8 = 2;

/// Runs dumb-init and gives its exit code.
pub(crate) fn main(args: Strings, env: Strings) -> u8 {
    let mut options = match options::parse(args) {
        Ok(Parsed::Run(options)) => options,
        Ok(Parsed::Help) => {
            say!("{VERSION}\n{HELP}");
            return 0;
        }
        Ok(Parsed::Version) => {
            say!("{VERSION}");
            return 0;
        }
        Err(error) => {
            match error {
                UsageError::NoCommand => say!("Usage: dumb-init [option] program [args]"),
                error => say!("dumb-init: {error}"),
            }
            say!("Try dumb-init --help for full usage.");
            return 1;
        }
    };
    if env::get(env, "DUMB_INIT_DEBUG") == Some(b"1") {
        options.verbose = true;
        debug(&options, format_args!("Running in debug mode."));
    }
    if env::get(env, "DUMB_INIT_SETSID") == Some(b"0") {
        options.setsid = false;
        debug(&options, format_args!("Not running in setsid mode."));
    }
    match supervise(&options, env) {
        Ok(code) => code,
        Err(errno) => {
            say!("[dumb-init] The child cannot be started: {}", Reason(errno));
            1
        }
    }
}

/// Runs `command` as dumb-init without options does, and gives its exit code.
pub(crate) fn serve(command: Strings, env: Strings) -> u8 {
    match supervise(&Options::new(command), env) {
        Ok(code) => code,
        Err(errno) => {
            say!("rich: the application cannot be started: {}", Reason(errno));
            1
        }
    }
}

/// Waits for an application that another process has started, and that has become our child.
pub(crate) fn adopt(application: Pid) -> u8 {
    sys::block_all();
    match SignalFd::open() {
        Ok(signals) => {
            // It may have ended before we could be told.
            let _ = sys::kill(getpid(), number::CHLD);
            Supervisor::new(&Options::new(&[]), &signals, application).run()
        }
        Err(errno) => {
            say!("rich: the application cannot be waited for: {}", Reason(errno));
            1
        }
    }
}

/// Starts the application and waits for its end.
fn supervise(options: &Options, env: Strings) -> Result<u8, Errno> {
    let poststop = env::get(env, poststop::VARIABLE);
    let env = &env::without(env, poststop::VARIABLE)[..];
    sys::block_all();
    sys::default_all();
    let signals = SignalFd::open()?;
    if options.setsid {
        detach(options);
    }
    match sys::fork()? {
        Forked::Child => Ok(child(options, env)),
        Forked::Parent(child) => {
            debug(options, format_args!("Child spawned with PID {}.", child.as_raw_nonzero()));
            // So that no file system is kept from being unmounted by us.
            if let Err(errno) = chdir("/") {
                debug(options, format_args!("Unable to chdir(\"/\"): {}", Reason(errno)));
            }
            // Made now: once it waits, this process allocates nothing.
            let poststop = poststop.and_then(|line| poststop::Command::read(line, env));
            let code = Supervisor::new(options, &signals, child).run();
            if let Some(command) = poststop {
                command.run(&signals);
            }
            Ok(code)
        }
    }
}

/// Gives the terminal up, so that the child's session can take it.
fn detach(options: &Options) {
    if let Err(errno) = sys::detach_tty(stdin()) {
        debug(
            options,
            format_args!(
                "Unable to detach from controlling tty (errno={} {}).",
                errno.raw_os_error(),
                Reason(errno)
            ),
        );
    } else if getsid(None) == Ok(getpid()) {
        // The kernel sends HUP and CONT to the terminal's foreground group, in our name: that is
        // how they are recognised later.
        debug(
            options,
            format_args!(
                "Detached from controlling tty, ignoring the SIGHUP and SIGCONT that this raises."
            ),
        );
    } else {
        debug(options, format_args!("Detached from controlling tty, but was not session leader."));
    }
}

/// Becomes the application; gives the exit code where that fails.
fn child(options: &Options, env: Strings) -> u8 {
    if options.setsid {
        if let Err(errno) = setsid() {
            say!(
                "[dumb-init] Unable to setsid (errno={} {}). Exiting.",
                errno.raw_os_error(),
                Reason(errno)
            );
            return 1;
        }
        if let Err(errno) = ioctl_tiocsctty(stdin()) {
            debug(
                options,
                format_args!(
                    "Unable to attach to controlling tty (errno={} {}).",
                    errno.raw_os_error(),
                    Reason(errno)
                ),
            );
        }
        debug(options, format_args!("setsid complete."));
    }
    sys::unblock_all();
    let errno = exec::execvp(options.command, env);
    let name = options.command.first().map(|name| name.to_string_lossy()).unwrap_or_default();
    say!("[dumb-init] {name}: {}", Reason(errno));
    EXEC_FAILED
}

fn debug(options: &Options, text: core::fmt::Arguments<'_>) {
    if options.verbose {
        say!("[dumb-init] {text}");
    }
}
