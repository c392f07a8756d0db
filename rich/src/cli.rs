//! The commands of `rich`.

use core::ffi::CStr;

use crate::{Strings, init, install, run, say, service, sys::stdout};

/// Exit code of a command line that makes no sense.
pub(crate) const USAGE: u8 = 2;

const HELP: &str = "\
Usage: rich COMMAND

The program in a rich container: it runs the initscript, then hands PID 1 to an init.

Commands:
  install DIR   put rich and dumb-init into DIR
  run           prepare the container and become its init
  status        print how the application and its init are
  stop          stop the application by its init's own means, as a preStop
Options:
  --help        this text, or that of a command
  --version     the version";

const SERVICE_HELP: &str = "\
Usage: rich stop [--sleep=Ns | -- COMMAND [ARG...]]
       rich status

stop: runs COMMAND or sleeps, stops the application by the means of the container's init, waits,
and ends the container with its exit code: the preStop of a pod with systemd or sbin-init. With
dumb-init it stops nothing, because the runtime's signal does it all.

status: prints mode, application, last exit and what failed, a \"key: value\" a line. Its exit
code is 0 where the application runs, else 1.

The inits themselves use: exec (become the application), output (pass its output on), supervise
(start it and wait), terminate (stop it and wait), ended (clean up and end systemd), failed (end a
systemd that cannot boot), hold (keep the container's streams open), exit (end with the
application's exit code), systemd-exit (end systemd with it).";

/// Runs one command and gives its exit code.
pub(crate) fn main(args: Strings, env: Strings) -> u8 {
    let Some((command, rest)) = args.split_first() else {
        say!("rich: a command is missing: see rich --help");
        return USAGE;
    };
    match command.to_bytes() {
        b"--help" | b"-h" | b"help" => print(HELP),
        b"--version" | b"-V" => print(concat!("rich ", env!("CARGO_PKG_VERSION"))),
        b"install" => install::main(rest),
        b"run" => run::main(rest, env),
        b"stop" if rest.first().is_none_or(|flag| flag.to_bytes() != b"--help") => {
            service::stop(rest, env)
        }
        b"stop" => print(SERVICE_HELP),
        name => match (service_command(name), rest) {
            (Some(_), [flag]) if flag.to_bytes() == b"--help" => print(SERVICE_HELP),
            (Some(run), []) => run(env),
            (Some(_), [more, ..]) => unknown("rich", more),
            (None, _) => unknown("rich", command),
        },
    }
}

/// The commands that an init, or the pod, gives once the init is PID 1.
fn service_command(name: &[u8]) -> Option<fn(Strings) -> u8> {
    Some(match name {
        b"status" => service::status,
        b"failed" => service::failed,
        b"output" => service::output,
        b"exec" => service::exec,
        b"supervise" => init::supervise,
        b"terminate" => service::terminate,
        b"ended" => service::ended,
        b"hold" => service::hold,
        b"exit" => service::exit,
        b"systemd-exit" => service::systemd_exit,
        _ => return None,
    })
}

/// Prints a text that was asked for.
pub(crate) fn print(text: &str) -> u8 {
    say::line(stdout(), format_args!("{text}"));
    0
}

/// Refuses an argument.
pub(crate) fn unknown(command: &str, argument: &CStr) -> u8 {
    let argument = argument.to_string_lossy();
    say!("{command}: \"{argument}\" is not known: see {command} --help");
    USAGE
}
