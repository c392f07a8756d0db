//! Asking as the webhook does.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

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
    settings: Value,
    secrets: Option<kube::Client>,
    folder: Folder,
    registry: OnceLock<Registry>,
}

impl Asking {
    /// Asks this registry, which the administrator lists by its name, trusting the test's CA, with
    /// time enough.
    pub(crate) fn of(host: &impl ToString) -> Self {
        Self::listing(&json!([{"host": host.to_string()}]))
    }

    /// The same with any registry, which may be in the inner network.
    pub(crate) fn any() -> Self {
        Self::listing(&json!([{"host": "*", "privateAddresses": true}]))
    }

    /// The same with these registries.
    pub(crate) fn listing(registries: &Value) -> Self {
        let folder = Folder::new();
        let ca = folder.write("ca.crt", &material().authority);
        let settings =
            json!({"registries": registries, "timeoutMilliseconds": 30_000, "caFile": ca});
        Self { settings, secrets: None, folder, registry: OnceLock::new() }
    }

    /// The same with some settings changed.
    pub(crate) fn with(mut self, changes: &Value) -> Self {
        let changes = changes.as_object().unwrap().clone();
        self.settings.as_object_mut().unwrap().extend(changes);
        self
    }

    /// The same with a docker config.
    pub(crate) fn with_docker_config(self, config: &Value) -> Self {
        let file = self.folder.write("config.json", &config.to_string());
        self.with(&json!({"dockerConfigFile": file}))
    }

    /// The same with pull secrets of this API server.
    pub(crate) fn with_pull_secrets(self, client: kube::Client) -> Self {
        Self { secrets: Some(client), ..self }
    }

    fn registry(&self) -> &Registry {
        self.registry.get_or_init(|| {
            let settings: Settings = serde_json::from_value(self.settings.clone()).unwrap();
            let secrets = self.secrets.clone().map(PullSecrets::new);
            let provider = Arc::new(default_provider());
            Registry::new(settings, provider, secrets, Arc::new(Metrics::new().unwrap()))
        })
    }

    /// What answers, for who asks in another way.
    pub(crate) fn into_registry(self) -> (Registry, Folder) {
        self.registry();
        (self.registry.into_inner().unwrap(), self.folder)
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
        self.answers_in("default", spec).await
    }

    /// The same for a pod of this namespace.
    pub(crate) async fn answers_in(&self, namespace: &str, spec: &Value) -> Entrypoints {
        let lookup = lookup(spec);
        timeout(PATIENCE, self.registry().resolve(namespace, &lookup)).await.unwrap()
    }
}

/// What the injection asks for pods with this spec that have one of its containers each: it lets
/// few containers of one pod become rich.
fn lookup(spec: &Value) -> Lookup {
    let containers = spec["containers"].as_array().unwrap().iter();
    let mut lookups = containers.map(|container| {
        let mut alone = spec.clone();
        alone["containers"] = json!([container]);
        lookup_of_one(&alone)
    });
    let mut lookup = lookups.next().unwrap();
    lookup.images.extend(lookups.flat_map(|it| it.images));
    lookup
}

fn lookup_of_one(spec: &Value) -> Lookup {
    let annotations = json!({"rich.pouch/mode": "dumb-init", "rich.pouch/containers": "*"});
    let pod = json!({"metadata": {"annotations": annotations}, "spec": spec}).to_string();
    let settings = serde_json::from_value(json!({"image": "rich-pouch:1"})).unwrap();
    let known = Known { as_written: true, ..Known::default() };
    inject::judge(Target::Pod, &pod, None, &settings, &known).unwrap().lookup
}

/// The name of an image there.
pub(crate) fn name(address: SocketAddr, rest: &str) -> String {
    format!("{address}/{rest}")
}
