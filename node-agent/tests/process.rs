//! The program as a process: exit codes, signals, and a kill in the middle of a copy. Its API
//! server is a port on which nobody listens.
#![allow(clippy::unwrap_used)]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_rich-pouch-node-agent");
const VERSION: &str = env!("CARGO_PKG_VERSION");
const LEN: u64 = 64 * 1024 * 1024;

/// A host, an image and a kubeconfig in a folder of their own.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("agent-{name}-{}", std::process::id()));
        fs::create_dir_all(root.join("opt")).unwrap();
        // Sparse: it costs nothing to make and takes a moment to copy.
        fs::File::create(root.join("rich")).unwrap().set_len(LEN).unwrap();
        let kubeconfig = "{apiVersion: v1, kind: Config, current-context: c,
            clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}],
            contexts: [{name: c, context: {cluster: c, user: u}}],
            users: [{name: u, user: {token: t}}]}";
        fs::write(root.join("kubeconfig"), kubeconfig).unwrap();
        Self(root)
    }

    /// By environment variables, which a test's flags override.
    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .env_clear()
            .env("KUBECONFIG", self.0.join("kubeconfig"))
            .env("NODE_NAME", "n1")
            .env("RICH_POUCH_HOST_DIR", self.0.join("opt"))
            .env("RICH_POUCH_SOURCE", self.0.join("rich"))
            .env("RICH_POUCH_ADMIN_LISTEN", "127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    fn folder(&self) -> PathBuf {
        self.0.join("opt").join(VERSION)
    }

    fn rich(&self) -> PathBuf {
        self.folder().join("rich")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn wait_for(what: &str, mut is: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        sleep(Duration::from_millis(1));
    }
}

fn signalled(child: Child, signal: &str) -> Output {
    let id = child.id().to_string();
    let kill = Command::new("kill").args([signal, &id]).status().unwrap();
    assert!(kill.success());
    child.wait_with_output().unwrap()
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

#[test]
fn a_wrong_flag_ends_with_2() {
    let place = Place::new("flag");
    let ended = place.command().arg("--interval=0s").output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let ended = Command::new(PROGRAM).env_clear().output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    assert!(String::from_utf8(ended.stderr).unwrap().contains("--node-name"));
}

#[test]
fn what_cannot_start_ends_with_1_and_a_sentence() {
    let place = Place::new("start");
    for flag in ["--source=/no/such", "--host-dir=/no/such", "--admin-listen=192.0.2.1:1"] {
        let (name, value) = flag.split_once('=').unwrap();
        let ended = place.command().arg(flag).output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{flag}: {said}");
        assert!(said.contains(value) && said.contains(name), "{flag}: {said}");
        assert_eq!(said.lines().count(), 1, "{flag}: {said}");
    }
}

/// The status and the body of a page of the admin port.
fn page(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// Starts it, and waits until its first probe has failed, as there is no API server.
fn probing(mut command: Command) -> (Child, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let child = command.arg(format!("--admin-listen={address}")).spawn().unwrap();
    wait_for("the admin port answers", || page(address, "/livez").is_some());
    wait_for("a probe has failed", || {
        let (_, metrics) = page(address, "/metrics").unwrap();
        metrics.contains("admission_probe{outcome=\"unknown\"} 1")
    });
    (child, address)
}

#[test]
fn without_a_host_folder_it_probes_and_touches_no_node() {
    let place = Place::new("probe");
    let mut command = place.command();
    // It needs no binary to install either.
    command.env_remove("RICH_POUCH_HOST_DIR").env("RICH_POUCH_SOURCE", "/no/such");
    let (child, address) = probing(command);
    let (status, why) = page(address, "/readyz").unwrap();
    assert_eq!(status, 200, "{why}");
    assert!(why.contains("does not provision"), "{why}");
    assert_eq!(signalled(child, "-TERM").status.code(), Some(0));
    assert_eq!(entries(&place.0.join("opt")), 0);
}

#[test]
fn it_provisions_and_says_so_while_the_api_server_is_away() {
    let place = Place::new("serve");
    let (child, address) = probing(place.command());
    assert_eq!(page(address, "/livez").unwrap().0, 200);
    let (status, why) = page(address, "/readyz").unwrap();
    assert_eq!(status, 503);
    assert!(
        why.contains(&format!("binaries {VERSION}: ok")) && why.contains("Connection refused"),
        "{why}"
    );
    let ended = signalled(child, "-TERM");
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(fs::metadata(place.rich()).unwrap().len(), LEN);
}

#[test]
fn a_kill_in_the_middle_leaves_no_half_file() {
    let place = Place::new("kill");
    let child = place.command().spawn().unwrap();
    wait_for("a copy begins", || entries(&place.folder()) > 0);
    signalled(child, "-KILL");
    if let Ok(rich) = fs::metadata(place.rich()) {
        assert_eq!(rich.len(), LEN);
    }
    let child = place.command().spawn().unwrap();
    wait_for("the copy is there", || place.folder().join("dumb-init").exists());
    assert_eq!(signalled(child, "-TERM").status.code(), Some(0));
    assert_eq!(fs::metadata(place.rich()).unwrap().len(), LEN);
    assert_eq!(entries(&place.folder()), 2);
}
