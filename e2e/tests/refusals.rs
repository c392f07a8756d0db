//! What is wrong is said in one sentence, at the pod and at the workload.

use e2e::{App, busybox, in_namespace, kubectl_apply};
use serde_json::json;

const NEEDS_RICH: &str = "rich.pouch/initscript can only be used along with rich mode: \
                          set rich.pouch/mode to dumb-init, systemd or sbin-init";

fn app() -> App {
    busybox(&["sleep", "10000"])
}

fn rich() -> App {
    app().rich("mode", "dumb-init")
}

#[tokio::test]
async fn kubectl_apply_of_a_deployment_with_an_initscript_and_no_mode_prints_the_sentence() {
    in_namespace(async |ns| {
        let app = app().rich("initscript", "/x.sh");
        let said = kubectl_apply(&ns.name, &app.workload("Deployment", &json!({}))).await;
        assert_eq!(said.code, 1, "{}", said.text);
        assert!(said.text.contains(NEEDS_RICH), "{}", said.text);
        assert_eq!(said.text.trim().lines().count(), 1, "{}", said.text);
    })
    .await;
}

#[tokio::test]
async fn every_kind_of_workload_is_refused_as_its_pods_would_be() {
    in_namespace(async |ns| {
        for kind in [
            "Deployment",
            "StatefulSet",
            "DaemonSet",
            "ReplicaSet",
            "ReplicationController",
            "Job",
            "CronJob",
            "PodTemplate",
        ] {
            let app = app().rich("initscript", "/x.sh");
            let said = kubectl_apply(&ns.name, &app.workload(kind, &json!({}))).await;
            assert!(said.text.contains(NEEDS_RICH), "{kind}: {}", said.text);
        }
    })
    .await;
}

#[tokio::test]
async fn an_initscript_without_rich_mode_is_refused() {
    in_namespace(async |ns| {
        ns.refuses(&app().rich("initscript", "/x.sh"), NEEDS_RICH).await;
    })
    .await;
}

#[tokio::test]
async fn every_other_key_without_rich_mode_is_refused() {
    in_namespace(async |ns| {
        for (key, value) in [
            ("initcmd", "echo"),
            ("initscript-timeout", "30s"),
            ("poststop", "/x.sh"),
            ("restart", "container"),
            ("containers", "app"),
            ("privileged", "true"),
            ("profile", "false"),
        ] {
            let sentence = format!("rich.pouch/{key} can only be used along with rich mode");
            ns.refuses(&app().rich(key, value), &sentence).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_mode_where_rich_is_false_is_refused() {
    let pod = rich().rich("rich", "false");
    let sentence = "must first enable rich mode, then specify a rich mode type";
    in_namespace(async |ns| {
        ns.refuses(&pod, sentence).await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_mode_is_refused() {
    let pod = app().rich("mode", "upstart");
    in_namespace(async |ns| {
        ns.refuses(&pod, "not supported rich mode: upstart").await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_key_is_refused_with_the_nearest() {
    let pod = rich().rich("init-script", "/x.sh");
    in_namespace(async |ns| {
        ns.refuses(&pod, "did you mean rich.pouch/initscript?").await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_container_is_refused() {
    let pod = rich().rich("containers", "web");
    in_namespace(async |ns| {
        ns.refuses(&pod, "names web, which the pod lacks: it has app").await;
    })
    .await;
}

#[tokio::test]
async fn an_initscript_along_with_an_initcmd_is_refused() {
    let pod = rich().rich("initscript", "/x.sh").rich("initcmd", "echo");
    in_namespace(async |ns| {
        ns.refuses(&pod, "exclude each other").await;
    })
    .await;
}

#[tokio::test]
async fn a_pod_whose_pid_1_would_not_be_its_own_is_refused() {
    in_namespace(async |ns| {
        for field in ["hostPID", "shareProcessNamespace"] {
            let sentence = format!("spec.{field} is true, so PID 1 would be");
            ns.refuses(&rich().spec(json!({field: true})), &sentence).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_container_without_a_command_is_refused() {
    let pod = rich().container(json!({"command": null}));
    in_namespace(async |ns| {
        ns.refuses(&pod, "spec.containers[0].command is empty").await;
    })
    .await;
}

#[tokio::test]
async fn systemd_in_a_container_that_may_not_be_privileged_is_refused() {
    let pod =
        app().rich("mode", "systemd").container(json!({"securityContext": {"privileged": false}}));
    let sentence = "must using privileged mode when create systemd rich container";
    in_namespace(async |ns| {
        ns.refuses(&pod, sentence).await;
    })
    .await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    in_namespace(async |ns| {
        let pod = app().rich("mode", "upstart").rich("initcmd", " ").spec(json!({"hostPID": true}));
        for sentence in
            ["not supported rich mode: upstart", "rich.pouch/initcmd is", "spec.hostPID"]
        {
            ns.refuses(&pod, sentence).await;
        }
    })
    .await;
}

#[tokio::test]
async fn privilege_that_an_annotation_adds_is_warned_of() {
    in_namespace(async |ns| {
        let app = app().rich("mode", "systemd");
        let said = kubectl_apply(&ns.name, &app.workload("Deployment", &json!({}))).await;
        assert_eq!(said.code, 0, "{}", said.text);
        let warning = "Warning: rich.pouch/mode systemd makes container \"app\" privileged";
        assert!(said.text.contains(warning), "{}", said.text);
    })
    .await;
}
