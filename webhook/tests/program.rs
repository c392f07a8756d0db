//! The program from outside: exit codes, and what it says where it cannot begin.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests panic as tests do.

use std::{
    fs,
    io::{BufRead, BufReader, Lines, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::symlink,
    path::PathBuf,
    process::{Child, ChildStdout, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant, SystemTime},
};

use serde_json::Value;
use webhook::certificate::authority::Material;

/// A folder of a test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rich-pouch-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rich-pouch-webhook"));
    command.args(["--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0"]).args(arguments);
    command.env_clear();
    command
}

fn code_and_last_line(output: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (output.status.code(), text.lines().last().unwrap_or_default().to_owned())
}

#[test]
fn a_wrong_flag_is_2_and_a_wrong_file_is_1_with_a_sentence() {
    assert_eq!(program(&["--colour=red"]).output().unwrap().status.code(), Some(2));
    let output = program(&["--namespace=a", "--config=/nowhere/config.yaml"]).output().unwrap();
    let (code, line) = code_and_last_line(&output);
    assert_eq!(code, Some(1));
    assert!(line.contains("/nowhere/config.yaml"), "{line}");

    let folder = Folder::new("wrong-file");
    let config = folder.write("config.yaml", "image: a\nprivilege: never\n");
    let output = program(&["--namespace=a", "--config", &config]).output().unwrap();
    let (code, line) = code_and_last_line(&output);
    assert_eq!(code, Some(1));
    assert!(line.contains("unknown field `privilege`"), "{line}");
}

#[test]
fn an_api_server_that_is_silent_is_1() {
    let folder = Folder::new("silent");
    let config = folder.write("config.yaml", "image: a\n");
    let kubeconfig = kubeconfig(&folder, "127.0.0.1:1");
    let mut command = program(&["--namespace=a", "--config", &config]);
    let output = command.env("KUBECONFIG", kubeconfig).output().unwrap();
    let (code, line) = code_and_last_line(&output);
    assert_eq!(code, Some(1));
    assert!(line.contains("whether the API server can be reached"), "{line}");
}

#[test]
fn the_kubelet_is_answered_while_the_api_server_is_waited_for() {
    let folder = Folder::new("waiting");
    let config = folder.write("config.yaml", "image: a\n");
    // The kernel takes the connection, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let kubeconfig = kubeconfig(&folder, &silent.local_addr().unwrap().to_string());
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = free.local_addr().unwrap().to_string();
    drop(free);
    let mut command = Command::new(env!("CARGO_BIN_EXE_rich-pouch-webhook"));
    command.args(["--listen=127.0.0.1:0", "--namespace=a", "--config", &config]);
    command.args(["--admin-listen", &admin]).env_clear().env("KUBECONFIG", kubeconfig);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let answer = loop {
        match TcpStream::connect(&admin) {
            Ok(_) => break get(&admin, "/livez"),
            Err(_) => assert_eq!(child.try_wait().unwrap(), None, "it ended"),
        }
        sleep(Duration::from_millis(10));
    };
    let has_ended = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(has_ended, None);
}

fn kubeconfig(folder: &Folder, server: &str) -> String {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
         clusters: [{{name: a, cluster: {{server: 'https://{server}'}}}}]\n\
         contexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n\
         users: [{{name: a, user: {{token: a}}}}]\n"
    );
    folder.write("kubeconfig", &text)
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    // It may be cut off.
    let _ = stream.read_to_string(&mut answer);
    answer
}

/// The program with a certificate in files, answering.
struct Running {
    child: Child,
    log: Lines<BufReader<ChildStdout>>,
    admin: String,
}

impl Running {
    fn start(folder: &Folder, chain: &str, key: &str) -> Self {
        let config = folder.write("config.yaml", "image: a\npodSecurity: false\n");
        let mut child = program(&["--config", &config, "--shutdown-delay=500ms"])
            .args(["--tls-cert-file", chain, "--tls-key-file", key])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut running = Self { child, log, admin: String::new() };
        let line = running.until("answering");
        line["admin"].as_str().unwrap().clone_into(&mut running.admin);
        while !running.get("/readyz").starts_with("HTTP/1.1 200") {}
        running
    }

    /// The next line of its log with this message.
    fn until(&mut self, message: &str) -> Value {
        loop {
            let line: Value = serde_json::from_str(&self.log.next().unwrap().unwrap()).unwrap();
            if line["message"].as_str().unwrap().contains(message) {
                return line;
            }
        }
    }

    fn get(&self, path: &str) -> String {
        get(&self.admin, path)
    }

    /// The value of a metric without labels.
    fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics");
        let row = text.lines().find_map(|row| row.strip_prefix(name)?.strip_prefix(' '));
        row.unwrap_or_else(|| panic!("{name}: {text}")).parse().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_signal_makes_it_leave_and_end_with_0() {
    let folder = Folder::new("signal");
    let material = Material::make(&["a.svc".into()], SystemTime::now()).unwrap();
    let chain = folder.write("tls.crt", &material.serving);
    let key = folder.write("tls.key", &material.serving_key);
    let mut running = Running::start(&folder, &chain, &key);
    let kill = Command::new("kill").args(["-TERM", &running.child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    running.until("asked to stop");
    while !running.get("/readyz").contains("not ready: stopping") {}
    running.until("stopped");
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}

/// A Secret as the kubelet mounts it: each file is a link through `..data`, which is a link to the
/// folder of the day and is what changes.
struct Mounted(Folder);

impl Mounted {
    fn new(test: &str, pair: (&str, &str)) -> Self {
        let mounted = Self(Folder::new(test));
        mounted.swap("first", pair);
        for name in ["tls.crt", "tls.key"] {
            symlink(format!("..data/{name}"), mounted.0.0.join(name)).unwrap();
        }
        mounted
    }

    fn swap(&self, day: &str, (chain, key): (&str, &str)) {
        let root = &self.0.0;
        fs::create_dir(root.join(day)).unwrap();
        fs::write(root.join(day).join("tls.crt"), chain).unwrap();
        fs::write(root.join(day).join("tls.key"), key).unwrap();
        symlink(day, root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.0.0.join(name).display().to_string()
    }
}

#[test]
fn a_certificate_that_the_kubelet_swaps_is_served_soon_and_a_broken_one_is_a_metric() {
    const FAILING: &str = "rich_pouch_certificate_failing";
    const EXPIRES: &str = "rich_pouch_certificate_not_after_timestamp_seconds";
    /// Of asking; what is waited for is the answer.
    const PACE: Duration = Duration::from_millis(50);
    let now = SystemTime::now();
    let [first, second, third] = [0, 1, 2]
        .map(|hours| Material::make(&["a.svc".into()], now + Duration::from_hours(hours)).unwrap());
    let secret = Mounted::new("swap", (&first.serving, &first.serving_key));
    let running = Running::start(&secret.0, &secret.path("tls.crt"), &secret.path("tls.key"));
    let expires = running.metric(EXPIRES);
    assert_eq!(running.metric(FAILING), 0);

    // What does not belong together leaves the old in its place.
    secret.swap("second", (&second.serving, &third.serving_key));
    while running.metric(FAILING) == 0 {
        sleep(PACE);
    }
    assert_eq!(running.metric(EXPIRES), expires);
    assert!(running.get("/readyz").starts_with("HTTP/1.1 200"));

    let swapped = Instant::now();
    secret.swap("third", (&third.serving, &third.serving_key));
    while running.metric(EXPIRES) != expires + 7200 {
        assert!(swapped.elapsed() < Duration::from_secs(10));
        sleep(PACE);
    }
    assert_eq!(running.metric(FAILING), 0);
}
