//! Who may read what, and by what it is shown.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    asking::{Asking, name},
    daemon::{Daemon, PASSWORD, USER},
    images::Pusher,
    tokens::{ISSUER, SERVICE, TokenServer, pusher},
};

/// The right credentials as a header.
pub(crate) fn basic() -> String {
    format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")))
}

pub(crate) fn docker_config(host: &impl ToString, password: &str) -> Value {
    let auth = STANDARD.encode(format!("{USER}:{password}"));
    json!({"auths": {host.to_string(): {"auth": auth}}})
}

/// Asks for an image without credentials, with wrong and with right ones.
async fn three_ways(daemon: &Daemon, image: &str) {
    let host = daemon.address;
    let asking = || Asking::of(&host);
    let refused = asking().image(image).await.unwrap_err();
    assert_eq!(refused, format!("{host} requires credentials"));
    let elsewhere = docker_config(&"registry.example", PASSWORD);
    let refused = asking().with_docker_config(&elsewhere).image(image).await.unwrap_err();
    assert_eq!(refused, format!("{host} requires credentials"));
    let wrong = docker_config(&host, "wrong");
    let refused = asking().with_docker_config(&wrong).image(image).await.unwrap_err();
    assert_eq!(refused, format!("{host} does not accept the credentials"));
    let right = docker_config(&host, PASSWORD);
    assert_eq!(asking().with_docker_config(&right).image(image).await.unwrap(), ["one"]);
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
    assert_eq!(Asking::of(&daemon.address).image(&public).await.unwrap(), ["one"]);
}

#[tokio::test]
async fn platforms_that_are_asked_for_at_once_are_all_authorized() {
    let daemon = Daemon::with_passwords();
    let pusher = Pusher::new(daemon.address, "app", basic());
    let one = pusher.image(None, &json!({"Cmd": ["one"]})).await;
    let two = pusher.image(None, &json!({"Cmd": ["two"], "Env": ["A=1"]})).await;
    let same = pusher.image(None, &json!({"Cmd": ["two"], "Env": ["A=2"]})).await;
    pusher.index("1", &[("amd64", &one), ("arm64", &two), ("s390x", &same)]).await;
    let config = docker_config(&daemon.address, PASSWORD);
    let asking = Asking::of(&daemon.address).with_docker_config(&config);
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
