//! The node agent watches that wrong combinations are refused, and has no right that it does not need
//! for that.

#![allow(clippy::expect_used, reason = "these are tests")]

use e2e::{admin_says, eventually, may, release_kubectl};
use serde_json::Value;

const ACCOUNT: &str = "rich-pouch-node-agent";

#[tokio::test]
async fn the_agent_saw_the_webhook_refuse_an_initscript_without_a_mode() {
    eventually("the admission probe saw a refusal", async || {
        let metrics = admin_says("node-agent", "/metrics").await;
        let row = "rich_pouch_node_agent_admission_probe{outcome=\"refused\"} 1";
        metrics.lines().any(|line| line == row).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_need_not_provision_has_neither_root_nor_the_host_nor_its_node() {
    let arguments = ["get", "daemonset", ACCOUNT, "--output=json"];
    let daemons: Value = serde_json::from_str(&release_kubectl(&arguments).await).expect("JSON");
    let spec = &daemons["spec"]["template"]["spec"];
    assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{spec}");
    for volume in spec["volumes"].as_array().into_iter().flatten() {
        assert_eq!(volume["hostPath"], Value::Null, "{volume}");
    }
    let ready = admin_says("node-agent", "/readyz").await;
    assert!(ready.contains("this agent does not provision"), "{ready}");
    for verb in ["get", "list", "patch", "update"] {
        assert!(!may(ACCOUNT, &[verb, "nodes"]).await, "{verb}");
    }
}

#[tokio::test]
async fn the_agent_may_write_events_about_nodes_and_read_three_objects() {
    let registrations =
        ["mutatingwebhookconfigurations/rich-pouch", "validatingwebhookconfigurations/rich-pouch"];
    assert!(may(ACCOUNT, &["create", "events", "--namespace=default"]).await);
    assert!(may(ACCOUNT, &["get", "services/rich-pouch-webhook", "--namespace=rich-pouch"]).await);
    for registration in registrations {
        assert!(may(ACCOUNT, &["get", registration]).await);
        assert!(!may(ACCOUNT, &["patch", registration]).await);
    }
    for more in [
        ["create", "events", "--namespace=rich-pouch"],
        ["create", "events", "--all-namespaces"],
        ["get", "services/kubernetes", "--namespace=default"],
        ["get", "secrets", "--namespace=rich-pouch"],
        ["get", "pods", "--all-namespaces"],
    ] {
        assert!(!may(ACCOUNT, &more).await, "{more:?}");
    }
}
