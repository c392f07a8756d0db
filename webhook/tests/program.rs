//! The program from outside: exit codes, and what it says where it cannot begin.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests panic as tests do.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::SystemTime,
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
    let kubeconfig = folder.write(
        "kubeconfig",
        "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
         clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\n\
         contexts: [{name: a, context: {cluster: a, user: a}}]\n\
         users: [{name: a, user: {token: a}}]\n",
    );
    let mut command = program(&["--namespace=a", "--config", &config]);
    let output = command.env("KUBECONFIG", kubeconfig).output().unwrap();
    let (code, line) = code_and_last_line(&output);
    assert_eq!(code, Some(1));
    assert!(line.contains("whether the API server can be reached"), "{line}");
}

#[test]
fn a_signal_makes_it_leave_and_end_with_0() {
    let folder = Folder::new("signal");
    let material = Material::make(&["a.svc".into()], SystemTime::now()).unwrap();
    let config = folder.write("config.yaml", "image: a\npodSecurity: false\n");
    let chain = folder.write("tls.crt", &material.serving);
    let key = folder.write("tls.key", &material.serving_key);
    let mut child = program(&["--config", &config, "--shutdown-delay=500ms"])
        .args(["--tls-cert-file", &chain, "--tls-key-file", &key])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = |message: &str| {
        loop {
            let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            if line["message"].as_str().unwrap().contains(message) {
                return line;
            }
        }
    };
    let admin = until("answering")["admin"].as_str().unwrap().to_owned();
    let readiness = || {
        let mut stream = TcpStream::connect(&admin).unwrap();
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    while !readiness().starts_with("HTTP/1.1 200") {}
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
    until("asked to stop");
    while !readiness().contains("not ready: stopping") {}
    until("stopped");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
