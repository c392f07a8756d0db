//! Who did not ask for Rich Pouch never meets it. One test, since it counts the requests of the
//! whole cluster and takes the webhook away.

use e2e::{busybox, client, in_namespace, metric, without_release, without_webhook};
use serde_json::json;

#[tokio::test]
async fn a_pod_without_our_annotations_never_reaches_the_webhook_and_needs_none() {
    const REQUESTS: &str = "apiserver_admission_webhook_admission_duration_seconds_count";
    const EXCLUDED: &str = "apiserver_admission_match_condition_exclusions_total";
    let client = client().await;
    let ours = "name=\"pods.rich.pouch\"";

    in_namespace(async |ns| {
        let requests = metric(&client, REQUESTS, &[ours]).await;
        let excluded = metric(&client, EXCLUDED, &[ours]).await;
        for _ in 0..20 {
            ns.accepts(&busybox(&["true"])).await;
        }
        assert_eq!(metric(&client, REQUESTS, &[ours]).await - requests, 0);
        // Both registrations looked at each, and let it be.
        assert_eq!(metric(&client, EXCLUDED, &[ours]).await - excluded, 40);
        ns.accepts(&busybox(&["true"]).rich("mode", "dumb-init")).await;
        // The counter counts.
        assert_ne!(metric(&client, REQUESTS, &[ours]).await - requests, 0);
    })
    .await;

    without_webhook(async || {
        in_namespace(async |ns| {
            assert_eq!(ns.run(&busybox(&["true"])).await.exit_code().await, 0);
            let rich = busybox(&["true"]).rich("mode", "dumb-init");
            ns.refuses(&rich, "failed calling webhook \"pods.rich.pouch\"").await;
        })
        .await;
    })
    .await;

    in_namespace(async |ns| {
        let rich = ns.run(&busybox(&["sleep", "10000"]).rich("mode", "dumb-init")).await;
        rich.started().await;
        without_release(async || {
            let wrong = busybox(&["true"]).rich("initscript", "/prepare.sh");
            assert_eq!(ns.run(&wrong).await.exit_code().await, 0);
            assert_eq!(ns.would_take(&wrong.workload("Deployment", &json!({}))).await, Ok(()));
            // What is rich already is at nobody's mercy.
            assert!(rich.exec(&["ps"]).await.contains("dumb-init -- sleep 10000"));
        })
        .await;
    })
    .await;
}
