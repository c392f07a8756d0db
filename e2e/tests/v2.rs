//! A rich pod behaves like a machine on a node with control groups of version 2, and another
//! kernel, too. These need the v2 node: `make e2e-v2` starts it and runs them.

#![allow(clippy::expect_used, reason = "these are tests")]

use e2e::{App, Node, busybox, client, debian, eventually, in_namespace};
use serde_json::Value;

#[tokio::test]
async fn a_dumb_init_pod_shows_the_init_and_the_application_and_has_cgroup_v2() {
    in_namespace(async |ns| {
        let app = busybox(&["sleep", "10000"]).rich("mode", "dumb-init").on(Node::V2);
        let pod = ns.run(&app).await;
        let files = pod.exec(&["stat", "-f", "-c", "%T", "/sys/fs/cgroup"]).await;
        assert!(files.contains("cgroup2") || files.trim() == "UNKNOWN", "{files}");
        let group = pod.exec(&["cat", "/proc/self/cgroup"]).await;
        assert_eq!(group.lines().count(), 1, "{group}");
        assert!(group.starts_with("0::/"), "{group}");
        let ps = pod.exec(&["ps", "-o", "pid,args"]).await;
        let lines: Vec<Vec<&str>> = ps.lines().map(|it| it.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["1", "/.rich/dumb-init", "--", "sleep", "10000"], "{ps}");
        assert_eq!(lines[2][1..], ["sleep", "10000"], "{ps}");
    })
    .await;
}

#[tokio::test]
async fn a_pod_ends_with_the_applications_exit_code_and_has_its_log() {
    for (mode, app) in [("dumb-init", busybox as fn(&[&str]) -> App), ("systemd", debian)] {
        in_namespace(async |ns| {
            let app = app(&["/bin/sh", "-c", "echo said; exit 7"]).rich("mode", mode);
            let pod = ns.run(&app.on(Node::V2)).await;
            assert_eq!(pod.exit_code().await, 7, "{mode}");
            let log = pod.logs().await;
            assert!(log.lines().any(|line| line == "said"), "{mode}: {log}");
        })
        .await;
    }
}

/// What systemd and sbin-init have in common on an image whose /sbin/init is systemd.
async fn boots(mode: &str) {
    in_namespace(async |ns| {
        let app = debian(&["/usr/bin/sleep", "10000"]).rich("mode", mode).on(Node::V2);
        let pod = ns.run(&app).await;
        let state = ["systemctl", "is-system-running", "--wait"];
        pod.exec_until(&state, |state| state.trim() == "running").await;
        let failed = pod.exec(&["systemctl", "--failed", "--no-legend"]).await;
        assert_eq!(failed, "");
        let ps = pod.exec(&["ps", "-eo", "pid,ppid,comm,args", "--no-headers"]).await;
        let rows: Vec<Vec<&str>> = ps.lines().map(|it| it.split_whitespace().collect()).collect();
        let init = rows.iter().find(|row| row[0] == "1").expect("PID 1");
        assert_eq!(init[2], "systemd", "{ps}");
        let sleep = rows.iter().find(|row| row[2] == "sleep").expect("the application");
        assert_eq!(sleep[1], "1", "{ps}");
    })
    .await;
}

#[tokio::test]
async fn a_systemd_pod_is_running_without_a_failed_unit() {
    boots("systemd").await;
}

#[tokio::test]
async fn a_sbin_init_pod_is_running_without_a_failed_unit() {
    boots("sbin-init").await;
}

#[tokio::test]
async fn an_initscript_gets_the_oci_state_on_its_standard_input() {
    for (mode, app) in [
        ("dumb-init", busybox(&["sleep", "10000"])),
        ("systemd", debian(&["/usr/bin/sleep", "10000"])),
    ] {
        in_namespace(async |ns| {
            ns.scripts("scripts", &[("init.sh", "#! /bin/sh\necho $(cat) >/tmp/xxx\n")]).await;
            let app = app.clone().rich("mode", mode).scripts("scripts");
            let pod = ns.run(&app.rich("initscript", "/scripts/init.sh").on(Node::V2)).await;
            let file = pod.exec_until(&["cat", "/tmp/xxx"], |text| text.starts_with('{')).await;
            let state: Value = serde_json::from_str(&file).expect("JSON");
            assert!(state["pid"].is_u64(), "{file}");
        })
        .await;
    }
}

#[tokio::test]
async fn the_node_agent_provisioned_the_node() {
    use k8s_openapi::api::core::v1::Node as NodeObject;
    let nodes: kube::Api<NodeObject> = kube::Api::all(client().await);
    let v2 = kube::api::ListParams::default().labels("rich-pouch.test/cgroup=v2");
    eventually("the v2 node is labelled", async || {
        let node = nodes.list(&v2).await.ok()?.items.into_iter().next()?;
        node.metadata.labels?.contains_key(contract::names::NODE_READY).then_some(())
    })
    .await;
}
