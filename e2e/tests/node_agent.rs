//! The node agent provisions its node and watches that wrong combinations are refused.

#![allow(clippy::expect_used, reason = "these are tests")]

use e2e::{RELEASE_NAMESPACE, client, eventually};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, api::ListParams};

const VERSION: &str = env!("CARGO_PKG_VERSION");

async fn agent_says(path: &str) -> String {
    let client = client().await;
    let pods: Api<Pod> = Api::namespaced(client.clone(), RELEASE_NAMESPACE);
    let ours = ListParams::default().labels("app.kubernetes.io/component=node-agent");
    let agents = pods.list(&ours).await.expect("the agents");
    let agent = agents.items.first().expect("an agent").metadata.name.clone().expect("a name");
    let uri = format!("/api/v1/namespaces/{RELEASE_NAMESPACE}/pods/{agent}:8081/proxy{path}");
    let request = http::Request::get(uri).body(Vec::new()).expect("a request");
    client.request_text(request).await.expect("an answer")
}

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
        let metrics = agent_says("/metrics").await;
        let row = "rich_pouch_node_agent_admission_probe{outcome=\"refused\"} 1";
        metrics.lines().any(|line| line == row).then_some(())
    })
    .await;
}
