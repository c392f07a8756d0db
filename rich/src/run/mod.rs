//! `rich run`: everything that happens before the init is PID 1.

mod crlf;
mod outcome;
mod output;
mod profile;
mod script;
mod state;
mod termination;

use crate::{
    Strings,
    cli::{USAGE, print},
    init,
    request::Request,
    say,
    sys::{self, SignalFd},
};
use outcome::Failed;
use output::Tail;

const HELP: &str = "\
Usage: rich run --mode=MODE [FLAGS] -- COMMAND [ARG...]

Prepares the container and becomes its init, which starts COMMAND. The flags are the
annotations rich.pouch/NAME of the pod.

  --mode=MODE               dumb-init, systemd or sbin-init
  --initscript=\"PATH ARG...\" run this file first; its standard input is the OCI state
  --initcmd=LINE            run this shell command line first
  --initscript-timeout=TIME end it when it takes longer, such as 30s or 5m (exit code 124)
  --poststop=\"PATH ARG...\"   run this after COMMAND has ended
  --restart=WHO             container (default), or service: systemd starts COMMAND again
  --profile=BOOL            whether login shells see the environment (true)
  --grace=TIME              how long the container has to stop (30s)
  --termination-log=FILE    where the reason of a failure is left (/dev/termination-log)";

/// Runs the command; comes back only where the application is not started, with the exit code.
pub(crate) fn main(args: Strings, env: Strings) -> u8 {
    if args.first().is_some_and(|flag| flag.to_bytes() == b"--help") {
        return print(HELP);
    }
    let request = match Request::read(args) {
        Ok(request) => request,
        Err(error) => {
            say!("{error}");
            return USAGE;
        }
    };
    // From here on a signal waits until it is asked for, also for the init that we become.
    sys::block_all();
    sys::default_all();
    if request.rich.has_profile() {
        profile::write(env);
    }
    let mut tail = Tail::default();
    let failed = match prepare(&request, env, &mut tail) {
        Ok(()) => init::become_init(&request, env).into(),
        Err(failed) => failed,
    };
    say!("rich: {failed}");
    termination::write(&request.termination_log, &tail, &failed);
    failed.code()
}

fn prepare(request: &Request, env: Strings, tail: &mut Tail) -> Result<(), Failed> {
    let rich = &request.rich;
    init::prepare(rich.mode)?;
    if rich.init.is_none() && !rich.mode.boots_the_image() {
        return Ok(());
    }
    let signals = SignalFd::open().map_err(|errno| Failed::Kernel("a signalfd", errno))?;
    if let Some(init) = &rich.init {
        script::run(init, rich.init_timeout, env, &signals, tail)?;
    }
    // dumb-init reads what has come meanwhile. The image's init would take it for something else.
    if rich.mode.boots_the_image()
        && let Some(signal) = script::stop_among(&signals)
    {
        return Err(Failed::Stopped { what: "the start".into(), signal });
    }
    Ok(())
}
