//! What the controllers of injected pods are told, by the router and without an API server: what
//! that makes of an Event is for the tests in a cluster.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests panic as tests do.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::BodyExt as _;
use k8s_openapi::api::core::v1::Event;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use webhook::{
    api::Api,
    events::{Events, Writer},
    metrics::Metrics,
};

/// A webhook, and what it has yet to write.
struct Webhook {
    router: Router,
    writer: Writer,
    metrics: Arc<Metrics>,
}

impl Webhook {
    fn new() -> Self {
        let settings = serde_json::from_value(json!({"image": "registry.example/rich-pouch:1"}));
        let metrics = Arc::new(Metrics::new().unwrap());
        let (events, writer) = Events::new(Arc::clone(&metrics));
        let deadline = Duration::from_secs(5);
        let api = Api::new(settings.unwrap(), None, None, Arc::clone(&metrics), deadline);
        Self { router: api.telling(events).router(), writer, metrics }
    }

    async fn ask(&self, path: &str, request: &Value) -> Value {
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                            "request": request});
        let request = Request::post(path).header("content-type", "application/json");
        let request = request.body(Body::from(in_the_api_servers_order(&review)));
        let answer = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let answer = answer.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice::<Value>(&answer).unwrap()["response"].take()
    }

    /// The first question; whether it changed the object.
    async fn mutate(&self, request: &mut Value) -> bool {
        let answer = self.ask("/mutate", request).await;
        let Some(patch) = answer["patch"].as_str() else { return false };
        let patch: json_patch::Patch =
            serde_json::from_slice(&STANDARD.decode(patch).unwrap()).unwrap();
        json_patch::patch(&mut request["object"], &patch).unwrap();
        true
    }

    /// Both questions, as the API server asks them.
    async fn admit(&self, request: &Value) {
        let mut request = request.clone();
        self.mutate(&mut request).await;
        self.ask("/validate", &request).await;
    }

    /// All that is to be written.
    async fn events(self) -> Vec<Event> {
        let Self { router, mut writer, .. } = self;
        drop(router);
        let mut events = Vec::new();
        while let Some(event) = writer.next().await {
            events.push(event);
        }
        events
    }
}

/// What an object is stands before it.
fn in_the_api_servers_order(review: &Value) -> String {
    let mut request = review["request"].clone();
    let object = request.as_object_mut().unwrap().remove("object").unwrap();
    let request = request.to_string();
    let fields = request.strip_suffix('}').unwrap();
    format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{fields},"object":{object}}}}}"#
    )
}

/// A pod of the ReplicaSet with this uid, whose name has been made.
fn request(mode: &str, uid: &str) -> Value {
    json!({"uid": "705ab4f5", "kind": {"group": "", "version": "v1", "kind": "Pod"},
           "name": "web-7d4b9-x2k", "namespace": "shop", "operation": "CREATE", "dryRun": false,
           "object": {
               "metadata": {
                   "name": "web-7d4b9-x2k",
                   "annotations": {"rich.pouch/mode": mode},
                   "ownerReferences": [
                       {"apiVersion": "v1", "kind": "ConfigMap", "name": "other", "uid": "0"},
                       {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d4b9",
                        "uid": uid, "controller": true, "blockOwnerDeletion": true}]},
               "spec": {"containers": [{"name": "app", "image": "i", "command": ["/bin/app"]}]}}})
}

#[tokio::test]
async fn a_controller_is_told_of_its_first_pod_of_a_mode() {
    let webhook = Webhook::new();
    for (mode, uid) in
        [("systemd", "a"), ("systemd", "a"), ("systemd", "b"), ("sbin-init", "a"), ("systemd", "a")]
    {
        webhook.admit(&request(mode, uid)).await;
    }
    let events = webhook.events().await;
    let names: Vec<_> = events.iter().map(|it| it.metadata.name.as_deref().unwrap()).collect();
    assert_eq!(names, ["a.rich-pouch.systemd", "b.rich-pouch.systemd", "a.rich-pouch.sbin-init"]);
    let event = &events[0];
    assert_eq!(event.metadata.namespace.as_deref(), Some("shop"));
    assert_eq!(
        (event.type_.as_deref(), event.reason.as_deref()),
        (Some("Normal"), Some("Injected"))
    );
    let said = event.message.as_deref().unwrap();
    assert!(said.starts_with("Injected pod web-7d4b9-x2k: mode systemd, Rich Pouch "), "{said}");
    assert_eq!(
        serde_json::to_value(&event.involved_object).unwrap(),
        json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d4b9",
               "namespace": "shop", "uid": "a"})
    );
}

#[tokio::test]
async fn nothing_is_told_of_what_will_not_be() {
    let webhook = Webhook::new();
    let rich = request("systemd", "a");
    // Refused by the second question, as somebody has taken the injection off again.
    webhook.ask("/validate", &rich).await;
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut request = rich.clone();
        change(&mut request);
        request
    };
    for request in [
        changed(&|it| it["dryRun"] = true.into()),
        changed(&|it| it["operation"] = "UPDATE".into()),
        changed(&|it| it["object"]["metadata"]["annotations"] = json!({})),
        changed(&|it| it["object"]["metadata"]["annotations"]["rich.pouch/mode"] = "best".into()),
        changed(&|it| it["object"]["metadata"]["ownerReferences"] = json!([])),
        changed(&|it| it["object"]["metadata"]["ownerReferences"][1]["controller"] = false.into()),
    ] {
        webhook.admit(&request).await;
    }
    assert_eq!(webhook.events().await, []);
}

#[tokio::test]
async fn nothing_is_told_at_the_first_question() {
    let webhook = Webhook::new();
    let mut request = request("systemd", "a");
    assert!(webhook.mutate(&mut request).await);
    // Asked again after another webhook, it finds an injected pod.
    assert!(!webhook.mutate(&mut request).await);
    assert_eq!(webhook.events().await, []);
}

/// Whoever reaches the webhook can ask it: nothing of theirs is shown to others.
#[tokio::test]
async fn only_names_are_passed_on() {
    let webhook = Webhook::new();
    for (path, wrong) in [
        ("/namespace", "../../kube-system"),
        ("/namespace", ""),
        ("/name", "call 555-0100"),
        ("/object/metadata/ownerReferences/1/apiVersion", "apps/v1\n"),
        ("/object/metadata/ownerReferences/1/kind", "Replica Set"),
        ("/object/metadata/ownerReferences/1/kind", ""),
        ("/object/metadata/ownerReferences/1/name", "\u{1b}[2J"),
        ("/object/metadata/ownerReferences/1/uid", &"a".repeat(250)),
        ("/object/metadata/ownerReferences/1/uid", "a/b"),
    ] {
        let mut request = request("systemd", "a");
        *request.pointer_mut(path).unwrap() = wrong.into();
        webhook.admit(&request).await;
    }
    assert_eq!(webhook.events().await, []);
}

#[tokio::test]
async fn too_many_are_dropped_and_counted() {
    const MANY: usize = 5000;
    let webhook = Webhook::new();
    let mut request = request("dumb-init", "a");
    for uid in 0..MANY {
        request["object"]["metadata"]["ownerReferences"][1]["uid"] = uid.to_string().into();
        webhook.admit(&request).await;
    }
    let metrics = webhook.metrics.encode(0).unwrap();
    let dropped = metrics.lines().find_map(|line| {
        line.strip_prefix(r#"rich_pouch_events_total{outcome="dropped"} "#)?.parse().ok()
    });
    let told = webhook.events().await.len();
    assert!(told > 0 && dropped == Some(MANY - told), "{told} told, {dropped:?} dropped");
}
