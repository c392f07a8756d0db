//! What is told where `kubectl describe` shows it: on what makes the pods.

use e2e::{App, Namespace, busybox, eventually, in_namespace};
use serde_json::{Value, json};

const KINDS: [&str; 5] = ["ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"];

fn rich() -> App {
    busybox(&["sleep", "10000"]).rich("mode", "dumb-init")
}

#[tokio::test]
async fn what_makes_the_pods_is_told_once_that_they_are_injected() {
    in_namespace(async |ns| {
        for kind in KINDS {
            let mut workload = rich().workload(kind, &json!({}));
            let count = if kind == "Job" { "parallelism" } else { "replicas" };
            if kind != "DaemonSet" {
                workload["spec"][count] = 3.into();
            }
            ns.create_object(&workload).await;
            let told = async || ns.events(kind, "Injected").await.pop();
            let told = eventually("an Event Injected", told).await;
            assert!(told.starts_with("Injected pod app-"), "{kind}: {told}");
            assert!(told.contains(": mode dumb-init, Rich Pouch "), "{kind}: {told}");
        }
        // By then each replica of the webhook has been asked about pods of the same.
        let all = async || {
            let pods = ns.kubectl(&["get", "pods", "--output=name"]).await;
            (pods.lines().count() >= 13).then_some(())
        };
        eventually("all pods", all).await;
        for kind in KINDS {
            assert_eq!(ns.events(kind, "Injected").await.len(), 1, "{kind}");
        }
    })
    .await;
}

/// A pod that belongs to a ConfigMap of this name, and is known by it.
async fn owned_by(ns: &Namespace, name: &str) -> Value {
    ns.scripts(name, &[]).await;
    let uid = ns.kubectl(&["get", "configmap", name, "--output=jsonpath={.metadata.uid}"]).await;
    let mut pod = rich().pod();
    pod["metadata"]["name"] = name.into();
    pod["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid,
        "controller": true}]);
    pod
}

#[tokio::test]
async fn a_dry_run_tells_nothing() {
    in_namespace(async |ns| {
        let tried = owned_by(ns, "tried").await;
        for _ in 0..10 {
            ns.would_take(&tried).await.expect("a pod that is accepted");
        }
        // What was asked earlier would be told earlier, by whichever replica.
        let mut made = owned_by(ns, "made").await;
        for number in 0..10 {
            made["metadata"]["name"] = format!("made-{number}").into();
            ns.create_object(&made).await;
        }
        let told = async || ns.events("ConfigMap", "Injected").await.pop();
        let told = eventually("an Event Injected", told).await;
        assert!(told.starts_with("Injected pod made-"), "{told}");
        let events = ns.events("ConfigMap", "Injected").await;
        assert_eq!(events, [told]);
    })
    .await;
}
