//! What the router answers, without a socket.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests panic as tests do.

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, StatusCode},
};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::{
    runtime::Runtime,
    time::{Instant, sleep},
};
use tower::ServiceExt;
use webhook::{
    admin,
    api::Api,
    certificate::{Pair, Resolver, authority::Material},
    health::Health,
    metrics::Metrics,
    stop::{Phase, Stop},
};

const PATHS: [&str; 2] = ["/mutate", "/validate"];

fn router() -> Router {
    let settings = serde_json::from_value(json!({"image": "registry.example/rich-pouch:1"}));
    let deadline = Duration::from_millis(200);
    Api::new(settings.unwrap(), None, None, Arc::new(Metrics::new().unwrap()), deadline).router()
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

fn send(router: Router, request: Request<Body>) -> (StatusCode, Bytes) {
    runtime().block_on(async {
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    })
}

fn post(path: &str, body: impl Into<Body>) -> (StatusCode, Bytes) {
    let request = Request::post(path).header("content-type", "application/json");
    send(router(), request.body(body.into()).unwrap())
}

fn review(request: &Value) -> String {
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request})
        .to_string()
}

fn creation(object: &Value) -> Value {
    json!({"uid": "705ab4f5", "kind": {"group": "", "version": "v1", "kind": "Pod"},
           "resource": {"group": "", "version": "v1", "resource": "pods"}, "namespace": "default",
           "operation": "CREATE", "userInfo": {"username": "someone"}, "object": object,
           "oldObject": null, "dryRun": false, "options": {}})
}

fn pod(annotations: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
           "metadata": {"generateName": "app-", "annotations": annotations},
           "spec": {"containers": [{"name": "app", "image": "i", "command": ["/bin/app"]}]}})
}

#[test]
fn a_rich_pod_gets_a_patch() {
    let body = review(&creation(&pod(&json!({"rich.pouch/mode": "dumb-init"}))));
    let (status, body) = post("/mutate", body);
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["response"]["uid"], "705ab4f5");
    assert_eq!(answer["response"]["allowed"], true);
    assert_eq!(answer["response"]["patchType"], "JSONPatch");
}

#[test]
fn a_broken_rule_is_refused_with_its_sentence() {
    for path in PATHS {
        let body = review(&creation(&pod(&json!({"rich.pouch/initscript": "/a"}))));
        let (status, body) = post(path, body);
        assert_eq!(status, 200);
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(answer["response"]["allowed"], false);
        let message = answer["response"]["status"]["message"].as_str().unwrap();
        assert!(message.starts_with("rich.pouch/initscript can only be used along with rich mode"));
    }
}

#[test]
fn a_plain_pod_is_left_alone() {
    for path in PATHS {
        let (_, body) = post(path, review(&creation(&pod(&json!({})))));
        let answer: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(answer["response"], json!({"uid": "705ab4f5", "allowed": true}), "{path}");
    }
}

#[test]
fn what_is_no_review_is_refused_by_code_and_sentence() {
    let beta = r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#;
    for path in PATHS {
        let json = |body: &str| post(path, body.to_owned());
        let get = Request::get(path).body(Body::empty()).unwrap();
        let text = Request::post(path).header("content-type", "text/plain");
        let large = vec![b' '; 7 * 1024 * 1024 + 1];
        let streamed = Body::new(Body::from(large.clone()).map_frame(|frame| frame));
        for (name, (status, body), code, sentence) in [
            ("empty", json(""), 400, "not JSON"),
            ("no JSON", json("<xml>"), 400, "not JSON"),
            ("another version", json(beta), 400, "admission.k8s.io/v1beta1"),
            ("another kind", json(r#"{"apiVersion":"v1","kind":"Pod"}"#), 400, "Pod"),
            ("no request", json(&review(&Value::Null)), 400, "no request"),
            ("another shape", json(&review(&json!(5))), 400, "not an AdmissionReview"),
            ("another method", send(router(), get), 405, "POST"),
            ("another type", send(router(), text.body("{}".into()).unwrap()), 415, "json"),
            ("too large", post(path, large), 413, "7340032 bytes"),
            ("too large in pieces", post(path, streamed), 413, "7340032 bytes"),
        ] {
            let body = String::from_utf8(body.to_vec()).unwrap();
            assert_eq!(status, code, "{name}: {body}");
            assert!(body.contains(sentence), "{name}: {body}");
            assert!(!body.contains('\n'), "{name}: {body}");
        }
    }
    assert_eq!(post("/elsewhere", "{}").0, 404);
}

#[test]
fn a_body_that_does_not_come_is_cut() {
    struct Never;
    impl axum::body::HttpBody for Never {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }
    assert_eq!(post("/mutate", Body::new(Never)).0, 408);
}

/// How a body of spaces that comes in such pieces, each so long after the last, is answered, and
/// after how long.
async fn post_slowly(pieces: usize, bytes: usize, pause: Duration) -> (StatusCode, Duration) {
    let settings = serde_json::from_value(json!({"image": "registry.example/rich-pouch:1"}));
    let metrics = Arc::new(Metrics::new().unwrap());
    let api = Api::new(settings.unwrap(), None, None, metrics, Duration::from_secs(10));
    let pieces = stream::iter(0..pieces).then(move |_| async move {
        sleep(pause).await;
        Ok::<_, Infallible>(vec![b' '; bytes])
    });
    let request = Request::post("/mutate").header("content-type", "application/json");
    let request = request.body(Body::from_stream(pieces)).unwrap();
    let begun = Instant::now();
    let answer = api.router().oneshot(request).await.unwrap();
    (answer.status(), begun.elapsed())
}

/// The clock is tokio's, and goes on when nothing else does.
#[tokio::test(start_paused = true)]
async fn a_body_must_come_steadily() {
    const KIB: usize = 1024;
    let second = Duration::from_secs(1);
    let (code, time) = post_slowly(100, 1, second / 2).await;
    assert!(code == 408 && time < 4 * second, "a byte at a time: {code}, {time:?}");
    let (code, time) = post_slowly(2, 1024 * KIB, 60 * second).await;
    assert!(code == 408 && time < 4 * second, "nothing at all: {code}, {time:?}");
    let (code, time) = post_slowly(3, 1024 * KIB, 4 * second).await;
    assert!(code == 408 && time < 5 * second, "a long pause: {code}, {time:?}");
    let (code, time) = post_slowly(1000, 16 * KIB, second / 5).await;
    assert!(code == 408 && time == 10 * second, "too long in all: {code}, {time:?}");
    // What comes steadily is read, and is no JSON.
    assert_eq!(post_slowly(40, 16 * KIB, second / 5).await, (StatusCode::BAD_REQUEST, 8 * second));
}

#[test]
fn readiness_says_what_is_missing() {
    let resolver = Arc::new(Resolver::default());
    let (stopper, stop) = Stop::new();
    let health = Arc::new(Health::new(Arc::clone(&resolver), stop));
    let metrics = Arc::new(Metrics::new().unwrap());
    let admin = admin::router(Arc::clone(&health), metrics, Arc::clone(&resolver));
    let get = |path| send(admin.clone(), Request::get(path).body(Body::empty()).unwrap());
    let missing = |text: &str| {
        let (status, body) = get("/readyz");
        assert_eq!(status, 503);
        assert!(String::from_utf8_lossy(&body).contains(text), "{body:?}");
    };

    missing("not been looked after yet");
    health.hinder("the registration is away".into());
    missing("the registration is away");
    health.settle();
    missing("no serving certificate");
    let install = |at| {
        let made = Material::make(&["a.svc".into()], at).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let (chain, key) = (made.serving.as_bytes(), made.serving_key.as_bytes());
        resolver.install(Pair::from_pem(chain, key, &provider).unwrap());
    };
    install(SystemTime::now() - Duration::from_hours(365 * 24));
    missing("expired");
    install(SystemTime::now());
    assert_eq!(get("/readyz"), (StatusCode::OK, "ready\n".into()));
    let (status, metrics) = get("/metrics");
    assert_eq!(status, 200);
    let metrics = String::from_utf8(metrics.to_vec()).unwrap();
    assert!(!metrics.contains("not_after_timestamp_seconds 0\n"), "{metrics}");
    stopper.send_replace(Phase::Leaving);
    missing("stopping");
    assert_eq!(get("/livez").0, 200);
}

/// Any JSON, with names and values in it that are looked at.
fn json_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just("rich.pouch/mode".to_owned()),
        Just("systemd".to_owned()),
        Just("CREATE".to_owned()),
        Just("Pod".to_owned()),
        ".{0,12}",
    ];
    let name = prop_oneof![
        proptest::sample::select(vec![
            "metadata",
            "annotations",
            "spec",
            "containers",
            "name",
            "template",
            "command",
            "securityContext",
            "rich.pouch/mode",
            "rich.pouch/initscript",
            "lifecycle",
            "volumes",
            "initContainers",
            "volumeMounts",
            "env",
        ])
        .prop_map(String::from),
        ".{0,8}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A review that is one, but for what is replaced in it.
fn near_review() -> impl Strategy<Value = Value> {
    let kinds = vec![("", "Pod"), ("apps", "Deployment"), ("batch", "CronJob"), ("", "Other")];
    let pieces = vec!["uid", "kind", "operation", "object", "oldObject", "subResource", "name"];
    (
        proptest::sample::select(kinds),
        json_value(),
        json_value(),
        proptest::option::of((proptest::sample::select(pieces), json_value())),
        any::<bool>(),
    )
        .prop_map(|((group, kind), object, old, replaced, update)| {
            let mut request = creation(&object);
            request["kind"] = json!({"group": group, "version": "v1", "kind": kind});
            request["oldObject"] = old;
            request["operation"] = if update { "UPDATE" } else { "CREATE" }.into();
            if let Some((name, value)) = replaced {
                request[name] = value;
            }
            request
        })
}

fn answers_or_refuses(path: &str, (status, body): (StatusCode, Bytes)) {
    match status.as_u16() {
        200 => {
            let answer: Value = serde_json::from_slice(&body).unwrap();
            assert!(answer["response"]["allowed"].is_boolean(), "{path}: {answer}");
        }
        400 => assert!(!String::from_utf8(body.to_vec()).unwrap().is_empty()),
        other => panic!("{path}: {other}"),
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        for path in PATHS {
            answers_or_refuses(path, post(path, bytes.clone()));
        }
    }

    #[test]
    fn no_json_makes_it_panic(value in json_value()) {
        for path in PATHS {
            answers_or_refuses(path, post(path, value.to_string()));
            answers_or_refuses(path, post(path, review(&value)));
        }
    }

    #[test]
    fn no_review_makes_it_panic(request in near_review()) {
        for path in PATHS {
            answers_or_refuses(path, post(path, review(&request)));
        }
    }

    #[test]
    fn no_cut_or_changed_review_makes_it_panic(
        request in near_review(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let whole = review(&request).into_bytes();
        let at = at.index(whole.len());
        let mut changed = whole.clone();
        changed[at] = byte;
        for path in PATHS {
            answers_or_refuses(path, post(path, whole[..at].to_vec()));
            answers_or_refuses(path, post(path, changed.clone()));
        }
    }
}
