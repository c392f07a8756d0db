//! A rich pod goes wherever the plain one goes, with what Kubernetes has around pods.

use e2e::{busybox, debian, eventually, in_labelled_namespace, in_namespace};
use serde_json::{Value, json};

/// A container that asks for exactly this.
fn frugal() -> e2e::App {
    let amounts = json!({"cpu": "50m", "memory": "32Mi"});
    let resources = json!({"requests": amounts, "limits": amounts});
    busybox(&["sleep", "10000"]).container(json!({"resources": resources}))
}

#[tokio::test]
async fn a_quota_that_is_enough_for_the_plain_pod_is_enough_for_the_rich_one() {
    in_namespace(async |ns| {
        let hard = json!({"pods": "1", "requests.cpu": "50m", "requests.memory": "32Mi",
                          "limits.cpu": "50m", "limits.memory": "32Mi"});
        let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota",
                           "metadata": {"name": "all"}, "spec": {"hard": hard}});
        ns.create_object(&quota).await;
        // What asks for nothing is refused, once the quota is there.
        let refused = async || ns.would_take(&busybox(&["true"]).pod()).await.err();
        eventually("the quota counts", refused).await;
        ns.run(&frugal().rich("mode", "dumb-init")).await.started().await;
        ns.refuses(&frugal().rich("mode", "dumb-init"), "exceeded quota").await;
    })
    .await;
}

#[tokio::test]
async fn a_limit_range_that_the_plain_pod_keeps_is_kept_by_the_rich_one() {
    in_namespace(async |ns| {
        let amounts = json!({"cpu": "50m", "memory": "32Mi"});
        let limits = json!([{"type": "Container", "min": amounts, "max": amounts},
                            {"type": "Pod", "max": amounts}]);
        let range = json!({"apiVersion": "v1", "kind": "LimitRange",
                           "metadata": {"name": "all"}, "spec": {"limits": limits}});
        ns.create_object(&range).await;
        let large = frugal().container(json!({"resources": {"limits": {"cpu": "60m"}}}));
        eventually("the range counts", async || ns.would_take(&large.pod()).await.err()).await;
        ns.run(&frugal().rich("mode", "dumb-init")).await.started().await;
        // Without a word about resources it gets the range's own.
        ns.run(&busybox(&["sleep", "10000"]).rich("mode", "dumb-init")).await.started().await;
    })
    .await;
}

#[tokio::test]
async fn a_restricted_namespace_takes_a_rich_pod_that_is_restricted() {
    let restricted = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": true,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    let app = busybox(&["sleep", "10000"]).container(json!({"securityContext": restricted}));
    let enforce = [("pod-security.kubernetes.io/enforce", "restricted")];
    in_labelled_namespace(&enforce, async |ns| {
        let pod = ns.run(&app.rich("mode", "dumb-init")).await;
        assert!(pod.exec(&["ps"]).await.contains("dumb-init -- sleep 10000"));
    })
    .await;
}

#[tokio::test]
async fn sidecars_start_behind_the_binaries_and_before_the_rich_container() {
    in_namespace(async |ns| {
        let sidecar = json!({
            "name": "sidecar",
            "image": busybox(&["true"]).pod()["spec"]["containers"][0]["image"],
            "command": ["sh", "-c", "touch /shared/up; exec sleep 10000"],
            "restartPolicy": "Always",
            "startupProbe": {"exec": {"command": ["test", "-e", "/shared/up"]}, "periodSeconds": 1},
            "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
        });
        let app = debian(&["/bin/bash", "-c", "ls /shared; exec sleep 10000"])
            .rich("mode", "systemd")
            .spec(json!({
                "initContainers": [sidecar],
                "volumes": [{"name": "shared", "emptyDir": {}}],
            }))
            .container(json!({"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}));
        let pod = ns.run(&app).await;
        pod.logs_with("up").await;
        let now = serde_json::to_value(pod.now().await.spec).unwrap_or_default();
        let names: Vec<&Value> =
            now["initContainers"].as_array().into_iter().flatten().map(|it| &it["name"]).collect();
        assert_eq!(names, ["rich-pouch", "sidecar"]);
        assert_eq!(pod.delete_and_see_the_end().await, 143);
    })
    .await;
}

#[tokio::test]
async fn a_rich_pod_can_be_debugged_with_an_ephemeral_container() {
    in_namespace(async |ns| {
        let pod = ns.run(&busybox(&["sleep", "10000"]).rich("mode", "dumb-init")).await;
        let spec = &pod.started().await.now().await.spec;
        let spec = serde_json::to_value(spec).unwrap_or_default();
        let image = spec["containers"][0]["image"].as_str().unwrap_or_default();
        let image = format!("--image={image}");
        let debug =
            ["debug", pod.name(), &image, "--target=app", "--image-pull-policy=IfNotPresent"];
        let said = ns.kubectl(&[&debug[..], &["--container=debug", "--", "ps"]].concat()).await;
        assert!(!said.contains("rich.pouch"), "{said}");
        let seen = async || {
            let log = ns.kubectl(&["logs", pod.name(), "--container=debug"]).await;
            log.contains("dumb-init -- sleep 10000").then_some(())
        };
        let ended = async || {
            let status = pod.now().await.status?.ephemeral_container_statuses?;
            status.first()?.state.as_ref()?.terminated.as_ref().map(drop)
        };
        eventually("the ephemeral container has ended", ended).await;
        eventually("it sees the rich container's processes", seen).await;
    })
    .await;
}
