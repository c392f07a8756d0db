//! Runs the real program, away from the files of the machine. Needs root, for namespaces.

#![allow(dead_code)] // Every test file uses a part of it.
#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

pub(crate) mod image;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::{fs::PermissionsExt, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

pub(crate) const RICH: &str = env!("CARGO_BIN_EXE_rich");

/// How long anything may take on a busy machine before it counts as hanging.
const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until a condition holds.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// The original, where it is tested in the place of ours.
pub(crate) fn original() -> Option<String> {
    std::env::var("DUMB_INIT").ok()
}

/// Says whether a test is of something in which the original is known to differ, and that is what
/// is tested.
pub(crate) fn only_ours(difference: &str) -> bool {
    let skipped = original().is_some();
    if skipped {
        println!("not of the original: {difference}");
    }
    skipped
}

/// A folder with an installed `rich` and `dumb-init`, and whatever a test puts there.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn empty() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rich-test-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn installed() -> Self {
        let folder = Self::empty();
        let status = Command::new(RICH).arg("install").arg(&folder.0).status().unwrap();
        assert!(status.success());
        folder
    }

    /// The path of a file of the folder; for `dumb-init`, the one that is tested: ours, or the
    /// original where `DUMB_INIT` names it, which must pass the same tests.
    pub(crate) fn path(&self, name: &str) -> String {
        if let Some(original) = original().filter(|_| name == "dumb-init") {
            return original;
        }
        self.0.join(name).into_os_string().into_string().unwrap()
    }

    pub(crate) fn write(&self, name: &str, mode: u32, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    pub(crate) fn script(&self, name: &str, text: &str) -> String {
        self.write(name, 0o755, text)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// `rich run`, with a termination message of the test's own. A mount keeps its environment out
    /// of the machine's own profiles.
    pub(crate) fn run(&self, flags: &[&str], command: &[&str]) -> Command {
        let mut run = self.isolated(&[]);
        run.arg(self.path("rich")).arg("run");
        run.arg(format!("--termination-log={}", self.write("message", 0o644, "")));
        run.args(flags).arg("--").args(command);
        run
    }

    /// The same as PID 1 of a PID namespace.
    pub(crate) fn run_as_pid_1(&self, flags: &[&str], command: &[&str]) -> Command {
        let mut run = self.isolated(&["--pid", "--fork", "--kill-child", "--mount-proc"]);
        run.arg(self.path("rich")).arg("run");
        run.arg(format!("--termination-log={}", self.write("message", 0o644, "")));
        run.args(flags).arg("--").args(command);
        run
    }

    /// dumb-init, as a container would call it.
    pub(crate) fn dumb_init(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.path("dumb-init"));
        command.args(args).stdin(Stdio::null());
        command
    }

    fn isolated(&self, namespaces: &[&str]) -> Command {
        let profile = self.path("profile.d");
        fs::create_dir_all(&profile).unwrap();
        let mut command = Command::new("unshare");
        command.arg("--mount").args(namespaces).args([
            "sh",
            "-c",
            "mount --bind \"$0\" /etc/profile.d && exec \"$@\"",
            &profile,
        ]);
        command.stdin(Stdio::null());
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs a command to its end, within the deadline.
pub(crate) fn finish(command: &mut Command) -> Output {
    let mut child = Running::start(command);
    let mut stderr = child.child.stderr.take().unwrap();
    let errors = thread::spawn(move || {
        let mut text = Vec::new();
        stderr.read_to_end(&mut text).map(|_| text)
    });
    let mut stdout = Vec::new();
    let mut reader = child.stdout.take().unwrap();
    let output = thread::spawn(move || reader.read_to_end(&mut stdout).map(|_| stdout));
    let code = child.code();
    Output {
        status: ExitStatusExt::from_raw(code << 8),
        stdout: output.join().unwrap().unwrap(),
        stderr: errors.join().unwrap().unwrap(),
    }
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A command in the background, killed with the test.
pub(crate) struct Running {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = child.stdout.take().map(BufReader::new);
        Self { child, stdout }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Reads no more of standard error.
    pub(crate) fn close_stderr(&mut self) {
        self.child.stderr = None;
    }

    /// What was to be written to.
    pub(crate) fn stdin(&mut self) -> &mut ChildStdin {
        self.child.stdin.as_mut().unwrap()
    }

    /// Waits for the next line on standard output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        line.trim_end().into()
    }

    pub(crate) fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.stdout.as_mut().unwrap().read_to_string(&mut rest).unwrap();
        rest
    }

    /// Waits until it has become dumb-init and the application runs: from then on no signal is
    /// lost.
    pub(crate) fn until_the_application_runs(&self) {
        let pid = self.pid();
        until("the application runs", || {
            let child = children(pid).first().copied();
            let name = child.and_then(|child| process(child, "Name"));
            name.is_some_and(|name| name != "dumb-init" && name != "rich")
        });
    }

    pub(crate) fn signal(&self, signal: i32) {
        kill(i32::try_from(self.pid()).unwrap(), signal);
    }

    /// Waits for its end and gives its exit code, 1000 and the signal where it was killed.
    pub(crate) fn code(&mut self) -> i32 {
        let mut status = None;
        until("the program has ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let status = status.unwrap();
        status.code().unwrap_or_else(|| 1000 + status.signal().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal, by number, with the shell's kill.
pub(crate) fn kill(pid: i32, signal: i32) {
    let status = Command::new("kill")
        .args([format!("-{signal}"), "--".into(), pid.to_string()])
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success(), "kill -{signal} {pid}");
}

/// A field of `/proc/PID/status`.
pub(crate) fn process(pid: u32, field: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.map(|value| value.trim().to_owned())
}

/// The one-letter state of a process: R, S, T, Z.
pub(crate) fn state(pid: u32) -> Option<char> {
    process(pid, "State")?.chars().next()
}

/// The children of a process.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

pub(crate) fn exists(path: &str) -> bool {
    Path::new(path).exists()
}
