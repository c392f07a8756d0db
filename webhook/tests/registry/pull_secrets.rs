//! Whose pull secrets are read.

use std::{
    convert::Infallible,
    net::TcpListener,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::Full;
use hyper::{Request, Response, body::Bytes};
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

use crate::{
    asking::{Asking, name},
    authentication::{basic, docker_config},
    daemon::PASSWORD,
    server::{Scripted, demand},
};

/// An API server's answers to GETs, and the paths that were asked for.
fn client(
    answer: impl Fn(&str) -> Option<Value> + Clone + Send + Sync + 'static,
) -> (kube::Client, Arc<Mutex<Vec<String>>>) {
    let paths = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&paths);
    let service = service_fn(move |request: Request<Body>| {
        let path = request.uri().to_string();
        let missing = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "code": 404,
                             "status": "Failure", "message": "not found", "reason": "NotFound"});
        let (code, object) = answer(&path).map_or((404, missing), |object| (200, object));
        asked.lock().unwrap().push(path);
        let answer =
            Response::builder().status(code).body(Full::new(Bytes::from(object.to_string())));
        async move { Ok::<_, Infallible>(answer.unwrap()) }
    });
    (kube::Client::new(service, "default"), paths)
}

/// A pod with these pull secrets.
fn pod(secrets: &[String]) -> Value {
    let secrets: Vec<_> = secrets.iter().map(|name| json!({"name": name})).collect();
    json!({"imagePullSecrets": secrets,
           "containers": [{"name": "app", "image": "registry.invalid/app:1"}]})
}

#[tokio::test]
async fn the_first_secret_with_an_entry_for_the_registry_counts() {
    let registry = Scripted::start(|_| demand("Basic realm=\"a\"")).await;
    let secret = |config: &Value| {
        let config = STANDARD.encode(config.to_string());
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"},
               "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": config}})
    };
    let other = secret(&docker_config(&"registry.example", PASSWORD));
    let (first, second) =
        (docker_config(&registry.address, PASSWORD), docker_config(&registry.address, "wrong"));
    let (first, second) = (secret(&first), secret(&second));
    let (client, paths) = client(move |path| match path.rsplit('/').next().unwrap() {
        "other" => Some(other.clone()),
        "first" => Some(first.clone()),
        "second" => Some(second.clone()),
        _ => None,
    });
    let asking = Asking::of(&registry.address).with_pull_secrets(client);
    let spec = json!({
        "imagePullSecrets": [{"name": "none"}, {"name": "other"}, {"name": "first"}, {"name": "second"}],
        "containers": [{"name": "app", "image": name(registry.address, "app:1")}]});
    asking.answers(&spec).await;
    let shown: Vec<_> = registry.seen().into_iter().map(|(_, shown)| shown).collect();
    assert_eq!(shown, [None, Some(basic())]);
    let paths = paths.lock().unwrap();
    assert_eq!(paths[0], "/api/v1/namespaces/default/secrets/none");
    assert_eq!(paths.len(), 4);
}

#[tokio::test]
async fn what_is_no_name_does_not_come_into_a_path() {
    let (client, paths) = client(|_| None);
    let asking = Asking::of(&"registry.invalid").with_pull_secrets(client);
    let wrong = ["", "..", "a/../../b/secrets/c", "a?b", "a%2fb", "A"].map(str::to_owned);
    asking.answers(&pod(&wrong)).await;
    for name in &wrong {
        asking.answers_in(name, &pod(&["pull".to_owned()])).await;
        let mut spec = pod(&[]);
        spec["serviceAccountName"] = json!(name);
        if !name.is_empty() {
            asking.answers(&spec).await;
        }
    }
    assert_eq!(*paths.lock().unwrap(), [""; 0]);
}

#[tokio::test]
async fn no_more_than_sixteen_are_read() {
    let names: Vec<_> = (0..64).map(|index| format!("pull-{index}")).collect();
    let (client_of_pod, paths) = client(|_| None);
    let asking = Asking::of(&"registry.invalid").with_pull_secrets(client_of_pod);
    asking.answers(&pod(&names)).await;
    assert_eq!(paths.lock().unwrap().len(), 16);

    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"},
                         "imagePullSecrets": pod(&names)["imagePullSecrets"]});
    let (client, paths) =
        client(move |path| path.contains("/serviceaccounts/").then(|| account.clone()));
    let asking = Asking::of(&"registry.invalid").with_pull_secrets(client);
    asking.answers(&pod(&[])).await;
    assert_eq!(paths.lock().unwrap().len(), 1 + 16);
}

#[tokio::test]
async fn none_is_read_for_a_registry_that_is_not_listed() {
    let (client, paths) = client(|_| None);
    let asking = Asking::of(&"registry.example").with_pull_secrets(client);
    asking.answers(&pod(&["pull".to_owned()])).await;
    assert_eq!(*paths.lock().unwrap(), [""; 0]);
}

#[tokio::test]
async fn an_api_server_that_does_not_give_the_pull_secrets_in_time_is_said_to() {
    // It takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap()).parse().unwrap();
    let client = kube::Client::try_from(kube::Config::new(address)).unwrap();
    let asking = Asking::of(&"registry.example").with_pull_secrets(client);
    let asking = asking.with(&json!({"timeoutMilliseconds": 300}));
    let refused = asking.image("registry.example/app:1").await.unwrap_err();
    assert_eq!(refused, "the pull secrets cannot be read: the API server did not answer in time");
}
