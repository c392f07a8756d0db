//! Annotations on a Deployment itself reach its pods and go again, by whatever way they are
//! written, and nobody who writes the Deployment is made to write it again and again.

#![allow(clippy::expect_used, reason = "these are tests")]

use e2e::{Namespace, busybox, eventually, in_namespace};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};

const MODE: &str = "rich.pouch/mode";
const CARRIED: &str =
    "Warning: rich.pouch/mode is carried from the Deployment into its pod template";
const TAKEN: &str =
    "Warning: rich.pouch/mode is taken out of the pod template with the Deployment's";

/// A Deployment with these annotations of its own, and none in its template.
fn deployment(annotations: &Value) -> Value {
    busybox(&["sleep", "10000"]).workload("Deployment", annotations)
}

fn rich_deployment() -> Value {
    deployment(&json!({MODE: "dumb-init"}))
}

fn is_rich(pod: &Value) -> bool {
    pod["spec"]["containers"][0]["command"][0] == "/.rich/rich"
}

async fn a_rich_pod_runs(ns: &Namespace) {
    ns.pod_where("a rich pod runs", is_rich).await.started().await;
}

async fn a_plain_pod_runs(ns: &Namespace) {
    ns.pod_where("a plain pod runs", |pod| !is_rich(pod)).await.started().await;
}

async fn now(ns: &Namespace) -> Deployment {
    ns.api().get("app").await.expect("the Deployment")
}

/// The mode that its pod template says.
async fn mode_in_template(ns: &Namespace) -> Option<String> {
    now(ns).await.spec?.template.metadata?.annotations?.remove(MODE)
}

/// How many rollouts there were, once the Deployment's controller has seen its pods: what it does
/// not do then, it never does.
async fn rollouts(ns: &Namespace) -> usize {
    eventually("the rollout is complete", async || {
        let deployment: Deployment = ns.api().get("app").await.ok()?;
        let status = deployment.status?;
        let seen = status.observed_generation == deployment.metadata.generation;
        (seen && status.available_replicas == Some(1) && status.replicas == Some(1)).then_some(())
    })
    .await;
    let sets = ns.api::<ReplicaSet>().list(&ListParams::default()).await.expect("a list");
    sets.items.len()
}

#[tokio::test]
async fn kubectl_annotate_carries_it_and_takes_it_off_again() {
    in_namespace(async |ns| {
        ns.create_object(&deployment(&json!({}))).await;
        a_plain_pod_runs(ns).await;

        let said =
            ns.kubectl(&["annotate", "deployment", "app", "rich.pouch/mode=dumb-init"]).await;
        assert!(said.contains(CARRIED), "{said}");
        a_rich_pod_runs(ns).await;

        let said = ns.kubectl(&["annotate", "deployment", "app", "rich.pouch/mode-"]).await;
        assert!(said.contains(TAKEN), "{said}");
        a_plain_pod_runs(ns).await;
    })
    .await;
}

#[tokio::test]
async fn server_side_apply_carries_it_and_takes_it_off_again() {
    in_namespace(async |ns| {
        let apply = ["apply", "--server-side"];
        let said = ns.kubectl_with(&apply, &rich_deployment()).await;
        assert!(said.contains(CARRIED), "{said}");
        a_rich_pod_runs(ns).await;

        // Once more, and by somebody else who says the same: there is no conflict.
        ns.kubectl_with(&apply, &rich_deployment()).await;
        let other = ["apply", "--server-side", "--field-manager=other"];
        ns.kubectl_with(&other, &rich_deployment()).await;
        assert_eq!(now(ns).await.metadata.generation, Some(1));
        ns.kubectl_with(&other, &deployment(&json!({}))).await;
        assert_eq!(mode_in_template(ns).await.as_deref(), Some("dumb-init"));

        let said = ns.kubectl_with(&apply, &deployment(&json!({}))).await;
        assert!(said.contains(TAKEN), "{said}");
        a_plain_pod_runs(ns).await;
    })
    .await;
}

#[tokio::test]
async fn rollout_undo_goes_back_to_what_it_was_before_and_again() {
    in_namespace(async |ns| {
        ns.create_object(&deployment(&json!({}))).await;
        a_plain_pod_runs(ns).await;
        ns.kubectl(&["annotate", "deployment", "app", "rich.pouch/mode=dumb-init"]).await;
        a_rich_pod_runs(ns).await;

        for (mode, rich) in [(None, false), (Some("dumb-init"), true)] {
            ns.kubectl(&["rollout", "undo", "deployment", "app"]).await;
            ns.pod_where("a pod of the earlier kind runs", |pod| is_rich(pod) == rich).await;
            assert_eq!(mode_in_template(ns).await.as_deref(), mode);
            assert_eq!(rollouts(ns).await, 2);
        }
    })
    .await;
}

#[tokio::test]
async fn a_controller_that_writes_its_own_state_again_and_again_makes_one_rollout() {
    in_namespace(async |ns| {
        // All that it knows is what it wants: each write lacks what was carried.
        let wanted: Deployment = serde_json::from_value(rich_deployment()).expect("a Deployment");
        let created: Deployment =
            ns.api().create(&PostParams::default(), &wanted).await.expect("a Deployment");
        assert_eq!(rollouts(ns).await, 1);
        for _ in 0..5 {
            let written: Deployment = ns
                .api()
                .replace("app", &PostParams::default(), &wanted)
                .await
                .expect("a Deployment that is accepted");
            assert_eq!(written.spec, created.spec);
        }
        assert_eq!(mode_in_template(ns).await.as_deref(), Some("dumb-init"));
        assert_eq!(rollouts(ns).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_three_way_diff_finds_no_drift() {
    in_namespace(async |ns| {
        ns.kubectl_with(&["apply"], &rich_deployment()).await;
        assert_eq!(rollouts(ns).await, 1);
        // kubectl ends with 1 where there is a difference.
        for diff in [&["diff"][..], &["diff", "--server-side"]] {
            assert_eq!(ns.kubectl_with(diff, &rich_deployment()).await, "");
        }
        let said = ns.kubectl_with(&["apply"], &rich_deployment()).await;
        assert_eq!(said, "deployment.apps/app unchanged\n");

        ns.kubectl_with(&["apply"], &deployment(&json!({}))).await;
        assert_eq!(mode_in_template(ns).await, None);
        assert_eq!(ns.kubectl_with(&["diff"], &deployment(&json!({}))).await, "");
    })
    .await;
}
