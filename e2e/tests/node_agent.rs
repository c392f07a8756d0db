//! The node agent provisions its node and watches that wrong combinations are refused.

#![allow(clippy::expect_used, reason = "these are tests")]

use e2e::{admin_says, client, eventually};
use k8s_openapi::api::core::v1::Node;
use kube::{Api, api::ListParams};

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[tokio::test]
async fn a_provisioned_node_is_labelled_ready_with_the_version() {
    let nodes: Api<Node> = Api::all(client().await);
    let label = contract::names::NODE_READY;
    eventually("every node is labelled", async || {
        let nodes = nodes.list(&ListParams::default()).await.ok()?.items;
        let version = |node: &Node| node.metadata.labels.as_ref()?.get(label).cloned();
        nodes.iter().all(|node| version(node).as_deref() == Some(VERSION)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_agent_saw_the_webhook_refuse_an_initscript_without_a_mode() {
    eventually("the admission probe saw a refusal", async || {
        let metrics = admin_says("node-agent", "/metrics").await;
        let row = "rich_pouch_node_agent_admission_probe{outcome=\"refused\"} 1";
        metrics.lines().any(|line| line == row).then_some(())
    })
    .await;
}
