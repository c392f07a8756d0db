//! Asking as the webhook does.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use inject::{Entrypoint, Entrypoints, Known, Lookup, Target};
use rustls::crypto::ring::default_provider;
use serde_json::{Value, json};
use tokio::time::timeout;
use webhook::{
    metrics::Metrics,
    registry::{PullSecrets, Registry, Settings},
};

use crate::daemon::{Folder, material};

/// Longer than any test should take, on any machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// What asks, and the folder of its files.
pub(crate) struct Asking {
    registry: Registry,
    folder: Folder,
}

impl Asking {
    /// Asks any registry, trusting the test's CA, with time enough.
    pub(crate) fn new() -> Self {
        Self::with(&json!({}))
    }

    /// The same with some settings changed.
    pub(crate) fn with(changes: &Value) -> Self {
        Self::build(changes, None, None)
    }

    /// The same with a docker config.
    pub(crate) fn with_docker_config(config: &Value) -> Self {
        Self::build(&json!({}), Some(config), None)
    }

    /// The same with some settings changed, and pull secrets of this API server.
    pub(crate) fn with_pull_secrets(client: kube::Client, changes: &Value) -> Self {
        Self::build(changes, None, Some(PullSecrets::new(client)))
    }

    fn build(changes: &Value, docker_config: Option<&Value>, secrets: Option<PullSecrets>) -> Self {
        let folder = Folder::new();
        let mut settings = json!({"registries": [{"host": "*"}], "timeoutMilliseconds": 30_000,
            "caFile": folder.write("ca.crt", &material().authority)});
        let changes = changes.as_object().unwrap().clone();
        settings.as_object_mut().unwrap().extend(changes);
        if let Some(config) = docker_config {
            settings["dockerConfigFile"] = json!(folder.write("config.json", &config.to_string()));
        }
        let settings: Settings = serde_json::from_value(settings).unwrap();
        let provider = Arc::new(default_provider());
        let registry =
            Registry::new(settings, provider, secrets, Arc::new(Metrics::new().unwrap()));
        Self { registry, folder }
    }

    /// What answers, for who asks in another way.
    pub(crate) fn into_registry(self) -> (Registry, Folder) {
        (self.registry, self.folder)
    }

    /// What the one image runs, or why that is not known.
    pub(crate) async fn image(&self, name: &str) -> Result<Vec<String>, String> {
        self.pod(&json!({"containers": [{"name": "app", "image": name}]})).await
    }

    /// The same for a pod with this spec.
    pub(crate) async fn pod(&self, spec: &Value) -> Result<Vec<String>, String> {
        let answers = self.answers(spec).await;
        assert_eq!(answers.len(), 1);
        let answer = answers.into_values().next().unwrap();
        answer.map(|Entrypoint { entrypoint, cmd }| [entrypoint, cmd].concat())
    }

    /// What is found out about all images of such a pod.
    pub(crate) async fn answers(&self, spec: &Value) -> Entrypoints {
        let lookup = lookup(spec);
        timeout(PATIENCE, self.registry.resolve("default", &lookup)).await.unwrap()
    }
}

/// What the injection asks for a pod with this spec.
fn lookup(spec: &Value) -> Lookup {
    let annotations = json!({"rich.pouch/mode": "dumb-init", "rich.pouch/containers": "*"});
    let pod = json!({"metadata": {"annotations": annotations}, "spec": spec}).to_string();
    let settings = serde_json::from_value(json!({"image": "rich-pouch:1"})).unwrap();
    let known = Known::default();
    inject::judge(Target::Pod, &pod, None, &settings, &known).unwrap().lookup
}

/// The name of an image there.
pub(crate) fn name(address: SocketAddr, rest: &str) -> String {
    format!("{address}/{rest}")
}
