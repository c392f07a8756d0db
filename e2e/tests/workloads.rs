//! Workloads make rich pods.

use e2e::{busybox, in_namespace};
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
