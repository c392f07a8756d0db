//! Finding a program and becoming it, with a reason that a user understands where that fails.

use alloc::{ffi::CString, string::String, vec::Vec};
use core::{ffi::CStr, fmt};

use rustix::{
    fs::{Access, FileType, access, readlink, stat},
    io::Errno,
    process::WaitStatus,
};

use crate::{Strings, env, errno::Reason, file, sys};

/// What runs scripts that name no interpreter.
const SHELL: &CStr = c"/bin/sh";

/// Where execvp(3) looks when `PATH` is not set.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// Why a program cannot be run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    program: Vec<u8>,
    cause: Cause,
}

#[derive(Debug, PartialEq, Eq)]
enum Cause {
    NotFound,
    NotInPath,
    NoInterpreter(Vec<u8>),
    NoLoader,
    NoShell,
    Directory,
    NotExecutable,
    Ourselves,
    Kernel(Errno),
}

impl Failure {
    /// The shell's exit code for it: 127 where something is missing, else 126.
    pub(crate) fn code(&self) -> u8 {
        match self.cause {
            Cause::NotFound
            | Cause::NotInPath
            | Cause::NoInterpreter(_)
            | Cause::NoLoader
            | Cause::NoShell => 127,
            Cause::Directory | Cause::NotExecutable | Cause::Ourselves | Cause::Kernel(_) => 126,
        }
    }

    fn new(program: &CStr, cause: Cause) -> Self {
        Self { program: program.to_bytes().into(), cause }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = String::from_utf8_lossy(&self.program);
        match &self.cause {
            Cause::NotFound => write!(f, "{program} does not exist in the container"),
            Cause::NotInPath => write!(f, "{program} is in no folder of the container's PATH"),
            Cause::NoInterpreter(name) => {
                let shown = String::from_utf8_lossy(name.trim_ascii_end());
                write!(f, "the interpreter {shown} of {program} does not exist in the container")?;
                if name.ends_with(b"\r") {
                    f.write_str(" (the file has Windows line ends: save it with LF)")?;
                }
                Ok(())
            }
            Cause::NoLoader => write!(
                f,
                "{program} is there, but the loader that it needs does not exist in the container"
            ),
            Cause::NoShell => {
                write!(f, "{program} needs /bin/sh, which does not exist in the container")
            }
            Cause::Directory => write!(f, "{program} is a folder, not a program"),
            Cause::NotExecutable => write!(
                f,
                "{program} is not executable: chmod +x it (defaultMode: 0755 in a volume), and \
                 mount it without noexec"
            ),
            Cause::Ourselves => {
                write!(f, "{program} is the program of Rich Pouch itself, which is no init")
            }
            Cause::Kernel(errno) => write!(f, "{program} cannot be run: {}", Reason(*errno)),
        }
    }
}

/// Becomes the program `args[0]`, found as execvp(3) finds it. Comes back only with why not.
pub(crate) fn execvp(args: &[&CStr], env: Strings) -> Errno {
    let Some(name) = args.first() else { return Errno::INVAL };
    let mut outcome = Errno::NOENT;
    for path in candidates(name, env) {
        match exec(&path, args, env) {
            Errno::NOENT | Errno::NOTDIR => {}
            Errno::ACCESS => outcome = Errno::ACCESS,
            errno => return errno,
        }
    }
    outcome
}

/// Becomes the program at `path`; what the kernel cannot read is a script for the shell.
pub(crate) fn exec(path: &CStr, args: &[&CStr], env: &[&CStr]) -> Errno {
    match sys::execve(path, args, env) {
        Errno::NOEXEC => {
            let mut script = Vec::from([SHELL, path]);
            script.extend(args.iter().skip(1));
            sys::execve(SHELL, &script, env)
        }
        errno => errno,
    }
}

/// The path of the program that execvp(3) would become, when it can.
pub(crate) fn find(name: &CStr, env: Strings) -> Result<CString, Failure> {
    let mut outcome = Failure::new(name, Cause::NotInPath);
    for path in candidates(name, env) {
        match check(&path) {
            Ok(()) => return Ok(path),
            Err(failure) if failure.cause == Cause::NotFound && !has_slash(name) => {}
            // execvp goes on after these, too, and reports the last reason but "not found".
            Err(failure) => outcome = failure,
        }
    }
    Err(outcome)
}

/// Whether the file at `path` looks like a program that can be run.
pub(crate) fn check(path: &CStr) -> Result<(), Failure> {
    let fail = |cause| Err(Failure::new(path, cause));
    match stat(path) {
        Err(Errno::NOENT | Errno::NOTDIR) => return fail(Cause::NotFound),
        Err(Errno::ACCESS) => return fail(Cause::NotExecutable),
        Err(errno) => return fail(Cause::Kernel(errno)),
        Ok(found) => match FileType::from_raw_mode(found.st_mode) {
            FileType::Directory => return fail(Cause::Directory),
            FileType::RegularFile => {}
            _ => return fail(Cause::NotExecutable),
        },
    }
    if access(path, Access::EXEC_OK).is_err() {
        return fail(Cause::NotExecutable);
    }
    if let Some(interpreter) = interpreter(&head(path))
        && let Ok(name) = CString::new(interpreter)
        && access(&*name, Access::EXISTS).is_err()
    {
        return fail(Cause::NoInterpreter(name.into_bytes()));
    }
    Ok(())
}

/// The same for an init, which must not be ourselves again.
pub(crate) fn check_init(path: &CStr) -> Result<(), Failure> {
    check(path)?;
    match (stat(path), stat("/proc/self/exe")) {
        (Ok(init), Ok(us)) if (init.st_dev, init.st_ino) == (us.st_dev, us.st_ino) => {
            Err(Failure::new(path, Cause::Ourselves))
        }
        _ => Ok(()),
    }
}

/// Why the kernel refused to run the file at `path`.
pub(crate) fn explain(path: &CStr, errno: Errno) -> Failure {
    match (check(path), errno) {
        (Err(failure), _) => failure,
        // The kernel could not read it, and then the shell was missing.
        (Ok(()), Errno::NOENT) if !head(path).starts_with(b"\x7fELF") => {
            Failure::new(path, Cause::NoShell)
        }
        (Ok(()), Errno::NOENT) => Failure::new(path, Cause::NoLoader),
        (Ok(()), Errno::ACCESS) => Failure::new(path, Cause::NotExecutable),
        (Ok(()), errno) => Failure::new(path, Cause::Kernel(errno)),
    }
}

/// The interpreter that a script names in its first line, execve(2) "Interpreter scripts".
pub(crate) fn interpreter(head: &[u8]) -> Option<&[u8]> {
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = line.trim_ascii_start();
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    line.get(..end).filter(|name| !name.is_empty())
}

/// As much of a file as the kernel reads to tell what it is (`BINPRM_BUF_SIZE`); empty where it
/// cannot be read.
pub(crate) fn head(path: &CStr) -> Vec<u8> {
    file::read(path, 256).unwrap_or_default()
}

/// The exit code that a shell gives a process: its own, or 128 and the signal that killed it.
pub(crate) fn exit_code(status: WaitStatus) -> u8 {
    let code = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 0,
    };
    u8::try_from(code).unwrap_or(u8::MAX)
}

fn has_slash(name: &CStr) -> bool {
    name.to_bytes().contains(&b'/')
}

/// The paths at which execvp(3) looks for a program, in its order.
fn candidates(name: &CStr, env: Strings) -> Vec<CString> {
    if has_slash(name) {
        return Vec::from([name.into()]);
    }
    if name.is_empty() {
        return Vec::new();
    }
    let folders = env::get(env, "PATH").unwrap_or(DEFAULT_PATH);
    folders
        .split(|byte| *byte == b':')
        .filter_map(|folder| {
            let folder = if folder.is_empty() { b"." } else { folder };
            CString::new([folder, name.to_bytes()].join(&b'/')).ok()
        })
        .collect()
}

/// The path of the file `name` beside our own program.
pub(crate) fn beside_us(name: &CStr) -> CString {
    let mut path = readlink("/proc/self/exe", []).map(CString::into_bytes).unwrap_or_default();
    path.truncate(path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1));
    path.extend_from_slice(name.to_bytes());
    CString::new(path).unwrap_or_else(|_| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_in_every_folder_of_path() {
        let env = [c"PATH=/a::/b"];
        assert_eq!(candidates(c"x", &env), [c"/a/x", c"./x", c"/b/x"].map(CString::from));
        assert_eq!(candidates(c"./x", &env), [CString::from(c"./x")]);
        assert_eq!(candidates(c"x", &[]), [c"/bin/x", c"/usr/bin/x"].map(CString::from));
    }

    #[test]
    fn an_interpreter_is_the_first_word_after_the_mark() {
        assert_eq!(interpreter(b"#!/bin/sh\n"), Some(&b"/bin/sh"[..]));
        assert_eq!(interpreter(b"#! /bin/sh -e\necho"), Some(&b"/bin/sh"[..]));
        assert_eq!(interpreter(b"#!/bin/sh\r\n"), Some(&b"/bin/sh\r"[..]));
        assert_eq!(interpreter(b"echo\n"), None);
        assert_eq!(interpreter(b"#!\n"), None);
    }

    #[test]
    fn what_is_wrong_with_a_program_is_told_apart() {
        let code = |path| check(path).map_err(|failure| failure.code());
        assert_eq!(code(c"/bin/sh"), Ok(()));
        assert_eq!(code(c"/no/such"), Err(127));
        assert_eq!(code(c"/etc"), Err(126));
        assert_eq!(code(c"/etc/passwd"), Err(126));
        assert_eq!(code(c"/dev/null"), Err(126));
    }
}
