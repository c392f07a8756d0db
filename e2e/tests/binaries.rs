//! Rich pods get the binaries from where the administrator says. One test, since it sets the whole
//! release.

#![allow(clippy::expect_used, reason = "these are tests")]

use e2e::{
    Namespace, busybox, debian, eventually, in_labelled_namespace, in_namespace, with_binaries,
};
use serde_json::{Value, json};

/// Neither a container of the pod's own nor one that is added later may write them.
async fn assert_binaries_are_read_only(ns: &Namespace) {
    let mut mount = json!({"name": "rich-pouch", "mountPath": "/x"});
    let container = |mount: &Value| {
        json!({"name": "debug", "image": "localhost/busybox:test", "command": ["true"],
               "volumeMounts": [mount]})
    };
    let sentence = "can write to the volume rich-pouch";
    for list in ["containers", "initContainers"] {
        let mut pod = busybox(&["true"]).rich("mode", "dumb-init").pod();
        let mut containers = pod["spec"][list].as_array().cloned().unwrap_or_default();
        containers.push(container(&mount));
        pod["spec"][list] = containers.into();
        let said = ns.would_take(&pod).await.expect_err("a refusal");
        assert!(said.contains(sentence), "{said}");
    }
    let pod = ns.run(&busybox(&["sleep", "10000"]).rich("mode", "dumb-init")).await;
    let said = pod.would_be_debugged(&container(&mount)).await.expect_err("a refusal");
    assert!(said.contains(sentence), "{said}");
    // Without its annotations it is the same pod.
    ns.kubectl(&["annotate", "pod", pod.name(), "rich.pouch/mode-", "rich.pouch/status-"]).await;
    let said = pod.would_be_debugged(&container(&mount)).await.expect_err("a refusal");
    assert!(said.contains(sentence), "{said}");
    mount["readOnly"] = true.into();
    assert_eq!(pod.would_be_debugged(&container(&mount)).await, Ok(()));
}

#[tokio::test]
async fn rich_pods_run_with_the_binaries_of_the_image_and_of_the_node() {
    let dumb_init = busybox(&["sh", "-c", "ps; exit 7"]).rich("mode", "dumb-init");
    let systemd = debian(&["/bin/sh", "-c", "exit 7"]).rich("mode", "systemd");
    for source in ["image", "node"] {
        with_binaries(source, async || {
            in_namespace(async |ns| {
                let changed = async || {
                    let pod = ns.accepts(&dumb_init).await;
                    (pod["spec"]["initContainers"] == Value::Null).then_some(())
                };
                eventually("the source counts", changed).await;
                for app in [&dumb_init, &systemd] {
                    assert_eq!(ns.run(app).await.exit_code().await, 7, "{source}");
                }
                let pod = ns.run(&dumb_init).await;
                assert!(pod.logs_with("dumb-init -- sh").await.contains("dumb-init -- sh"));
                assert_binaries_are_read_only(ns).await;
            })
            .await;
            // The API server's own verdict is the one that is told at once.
            let enforce = [("pod-security.kubernetes.io/enforce", "baseline")];
            in_labelled_namespace(&enforce, async |ns| {
                let pod = ns.would_take(&dumb_init.pod()).await;
                let workload = ns.would_take(&dumb_init.workload("Deployment", &json!({}))).await;
                assert_eq!(pod.is_ok(), source == "image", "{pod:?}");
                assert_eq!(workload.is_ok(), source == "image", "{workload:?}");
            })
            .await;
        })
        .await;
    }
}
