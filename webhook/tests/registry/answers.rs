//! What is found out, and how often the registry is asked for it.

use std::sync::Arc;

use axum::{
    body::Body,
    http::{Request, header::CONTENT_TYPE},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use webhook::{api::Api, metrics::Metrics};

use crate::{
    asking::{Asking, name},
    daemon::Daemon,
    images::Pusher,
    wire::Wire,
};

#[tokio::test]
async fn an_image_runs_its_entrypoint_and_its_cmd() {
    let daemon = Daemon::open();
    let pusher = Pusher::new(daemon.address, "team/app", "");
    let config = json!({"Entrypoint": ["/entry", "-x"], "Cmd": ["serve"], "User": "1000"});
    let made = pusher.image(Some("1"), &config).await;
    pusher.image(Some("latest"), &json!({"Cmd": ["sh"]})).await;
    let asking = Asking::of(&daemon.address);
    let asked = async |rest: &str| asking.image(&name(daemon.address, rest)).await.unwrap();
    let whole = ["/entry", "-x", "serve"];
    assert_eq!(asked("team/app:1").await, whole);
    assert_eq!(asked("team/app").await, ["sh"]);
    assert_eq!(asked(&format!("team/app@{}", made.digest)).await, whole);
    assert_eq!(asked(&format!("team/app:gone@{}", made.digest)).await, whole);
    let other = format!("localhost:{}/team/app:1", daemon.address.port());
    for image in [&name(daemon.address, "team/app:1"), &other] {
        assert_eq!(Asking::any().image(image).await.unwrap(), whole, "{image}");
    }
}

#[tokio::test]
async fn all_platforms_on_which_the_pod_may_run_must_agree() {
    let daemon = Daemon::open();
    let pusher = Pusher::new(daemon.address, "app", "");
    let one = pusher.image(None, &json!({"Cmd": ["one"]})).await;
    let same = pusher.image(None, &json!({"Cmd": ["one"], "Env": ["ARM=1"]})).await;
    let other = pusher.image(None, &json!({"Cmd": ["other"]})).await;
    pusher.index("agreed", &[("amd64", &one), ("arm64", &same)]).await;
    pusher.index("split", &[("amd64", &one), ("arm64", &same), ("s390x", &other)]).await;
    let asking = Asking::of(&daemon.address);
    let ask = async |tag: &str, selector: Value| {
        let image = name(daemon.address, &format!("app:{tag}"));
        let container = json!({"name": "app", "image": image});
        asking.pod(&json!({"containers": [container], "nodeSelector": selector})).await
    };
    let on = |architecture: &str| json!({"kubernetes.io/arch": architecture});
    assert_eq!(ask("agreed", Value::Null).await.unwrap(), ["one"]);
    let refused = ask("split", Value::Null).await.unwrap_err();
    assert!(
        refused.contains("it runs different commands on linux/amd64 and linux/s390x"),
        "{refused}"
    );
    assert!(refused.contains("nodeSelector"), "{refused}");
    assert_eq!(ask("split", on("arm64")).await.unwrap(), ["one"]);
    assert_eq!(ask("split", on("s390x")).await.unwrap(), ["other"]);
    let refused = ask("split", on("riscv64")).await.unwrap_err();
    assert_eq!(refused, "the image has no Linux platform on which the pod may run");
}

#[tokio::test]
async fn what_is_known_is_not_asked_again_and_many_who_wait_ask_once() {
    let daemon = Daemon::open();
    let pusher = Pusher::new(daemon.address, "app", "");
    let made = pusher.image(Some("1"), &json!({"Cmd": ["one"]})).await;
    let wire = Wire::to(daemon.address).await;
    let (asking, image) = (Asking::of(&wire.address), name(wire.address, "app:1"));
    let many = (0..50).map(|_| asking.image(&image));
    for answer in futures_util::future::join_all(many).await {
        assert_eq!(answer.unwrap(), ["one"]);
    }
    assert_eq!(wire.connections(), 1);
    // The tag and what it points to are known, the content by its own digest, too.
    drop(daemon);
    assert_eq!(asking.image(&image).await.unwrap(), ["one"]);
    let pinned = name(wire.address, &format!("app@{}", made.digest));
    assert_eq!(asking.image(&pinned).await.unwrap(), ["one"]);
    assert_eq!(wire.connections(), 1);
}

#[tokio::test]
async fn a_mirror_is_asked_in_place_of_the_registry() {
    let daemon = Daemon::open();
    let pusher = Pusher::new(daemon.address, "hub/library/busybox", "");
    pusher.image(Some("1"), &json!({"Cmd": ["sh"]})).await;
    let mirror = name(daemon.address, "hub");
    let registries = json!([{"host": "docker.io", "mirror": mirror}]);
    let asking = Asking::listing(&registries);
    for image in ["busybox:1", "docker.io/library/busybox:1"] {
        assert_eq!(asking.image(image).await.unwrap(), ["sh"]);
    }
}

#[tokio::test]
async fn a_registry_that_is_not_listed_is_not_asked() {
    let daemon = Daemon::open();
    let wire = Wire::to(daemon.address).await;
    let asking = Asking::of(&"registry.example");
    let refused = asking.image(&name(wire.address, "app:1")).await.unwrap_err();
    let host = wire.address;
    let not_listed = "the administrator has not listed its registry";
    assert_eq!(refused, format!("{not_listed} {host} (entrypoints.registries)"));
    assert_eq!(wire.connections(), 0);
}

#[tokio::test]
async fn both_paths_of_the_webhook_use_it_for_pods_and_workloads() {
    let daemon = Daemon::open();
    let pusher = Pusher::new(daemon.address, "app", "");
    pusher.image(Some("1"), &json!({"Entrypoint": ["/entry"], "Cmd": ["$A"]})).await;
    let (registry, _folder) = Asking::of(&daemon.address).into_registry();
    let settings = serde_json::from_value(json!({"image": "rich-pouch:1"})).unwrap();
    let patience = std::time::Duration::from_secs(5);
    let api = Api::new(settings, None, Some(registry), Arc::new(Metrics::new().unwrap()), patience)
        .router();
    let ask = async |path: &str, kind: &str, object: &Value| {
        let group = if kind == "Pod" { "" } else { "apps" };
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {"uid": "1", "operation": "CREATE", "namespace": "default",
                "kind": {"group": group, "version": "v1", "kind": kind}, "object": object}});
        let request = Request::post(path).header(CONTENT_TYPE, "application/json");
        let request = request.body(Body::from(review.to_string())).unwrap();
        let answer = api.clone().oneshot(request).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice::<Value>(&body).unwrap()["response"].clone()
    };
    let pod = |tag: &str| {
        let image = name(daemon.address, &format!("app:{tag}"));
        json!({"metadata": {"annotations": {"rich.pouch/mode": "dumb-init"}},
               "spec": {"containers": [{"name": "app", "image": image}]}})
    };
    let answer = ask("/mutate", "Pod", &pod("1")).await;
    let patch = STANDARD.decode(answer["patch"].as_str().unwrap()).unwrap();
    let patch: Value = serde_json::from_slice(&patch).unwrap();
    let command = json!(["/.rich/rich", "run", "--mode=dumb-init", "--", "/entry", "$$A"]);
    let operation = json!({"op": "add", "path": "/spec/containers/0/command", "value": command});
    assert!(patch.as_array().unwrap().contains(&operation), "{patch}");

    let deployment = |tag: &str| json!({"metadata": {}, "spec": {"template": pod(tag)}});
    assert_eq!(ask("/validate", "Deployment", &deployment("1")).await["allowed"], true);
    for path in ["/mutate", "/validate"] {
        for (kind, object) in [("Pod", pod("gone")), ("Deployment", deployment("gone"))] {
            let answer = ask(path, kind, &object).await;
            assert_eq!(answer["allowed"], false, "{path} {kind}");
            let message = answer["status"]["message"].as_str().unwrap();
            assert!(
                message.contains("does not have the image; write the command that"),
                "{message}"
            );
        }
    }
}
