//! Who may let an annotation add privilege is the administrator's to say. One test, since it sets
//! the whole release.

use e2e::{busybox, debian, eventually, in_namespace, with_privileged};
use serde_json::json;

#[tokio::test]
async fn an_annotation_adds_privilege_only_where_the_administrator_lets_it() {
    let rich = debian(&["/bin/sleep", "1"]).rich("mode", "systemd");
    let asked = busybox(&["sleep", "1"]).rich("mode", "dumb-init").rich("privileged", "true");
    with_privileged("labelled", async || {
        in_namespace(async |ns| {
            for app in [&rich, &asked] {
                let sentence = "the namespace lacks the label rich.pouch/allow-privileged=true";
                for object in [app.pod(), app.workload("Deployment", &json!({}))] {
                    let said = ns.would_take(&object).await.err().unwrap_or_default();
                    assert!(said.contains(sentence), "{said}");
                }
            }
            ns.accepts(&busybox(&["sleep", "1"]).rich("mode", "dumb-init")).await;
            // Again and again: the webhook's watch is behind by some milliseconds only.
            for _ in 0..20 {
                ns.label("rich.pouch/allow-privileged", "true").await;
                let taken = async || ns.would_take(&rich.pod()).await.ok();
                eventually("the label counts", taken).await;
                ns.label("rich.pouch/allow-privileged", "false").await;
                ns.refuses(&rich, "the namespace lacks the label").await;
            }
        })
        .await;
    })
    .await;
    in_namespace(async |ns| {
        let app = debian(&["/bin/sleep", "10000"]).rich("mode", "systemd");
        let makers = ["ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"];
        for kind in makers {
            let mut workload = app.workload(kind, &json!({}));
            if kind == "Job" {
                // It is to make another pod where one was deleted.
                workload["spec"]["backoffLimit"] = 6.into();
            }
            ns.create_object(&workload).await;
            eventually("a pod of each", async || ns.events(kind, "SuccessfulCreate").await.pop())
                .await;
        }
        with_privileged("never", async || {
            ns.label("rich.pouch/allow-privileged", "true").await;
            ns.refuses(&rich, "privileged: never").await;
            ns.refuses(&asked, "privileged: never").await;
            // Who was there before learns it where `kubectl describe` of the owner shows it.
            ns.kubectl(&["delete", "pods", "--all", "--grace-period=0", "--force"]).await;
            for kind in makers {
                let told = async || ns.events(kind, "FailedCreate").await.pop();
                let told = eventually("an Event on what makes the pods", told).await;
                assert!(told.contains("must using privileged mode"), "{kind}: {told}");
                assert!(told.contains("privileged: never"), "{kind}: {told}");
            }
        })
        .await;
    })
    .await;
}
