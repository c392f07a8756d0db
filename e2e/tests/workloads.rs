//! Annotations on a workload reach its pods, and go again.

use e2e::{busybox, eventually, in_namespace, kubectl_apply};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::api::ListParams;
use serde_json::{Value, json};

fn is_rich(pod: &Value) -> bool {
    pod["spec"]["containers"][0]["command"][0] == "/.rich/rich"
}

#[tokio::test]
async fn an_annotated_deployment_makes_rich_pods() {
    in_namespace(async |ns| {
        let app = busybox(&["sleep", "10000"]).rich("mode", "dumb-init");
        ns.create_object(&app.workload("Deployment", &json!({}))).await;
        let pod = ns.pod_where("the Deployment made a rich pod", is_rich).await;
        assert!(pod.exec(&["ps"]).await.contains("/.rich/dumb-init -- sleep 10000"));
    })
    .await;
}

#[tokio::test]
async fn an_annotation_of_the_deployment_itself_is_carried_into_its_pods_and_taken_off_again() {
    in_namespace(async |ns| {
        let app = busybox(&["sleep", "10000"]);
        ns.create_object(&app.workload("Deployment", &json!({}))).await;
        ns.pod_where("a plain pod runs", |pod| !is_rich(pod)).await.started().await;

        ns.annotate_deployment("app", json!({"rich.pouch/mode": "dumb-init"})).await;
        ns.pod_where("a rich pod took its place", is_rich).await.started().await;

        ns.annotate_deployment("app", json!({"rich.pouch/mode": null})).await;
        ns.pod_where("a plain pod took its place again", |pod| !is_rich(pod)).await.started().await;
    })
    .await;
}

#[tokio::test]
async fn carrying_an_annotation_says_so_and_makes_one_rollout_not_many() {
    in_namespace(async |ns| {
        let app = busybox(&["sleep", "10000"]);
        let annotations = json!({"rich.pouch/mode": "dumb-init"});
        let said = kubectl_apply(&ns.name, &app.workload("Deployment", &annotations)).await;
        let warning =
            "Warning: rich.pouch/mode is carried from the Deployment into its pod template";
        assert!(said.text.contains(warning), "{}", said.text);
        ns.pod_where("a rich pod runs", is_rich).await.started().await;
        // The Deployment's controller has seen its pods: what it does not do now, it never does.
        let generation = eventually("the rollout is complete", async || {
            let deployment: Deployment = ns.api().get("app").await.ok()?;
            let status = deployment.status?;
            let generation = deployment.metadata.generation;
            (status.observed_generation == generation && status.available_replicas == Some(1))
                .then_some(generation)
        })
        .await;
        assert_eq!(generation, Some(1));
        let sets = ns.api::<ReplicaSet>().list(&ListParams::default()).await.expect("a list");
        assert_eq!(sets.items.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_rich_job_completes_and_a_failing_one_fails() {
    in_namespace(async |ns| {
        let app = busybox(&["sh", "-c", "exit 3"]).rich("mode", "dumb-init");
        ns.create_object(&app.workload("Job", &json!({}))).await;
        let pod = ns.pod_where("the Job made a rich pod", is_rich).await;
        assert_eq!(pod.exit_code().await, 3);
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_comes_out_of_the_api_server_goes_in_again_unchanged() {
    in_namespace(async |ns| {
        let app = busybox(&["sleep", "1"]).rich("mode", "systemd");
        let first = ns.accepts(&app).await;
        let mut again = first.clone();
        again["metadata"] = json!({
            "generateName": "app-",
            "annotations": first["metadata"]["annotations"],
        });
        let second = ns.accepts_pod(&again).await;
        assert_eq!(first["spec"], second["spec"]);
    })
    .await;
}
