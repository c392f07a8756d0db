//! kubectl itself: what it prints is our user interface.

use std::{path::Path, process::Stdio};

use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command};

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// What it wrote to stdout and to stderr.
    pub text: String,
}

/// `e2e/cluster/cluster ARGUMENTS`, the cluster's own tool.
pub async fn cluster(arguments: &[&str]) -> Said {
    cluster_reads(arguments, "").await
}

/// The same, for who does more with it than wait for its end.
#[must_use]
pub fn cluster_command(arguments: &[&str]) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster/cluster");
    let mut command = Command::new(script);
    command.args(arguments);
    command
}

pub(crate) async fn cluster_reads(arguments: &[&str], input: &str) -> Said {
    let mut child = cluster_command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the cluster script");
    let mut stdin = child.stdin.take().expect("stdin");
    stdin.write_all(input.as_bytes()).await.expect("a command that reads its input");
    drop(stdin);
    let output = child.wait_with_output().await.expect("a command that ends");
    Said {
        code: output.status.code().unwrap_or(-1),
        text: String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
    }
}

/// `kubectl ARGUMENTS`.
pub async fn kubectl(arguments: &[&str]) -> Said {
    cluster(&[&["kubectl"], arguments].concat()).await
}

/// `kubectl apply --namespace NAMESPACE -f -` of an object.
pub async fn kubectl_apply(namespace: &str, object: &Value) -> Said {
    cluster_reads(&["kubectl", "apply", "--namespace", namespace, "-f", "-"], &object.to_string())
        .await
}
