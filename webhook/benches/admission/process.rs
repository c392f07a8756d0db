//! A server as a process: started, read off /proc, and ended.

use std::{
    fs,
    io::{BufRead, BufReader, copy, sink},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::reference;

/// The unit of /proc/PID/stat: USER_HZ, 100 on every architecture that Kubernetes runs on.
const TICK: Duration = Duration::from_millis(10);

/// A server that listens.
pub(crate) struct Process {
    child: Child,
    /// Where it does.
    pub(crate) address: SocketAddr,
}

impl Process {
    /// The webhook, as it is in a cluster but for its certificate and for namespaces, which need
    /// an API server.
    pub(crate) fn webhook(config: &str, chain: &str, key: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rich-pouch-webhook"));
        command.args(["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"]).args([
            "--config",
            config,
            "--tls-cert-file",
            chain,
            "--tls-key-file",
            key,
        ]);
        Self::start(command.env_clear())
    }

    /// The server that it is compared with.
    pub(crate) fn reference(chain: &str, key: &str, answer: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        Self::start(command.args([reference::ARGUMENT, chain, key, answer]).env_clear())
    }

    /// Both say on standard output where they listen.
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "{command:?} ended");
            let line: Value = serde_json::from_str(&line).unwrap();
            if let Some(address) = line["listen"].as_str() {
                break address.parse().unwrap();
            }
        };
        // Somebody reads the log, as the container runtime does.
        thread::spawn(move || copy(&mut output, &mut sink()));
        Self { child, address }
    }

    /// The processor time that it has taken so far.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // The second field is the name, in parentheses, which may hold blanks; utime and stime
        // are the fields 14 and 15.
        let fields = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace();
        let ticks = fields.skip(11).take(2).map(|it| it.parse::<u32>().unwrap()).sum();
        TICK * ticks
    }

    /// The memory that is resident, in bytes.
    pub(crate) fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib: f64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
        kib * 1024.0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that is gone afterwards.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("rich-pouch-bench-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file, and says its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path.into_os_string().into_string().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
