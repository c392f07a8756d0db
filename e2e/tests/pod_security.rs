//! A workload is refused where Pod Security would refuse its pods for what we add, and only there.

#![allow(clippy::expect_used, reason = "these are tests")]

use e2e::{App, Namespace, busybox, debian, in_labelled_namespace};
use serde_json::json;

/// An application that every level takes.
fn harmless(app: App) -> App {
    app.spec(json!({"securityContext": {
        "runAsUser": 1000, "runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"},
    }}))
    .container(json!({"securityContext": {
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
    }}))
}

async fn verdicts(ns: &Namespace, app: &App) -> [Result<(), String>; 2] {
    [ns.would_take(&app.workload("Deployment", &json!({}))).await, ns.would_take(&app.pod()).await]
}

#[tokio::test]
async fn a_deployment_is_taken_where_the_api_server_takes_its_pods() {
    for level in ["privileged", "baseline", "restricted"] {
        let label = [("pod-security.kubernetes.io/enforce", level)];
        in_labelled_namespace(&label, async |ns| {
            let sleep = ["/bin/sleep", "1"];
            for app in [
                harmless(busybox(&sleep)).rich("mode", "dumb-init"),
                debian(&sleep).rich("mode", "systemd"),
                debian(&sleep).rich("mode", "sbin-init"),
            ] {
                let [deployment, pod] = verdicts(ns, &app).await;
                assert_eq!(deployment.is_ok(), pod.is_ok(), "{level}: {deployment:?} {pod:?}");
                if let (Err(ours), Err(theirs)) = (deployment, pod) {
                    assert!(ours.contains("Pod Security refuses in this namespace"), "{ours}");
                    assert!(theirs.contains("violates PodSecurity"), "{theirs}");
                }
            }
        })
        .await;
    }
}

#[tokio::test]
async fn what_the_user_wrote_is_the_api_servers_to_judge() {
    let label = [("pod-security.kubernetes.io/enforce", "baseline")];
    in_labelled_namespace(&label, async |ns| {
        let app = debian(&["/bin/sleep", "1"])
            .rich("mode", "systemd")
            .container(json!({"securityContext": {"privileged": true}}));
        let [deployment, pod] = verdicts(ns, &app).await;
        assert_eq!(deployment, Ok(()));
        assert!(pod.expect_err("a refusal").contains("violates PodSecurity"));
    })
    .await;
}
