//! Who may read what, and by what it is shown.

use std::{
    fs,
    net::TcpListener,
    sync::{Arc, Mutex},
};

use axum::{Router, extract, http::header::AUTHORIZATION};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

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

#[tokio::test]
async fn an_api_server_that_does_not_give_the_pull_secrets_in_time_is_said_to() {
    // It takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let client = kube::Client::try_from(kube::Config::new(address)).unwrap();
    let asking = Asking::with_pull_secrets(client, &json!({"timeoutMilliseconds": 300}));
    let refused = asking.image("registry.example/app:1").await.unwrap_err();
    assert_eq!(refused, "the pull secrets cannot be read: the API server did not answer in time");
}
