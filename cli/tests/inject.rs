//! `kubectl rich-pouch inject`, as a user runs it.

#![allow(clippy::expect_used, reason = "these are tests")]

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use serde::Deserialize as _;
use serde_json::Value;

fn inject(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-rich_pouch"))
        .arg("inject")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut stdin = child.stdin.take().expect("stdin");
    // A program that does not read its input closes it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("an end")
}

fn objects(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_yaml::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).expect("YAML"))
        .collect()
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: app, annotations: {rich.pouch/mode: dumb-init}}
spec: {containers: [{name: app, image: busybox, command: [sleep], args: ['1']}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
data: {a: b}
";

#[test]
fn a_pod_comes_out_rich_and_other_objects_as_they_are() {
    let output = inject(&["--image=x/rich-pouch:2", "-f", "-"], POD);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let objects = objects(&output);
    assert_eq!(objects[0]["spec"]["containers"][0]["command"][0], "/.rich/rich");
    assert_eq!(objects[0]["spec"]["initContainers"][0]["image"], "x/rich-pouch:2");
    assert_eq!(objects[1]["data"]["a"], "b");
    let again =
        inject(&["--image=x/rich-pouch:2", "-f", "-"], &String::from_utf8_lossy(&output.stdout));
    assert_eq!(again.stdout, output.stdout);
}

#[test]
fn the_first_container_of_a_file_is_the_creators() {
    let two = POD.replace("{containers: [", "{containers: [{name: web, command: [web]}, ");
    let output = inject(&["-f", "-"], &two);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let pod = &objects(&output)[0];
    assert_eq!(pod["spec"]["containers"][0]["command"][0], "/.rich/rich");
    assert_eq!(pod["spec"]["containers"][1]["command"][0], "sleep");
    let again = inject(&["-f", "-"], &String::from_utf8_lossy(&output.stdout));
    assert_eq!(again.stdout, output.stdout);
}

#[test]
fn what_breaks_a_rule_is_said_with_the_object_and_is_not_written() {
    let output = inject(&["-f", "-"], &POD.replace("dumb-init", "upstart"));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        complaint(&output),
        "-: Pod app: error: rich.pouch/mode: not supported rich mode: upstart; \
         use dumb-init, systemd or sbin-init\n"
    );
    assert_eq!(objects(&output).len(), 1);
}

#[test]
fn input_that_cannot_be_read_gets_a_sentence() {
    for (arguments, input, sentence) in [
        (["-f", "/no/such/file"], "", "error: /no/such/file: cannot be read: "),
        (["-f", "-"], "a: [", "error: -: document 1 is no YAML: "),
        (
            ["-f", "-"],
            "{apiVersion: v1, kind: Pod, spec: 1}",
            "error: -: Pod : the Pod cannot be read: ",
        ),
    ] {
        let output = inject(&arguments, input);
        assert_eq!(output.status.code(), Some(1), "{input}");
        let said = complaint(&output);
        assert!(said.starts_with(sentence), "{said}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [&[][..], &["--nonsense"], &["-f", "-", "--privileged=perhaps"]] {
        let output = inject(arguments, "");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(complaint(&output).starts_with("error: "));
    }
}
