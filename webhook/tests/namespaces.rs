//! What namespaces say is read anew where it would let an annotation add privilege. The API server is
//! a router that knows one namespace.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests panic as tests do.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::RawQuery,
    http::{Request, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task, time::sleep};
use tower::ServiceExt as _;
use webhook::{api::Api, metrics::Metrics, namespaces::Namespaces};

const NAME: &str = "team";
const FORBIDDEN: &str = "the namespace lacks the label rich.pouch/allow-privileged=true";
const UNREADABLE: &str = "the namespace's labels cannot be read now: try again";
/// Of asking; what is waited for is the answer.
const PACE: Duration = Duration::from_millis(10);

fn namespace(labels: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME, "labels": labels}})
}

fn object(value: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// What an API server says to who asks for the namespace now.
#[derive(Clone)]
enum Now {
    Labels(Value),
    Nothing,
    Silence,
}

/// A webhook whose watch says that the namespace allows privilege and never says anything again,
/// and how often it asked for the namespace itself.
struct Webhook {
    router: Router,
    asked: Arc<AtomicUsize>,
}

impl Webhook {
    async fn start(settings: &Value, now: Now) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let listed = async |RawQuery(query): RawQuery| -> Response {
            if query.is_some_and(|query| query.contains("watch=")) {
                return pending().await;
            }
            let items = [namespace(&json!({"rich.pouch/allow-privileged": "true"}))];
            object(&json!({"apiVersion": "v1", "kind": "NamespaceList",
                           "metadata": {"resourceVersion": "1"}, "items": items}))
        };
        let count = Arc::clone(&asked);
        let one = async move || -> Response {
            count.fetch_add(1, Ordering::Relaxed);
            match now {
                Now::Labels(labels) => object(&namespace(&labels)),
                Now::Nothing => StatusCode::FORBIDDEN.into_response(),
                Now::Silence => pending().await,
            }
        };
        let server = Router::new()
            .route("/api/v1/namespaces", get(listed))
            .route(&format!("/api/v1/namespaces/{NAME}"), get(one));
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", socket.local_addr().unwrap()).parse().unwrap();
        task::spawn(async move { axum::serve(socket, server).await.unwrap() });

        let client = kube::Client::try_from(kube::Config::new(address)).unwrap();
        let namespaces = Namespaces::new(client);
        task::spawn(Arc::clone(&namespaces).watch());
        // Until the watch has told of it, the API server is asked.
        while !{
            let before = asked.load(Ordering::Relaxed);
            namespaces.get(NAME).await.allows_privileged && asked.load(Ordering::Relaxed) == before
        } {
            sleep(PACE).await;
        }
        asked.store(0, Ordering::Relaxed);
        let mut all = json!({"image": "registry.example/rich-pouch:1"});
        all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let settings = serde_json::from_value(all).unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let deadline = Duration::from_secs(5);
        let api = Api::new(settings, Some(namespaces), None, metrics, deadline);
        Self { router: api.router(), asked }
    }

    /// Why the object is refused, or that it is not.
    async fn mutate(&self, kind: &str, group: &str, object: &Value) -> Result<(), String> {
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "1", "kind": {"group": group, "version": "v1", "kind": kind},
            "namespace": NAME, "operation": "CREATE", "object": object}});
        let request = Request::post("/mutate").header("content-type", "application/json");
        let request = request.body(Body::from(review.to_string())).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let answer = answer.into_body().collect().await.unwrap().to_bytes();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        if answer["response"]["allowed"] == true {
            return Ok(());
        }
        Err(answer["response"]["status"]["message"].as_str().unwrap().to_owned())
    }
}

fn pod(mode: &str) -> Value {
    json!({"metadata": {"annotations": {"rich.pouch/mode": mode}},
           "spec": {"containers": [{"name": "app", "image": "i", "command": ["a"]}]}})
}

fn labelled() -> Value {
    json!({"privileged": "labelled"})
}

#[tokio::test]
async fn privilege_is_not_added_by_a_label_that_was_taken_away() {
    let webhook = Webhook::start(&labelled(), Now::Labels(json!({}))).await;
    let deployment = json!({"metadata": {"annotations": {"rich.pouch/mode": "systemd"}},
                            "spec": {"template": {"spec": pod("systemd")["spec"]}}});
    for (kind, group, object) in
        [("Pod", "", pod("systemd")), ("Deployment", "apps", deployment.clone())]
    {
        let refused = webhook.mutate(kind, group, &object).await.unwrap_err();
        assert!(refused.contains(FORBIDDEN), "{kind}: {refused}");
    }
}

#[tokio::test]
async fn privilege_is_added_where_the_label_is_still_there() {
    let labels = json!({"rich.pouch/allow-privileged": "true"});
    let webhook = Webhook::start(&labelled(), Now::Labels(labels)).await;
    assert_eq!(webhook.mutate("Pod", "", &pod("systemd")).await, Ok(()));
    assert_eq!(webhook.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn privilege_is_not_added_where_the_api_server_refuses_or_does_not_answer() {
    for now in [Now::Nothing, Now::Silence] {
        let webhook = Webhook::start(&labelled(), now).await;
        let refused = webhook.mutate("Pod", "", &pod("systemd")).await.unwrap_err();
        assert!(refused.contains(UNREADABLE), "{refused}");
    }
}

#[tokio::test]
async fn what_adds_no_privilege_by_a_label_costs_no_question() {
    let webhook = Webhook::start(&labelled(), Now::Silence).await;
    assert_eq!(webhook.mutate("Pod", "", &pod("dumb-init")).await, Ok(()));
    let mut says_so = pod("systemd");
    says_so["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
    assert_eq!(webhook.mutate("Pod", "", &says_so).await, Ok(()));
    assert_eq!(webhook.asked.load(Ordering::Relaxed), 0);
    let webhook = Webhook::start(&json!({"privileged": "allow"}), Now::Silence).await;
    assert_eq!(webhook.mutate("Pod", "", &pod("systemd")).await, Ok(()));
    assert_eq!(webhook.asked.load(Ordering::Relaxed), 0);
}
