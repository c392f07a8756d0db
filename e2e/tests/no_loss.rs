//! Whatever happens to the webhook while it is well looked after, nobody's pod is lost. One test,
//! since it restarts the whole release.

#![allow(clippy::expect_used, reason = "these are tests")]

use std::{sync::Arc, time::Duration};

use e2e::{
    Namespace, RELEASE_NAMESPACE, busybox, client, eventually, in_namespace, release_kubectl,
    trusted,
};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

/// How many pods are created at the least, and how long after each other.
const PODS: usize = 1000;
const PACE: Duration = Duration::from_millis(50);
/// How many certificates follow each other meanwhile.
const ROTATIONS: usize = 10;

/// Creates a pod that nobody runs, and says whether it is rich, or why there is none.
async fn create(pods: Api<Pod>, pod: Arc<Pod>) -> Result<(), String> {
    let created = pods.create(&PostParams::default(), &pod).await.map_err(|it| it.to_string())?;
    let created = serde_json::to_value(created).map_err(|it| it.to_string())?;
    let command = &created["spec"]["containers"][0]["command"][0];
    if command == "/.rich/rich" { Ok(()) } else { Err(format!("not rich: {command}")) }
}

/// Creates pods until it is told to stop and there are enough, and gives what each was.
async fn creation(ns: &Namespace, stop: watch::Receiver<bool>) -> Vec<Result<(), String>> {
    let mut pod = busybox(&["true"]).rich("mode", "dumb-init").pod();
    pod["metadata"]["name"].take();
    pod["metadata"]["generateName"] = json!("app-");
    pod["spec"]["nodeSelector"] = json!({"e2e.rich-pouch.example/nowhere": ""});
    let pod: Arc<Pod> = Arc::new(serde_json::from_value(pod).expect("a pod"));
    let mut creations = JoinSet::new();
    let mut tick = interval(PACE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stop.borrow() || creations.len() < PODS {
        tick.tick().await;
        creations.spawn(create(ns.api(), Arc::clone(&pod)));
    }
    creations.join_all().await
}

/// Takes the webhook's CA and certificate away, so that it makes others.
async fn take_the_certificate_away() {
    let secrets: Api<Secret> = Api::namespaced(client().await, RELEASE_NAMESPACE);
    let nothing = Patch::Merge(json!({"data": null}));
    secrets.patch("rich-pouch-webhook", &PatchParams::default(), &nothing).await.expect("a Secret");
}

async fn rotations(count: usize) {
    for _ in 0..count {
        let before = trusted().await;
        take_the_certificate_away().await;
        eventually("another CA is trusted, beside the last", async || {
            let now = trusted().await;
            let rotated = |(now, before): (&Vec<_>, &Vec<_>)| now != before && now.len() > 1;
            now.iter().zip(&before).all(rotated).then_some(())
        })
        .await;
    }
}

async fn first_replica() -> String {
    let selector = "app.kubernetes.io/component=webhook";
    let pods = release_kubectl(&["get", "pods", "--selector", selector, "--output=name"]).await;
    pods.lines().next().expect("a replica").to_owned()
}

#[tokio::test]
async fn a_thousand_pods_are_rich_while_the_webhook_is_rolled_killed_and_gets_new_certificates() {
    in_namespace(async |ns| {
        let (done, stop) = watch::channel(false);
        let disturbance = async {
            rotations(ROTATIONS / 2).await;
            release_kubectl(&["rollout", "restart", "deployment/rich-pouch-webhook"]).await;
            release_kubectl(&["rollout", "status", "deployment/rich-pouch-webhook"]).await;
            // In the middle of a rotation, and by SIGKILL before it has left by itself.
            take_the_certificate_away().await;
            release_kubectl(&["delete", &first_replica().await, "--grace-period=5"]).await;
            release_kubectl(&["rollout", "status", "deployment/rich-pouch-webhook"]).await;
            rotations(ROTATIONS - ROTATIONS / 2 - 1).await;
            done.send_replace(true);
        };
        let (created, ()) = futures::future::join(creation(ns, stop), disturbance).await;
        let lost: Vec<&String> = created.iter().filter_map(|it| it.as_ref().err()).collect();
        assert_eq!(lost, [""; 0], "of {}", created.len());
        assert!(created.len() >= PODS);
    })
    .await;
}
