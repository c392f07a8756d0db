//! Who may read what, and by what it is shown.

use std::{
    convert::Infallible,
    fs,
    future::pending,
    sync::{Arc, Mutex},
};

use axum::{
    Router, extract,
    http::{Request, Response, header::AUTHORIZATION},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

use crate::{
    asking::{Asking, name},
    daemon::{Daemon, Folder, PASSWORD, USER},
    images::Pusher,
    server::TlsServer,
    tokens::{ISSUER, SERVICE, TokenServer, pusher},
};

fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")))
}

fn docker_config(host: &impl ToString, password: &str) -> Value {
    let auth = STANDARD.encode(format!("{USER}:{password}"));
    json!({"auths": {host.to_string(): {"auth": auth}}})
}

/// Asks for an image without credentials, with wrong and with right ones.
async fn three_ways(daemon: &Daemon, image: &str) {
    let host = daemon.address;
    let refused = Asking::new().image(image).await.unwrap_err();
    assert_eq!(refused, format!("{host} gives it out for credentials only"));
    let elsewhere = docker_config(&"registry.example", PASSWORD);
    let refused = Asking::with_docker_config(&elsewhere).image(image).await.unwrap_err();
    assert_eq!(refused, format!("{host} gives it out for credentials only"));
    let wrong = docker_config(&host, "wrong");
    let refused = Asking::with_docker_config(&wrong).image(image).await.unwrap_err();
    assert_eq!(refused, format!("{host} does not accept the credentials for it"));
    let right = docker_config(&host, PASSWORD);
    assert_eq!(Asking::with_docker_config(&right).image(image).await.unwrap(), ["one"]);
}

#[tokio::test]
async fn a_registry_with_passwords_wants_the_right_one() {
    let daemon = Daemon::with_passwords();
    Pusher::new(daemon.address, "app", basic()).image(Some("1"), &json!({"Cmd": ["one"]})).await;
    three_ways(&daemon, &name(daemon.address, "app:1")).await;
}

#[tokio::test]
async fn a_registry_with_tokens_gets_one_for_the_repository() {
    let server = TokenServer::start().await;
    let daemon = Daemon::with_tokens(&server.realm(), SERVICE, ISSUER);
    for repository in ["team/app", "public"] {
        let pusher = Pusher::new(daemon.address, repository, pusher(repository));
        pusher.image(Some("1"), &json!({"Cmd": ["one"]})).await;
    }
    three_ways(&daemon, &name(daemon.address, "team/app:1")).await;
    let public = name(daemon.address, "public:1");
    assert_eq!(Asking::new().image(&public).await.unwrap(), ["one"]);
}

#[tokio::test]
async fn platforms_that_are_asked_for_at_once_are_all_authorized() {
    let daemon = Daemon::with_passwords();
    let pusher = Pusher::new(daemon.address, "app", basic());
    let one = pusher.image(None, &json!({"Cmd": ["one"]})).await;
    let two = pusher.image(None, &json!({"Cmd": ["two"], "Env": ["A=1"]})).await;
    let same = pusher.image(None, &json!({"Cmd": ["two"], "Env": ["A=2"]})).await;
    pusher.index("1", &[("amd64", &one), ("arm64", &two), ("s390x", &same)]).await;
    let asking = Asking::with_docker_config(&docker_config(&daemon.address, PASSWORD));
    for (operator, expected) in [("In", "one"), ("NotIn", "two")] {
        let key = "kubernetes.io/arch";
        let expression = json!({"key": key, "operator": operator, "values": ["amd64"]});
        let term = json!({"matchExpressions": [expression]});
        let required = json!({"nodeSelectorTerms": [term]});
        let required = json!({"requiredDuringSchedulingIgnoredDuringExecution": required});
        let image = name(daemon.address, "app:1");
        let spec = json!({"affinity": {"nodeAffinity": required},
                          "containers": [{"name": "app", "image": image}]});
        assert_eq!(asking.pod(&spec).await.unwrap(), [expected]);
    }
}

#[tokio::test]
async fn credentials_do_not_follow_a_blob_to_another_host() {
    let folder = Folder::new();
    let data = folder.data();
    let shown = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&shown);
    let blobs = TlsServer::start(Router::new().fallback(async move |request: extract::Request| {
        seen.lock().unwrap().push(request.headers().get(AUTHORIZATION).cloned());
        fs::read(data.join(request.uri().path().trim_start_matches('/'))).unwrap()
    }));
    let blobs = blobs.await;
    let address = format!("https://{}/", blobs.address);
    let daemon = Daemon::with_passwords_and_blobs_at(folder, &address);
    Pusher::new(daemon.address, "app", basic()).image(Some("1"), &json!({"Cmd": ["one"]})).await;
    let asking = Asking::with_docker_config(&docker_config(&daemon.address, PASSWORD));
    assert_eq!(asking.image(&name(daemon.address, "app:1")).await.unwrap(), ["one"]);
    assert_eq!(*shown.lock().unwrap(), [None]);
}

/// An API server with a few objects, by their paths.
fn api_server(objects: &[(&'static str, Value)]) -> kube::Client {
    let objects = objects.to_vec();
    let service = service_fn(move |request: Request<Body>| {
        let found = objects.iter().find(|(path, _)| *path == request.uri().path());
        let missing = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
            "message": "no such object", "reason": "NotFound", "code": 404});
        let (code, body) = found.map_or((404, &missing), |(_, object)| (200, object));
        let answer =
            Response::builder().status(code).body(Body::from(body.to_string().into_bytes()));
        async move { Ok::<_, Infallible>(answer.unwrap()) }
    });
    kube::Client::new(service, "default")
}

fn secret(config: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "any"},
        "data": {".dockerconfigjson": STANDARD.encode(config.to_string())}})
}

#[tokio::test]
async fn a_pods_pull_secrets_count_and_else_its_service_accounts() {
    let daemon = Daemon::with_passwords();
    Pusher::new(daemon.address, "app", basic()).image(Some("1"), &json!({"Cmd": ["one"]})).await;
    let right = secret(&docker_config(&daemon.address, PASSWORD));
    let account = |name: &str, secret: &str| {
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name},
               "imagePullSecrets": [{"name": secret}]})
    };
    let api_server = api_server(&[
        ("/api/v1/namespaces/a/secrets/right", right.clone()),
        ("/api/v1/namespaces/b/secrets/right", right),
        ("/api/v1/namespaces/b/serviceaccounts/default", account("default", "right")),
        ("/api/v1/namespaces/b/serviceaccounts/poor", account("poor", "missing")),
    ]);
    let asking = Asking::with_pull_secrets(api_server, &json!({}));
    let image = name(daemon.address, "app:1");
    let ask = async |namespace: &str, fields: Value| {
        let mut spec = json!({"containers": [{"name": "app", "image": image}]});
        spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        asking.pod_in(namespace, &spec).await
    };
    let pulls = json!({"imagePullSecrets": [{"name": "missing"}, {"name": "right"}]});
    assert_eq!(ask("a", pulls.clone()).await.unwrap(), ["one"]);
    assert_eq!(ask("b", json!({})).await.unwrap(), ["one"]);
    let closed = format!("{} gives it out for credentials only", daemon.address);
    // What is known by the credentials of one is not told to another.
    assert_eq!(ask("a", json!({})).await.unwrap_err(), closed);
    assert_eq!(ask("c", pulls).await.unwrap_err(), closed);
    assert_eq!(ask("b", json!({"serviceAccountName": "poor"})).await.unwrap_err(), closed);
}

#[tokio::test]
async fn an_api_server_that_gives_no_pull_secrets_is_said_to() {
    let answers = service_fn(|_: Request<Body>| async {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure",
            "message": "secrets \"pull\" is forbidden", "reason": "Forbidden", "code": 403});
        let body = Body::from(status.to_string().into_bytes());
        Ok::<_, Infallible>(Response::builder().status(403).body(body).unwrap())
    });
    let silence = service_fn(|_: Request<Body>| pending::<Result<Response<Body>, Infallible>>());
    let short = json!({"timeoutMilliseconds": 300});
    for (client, reason) in [
        (kube::Client::new(answers, "default"), "secrets \"pull\" is forbidden; the permission"),
        (kube::Client::new(silence, "default"), "the API server did not answer in time"),
    ] {
        let asking = Asking::with_pull_secrets(client, &short);
        let refused = asking.image("registry.example/app:1").await.unwrap_err();
        let sentence = format!("the pull secrets cannot be read: {reason}");
        assert!(refused.starts_with(&sentence), "{refused}");
    }
}
