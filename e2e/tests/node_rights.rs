//! What the node agent may do to nodes, where it provisions them. One test, since it sets the whole
//! release.

#![allow(clippy::expect_used, clippy::panic, reason = "these are tests")]

use e2e::{
    RELEASE_NAMESPACE, busybox, client, client_of, eventually, may, pod_of, release_kubectl,
    with_binaries,
};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api, Client,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const ACCOUNT: &str = "rich-pouch-node-agent";
const ITS_NODE: &str = "may change only the node that its token is bound to";
const ITS_LABELS: &str = "may change only labels that begin with rich.pouch/";
const ITS_TAINTS: &str = "may change only taints that begin with rich.pouch/";
const NOTHING_ELSE: &str = "may change nothing but labels and taints";

/// What the API server says to a patch of a node, which it does not write.
async fn verdict(client: &Client, node: &str, patch: &Value) -> Result<(), String> {
    let params = PatchParams { dry_run: true, ..PatchParams::default() };
    match Api::<Node>::all(client.clone()).patch(node, &params, &Patch::Merge(patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(other) => panic!("no answer of the API server: {other}"),
    }
}

async fn is_refused(client: &Client, node: &str, patch: &Value, sentence: &str) {
    let said = verdict(client, node, patch).await.err().unwrap_or_default();
    assert!(said.contains(sentence), "{patch}: {said}");
}

/// The agent of another node: what has the token of a pod there. Of a node that does not exist, so
/// that nobody runs the pod, and where a test leaves it behind the cluster collects it.
async fn an_agent_of_another_node_is_refused(node: &str, patch: &Value) {
    let pods: Api<Pod> = Api::namespaced(client().await, RELEASE_NAMESPACE);
    let pod =
        busybox(&["true"]).spec(json!({"serviceAccountName": ACCOUNT, "nodeName": "another"}));
    let pod: Pod = serde_json::from_value(pod.pod()).expect("a pod");
    let pod = pods.create(&PostParams::default(), &pod).await.expect("a pod that is accepted");
    let name = pod.metadata.name.expect("a name");
    is_refused(&client_of(ACCOUNT, Some(&name)).await, node, patch, ITS_NODE).await;
    let at_once = DeleteParams::default().grace_period(0);
    pods.delete(&name, &at_once).await.expect("a pod to delete");
}

async fn the_nodes_are_labelled() {
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
async fn an_agent_labels_its_node_and_can_change_nothing_but_its_own_labels_and_taints_there() {
    // An agent that provisioned once, in another test, has left it there.
    let label = format!("{}-", contract::names::NODE_READY);
    release_kubectl(&["label", "nodes", "--all", &label]).await;
    with_binaries("node", async || {
        the_nodes_are_labelled().await;
        assert!(may(ACCOUNT, &["patch", "nodes"]).await);
        for more in [["get", "nodes"], ["update", "nodes"], ["delete", "nodes"]] {
            assert!(!may(ACCOUNT, &more).await, "{more:?}");
        }
        assert!(!may(ACCOUNT, &["patch", "nodes", "--subresource=status"]).await);

        let pod = pod_of("node-agent").await;
        let node = pod.spec.expect("a spec").node_name.expect("its node");
        let agent = client_of(ACCOUNT, pod.metadata.name.as_deref()).await;
        let nodes: Api<Node> = Api::all(client().await);
        let found = nodes.get(&node).await.expect("its node");
        let taints = json!(found.spec.and_then(|spec| spec.taints).unwrap_or_default());
        let with_taint = |key: &str| {
            let mut taints = taints.as_array().expect("taints").clone();
            taints.push(json!({"key": key, "effect": "PreferNoSchedule"}));
            json!({"spec": {"taints": taints}})
        };
        let label = |name: &str, value: &Value| json!({"metadata": {"labels": {name: value}}});
        let own = label("rich.pouch/ready", &json!(null));

        for allowed in [&own, &label("rich.pouch/other", &json!("a")), &with_taint("rich.pouch/a")]
        {
            assert_eq!(verdict(&agent, &node, allowed).await, Ok(()), "{allowed}");
        }
        for (refused, sentence) in [
            (label("node-restriction.kubernetes.io/team", &json!("a")), ITS_LABELS),
            (label("kubernetes.io/hostname", &json!(null)), ITS_LABELS),
            (label("rich.pouch", &json!("a")), ITS_LABELS),
            (with_taint("example.com/a"), ITS_TAINTS),
            (json!({"spec": {"unschedulable": true}}), NOTHING_ELSE),
            (json!({"spec": {"providerID": "a"}}), NOTHING_ELSE),
            (json!({"metadata": {"annotations": {"rich.pouch/a": "a"}}}), NOTHING_ELSE),
            (json!({"metadata": {"finalizers": ["example.com/a"]}}), NOTHING_ELSE),
        ] {
            is_refused(&agent, &node, &refused, sentence).await;
        }
        is_refused(&client_of(ACCOUNT, None).await, &node, &own, ITS_NODE).await;
        an_agent_of_another_node_is_refused(&node, &own).await;
        // Who is not the agent is not bound.
        assert_eq!(verdict(&client().await, &node, &with_taint("example.com/a")).await, Ok(()));
    })
    .await;
}
