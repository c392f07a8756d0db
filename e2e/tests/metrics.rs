//! The metrics are such as Prometheus' own tool finds nothing to say about.

#![allow(clippy::expect_used, reason = "these are tests")]

use std::process::Stdio;

use e2e::admin_says;
use tokio::{io::AsyncWriteExt as _, process::Command};

async fn promtool_is_content(text: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, which e2e/run installs");
    let mut stdin = promtool.stdin.take().expect("its input");
    stdin.write_all(text.as_bytes()).await.expect("a reader");
    drop(stdin);
    let said = promtool.wait_with_output().await.expect("an end");
    let lines = [said.stdout, said.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    assert!(said.status.success() && lines.concat().is_empty(), "{}\n{text}", lines.concat());
}

#[tokio::test]
async fn promtool_has_nothing_to_say_about_the_webhooks_metrics() {
    let text = admin_says("webhook", "/metrics").await;
    assert!(text.contains("rich_pouch_admission_duration_seconds_bucket"), "{text}");
    promtool_is_content(&text).await;
}

#[tokio::test]
async fn promtool_has_nothing_to_say_about_the_node_agents_metrics() {
    let text = admin_says("node-agent", "/metrics").await;
    assert!(text.contains("rich_pouch_node_agent_admission_probe{outcome=\"refused\"}"), "{text}");
    // It provisions only with `binaries: node`: an alert about what nobody does would be a false one.
    assert!(!text.contains("rich_pouch_node_agent_provisioned"), "{text}");
    promtool_is_content(&text).await;
}
