//! A pod, put together in the words of the contract.

use contract::PREFIX;
use serde_json::{Value, json};

/// A node of the test cluster, by the version of control groups that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    /// The first node: what the machine has that the cluster runs on.
    V1,
    /// The second, which is there when the cluster was started with `--with-v2-node`.
    V2,
}

impl Node {
    /// The one that this run of the tests is about: the second where `E2E_NODE` is `v2`.
    #[must_use]
    pub fn tested() -> Self {
        if std::env::var_os("E2E_NODE").is_some_and(|node| node == "v2") {
            Self::V2
        } else {
            Self::V1
        }
    }

    /// How many times slower it is than a machine: it is one that is emulated.
    pub(crate) const fn slowness(self) -> u32 {
        match self {
            Self::V1 => 1,
            Self::V2 => 5,
        }
    }
}

/// A pod with one container, or the template of one.
#[derive(Clone, Debug)]
pub struct App {
    pod: Value,
}

/// A pod of the busybox image that runs this command.
#[must_use]
pub fn busybox(command: &[&str]) -> App {
    App::new("localhost/busybox:test", command)
}

/// A pod of the Debian image, which has systemd, that runs this command.
#[must_use]
pub fn debian(command: &[&str]) -> App {
    App::new("localhost/debian-systemd:test", command)
}

/// A pod of one of the test cluster's images that runs what the image says.
#[must_use]
pub fn image_itself(name: &str) -> App {
    let mut app = image(name, &["true"]);
    if let Some(container) = app.pod["spec"]["containers"][0].as_object_mut() {
        container.retain(|name, _| name != "command" && name != "args");
    }
    app
}

/// A pod of one of the test cluster's images that runs this command.
#[must_use]
pub fn image(name: &str, command: &[&str]) -> App {
    App::new(&format!("localhost/{name}:test"), command)
}

impl App {
    fn new(image: &str, command: &[&str]) -> Self {
        let (program, args) = command.split_first().expect("a command");
        let app = Self {
            pod: json!({
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"generateName": "app-", "labels": {"app": "app"}, "annotations": {}},
                "spec": {
                    "restartPolicy": "Never",
                    "terminationGracePeriodSeconds": 20 * Node::tested().slowness(),
                    "containers": [
                        {"name": "app", "image": image, "command": [program], "args": args},
                    ],
                },
            }),
        };
        if Node::tested() == Node::V2 { app.on_the_second_node() } else { app }
    }

    /// Sets the annotation `rich.pouch/KEY`.
    #[must_use]
    pub fn rich(self, key: &str, value: &str) -> Self {
        self.with("/metadata/annotations", json!({format!("{PREFIX}{key}"): value}))
    }

    /// The second node has a taint: it wants to be asked.
    fn on_the_second_node(self) -> Self {
        const LABEL: &str = "rich-pouch.test/cgroup";
        self.spec(json!({
            "nodeSelector": {LABEL: "v2"},
            "tolerations": [{"key": LABEL, "operator": "Exists"}],
        }))
    }

    /// Gives it so much time to stop, seconds of a machine that is not emulated.
    #[must_use]
    pub fn grace(self, seconds: u32) -> Self {
        let seconds = seconds * Node::tested().slowness();
        self.spec(json!({"terminationGracePeriodSeconds": seconds}))
    }

    /// Mounts a ConfigMap with executable scripts at `/scripts`.
    #[must_use]
    pub fn scripts(self, config_map: &str) -> Self {
        let mount = json!({"volumeMounts": [{"name": "scripts", "mountPath": "/scripts"}]});
        let config_map = json!({"name": config_map, "defaultMode": 0o755});
        let volumes = json!({"volumes": [{"name": "scripts", "configMap": config_map}]});
        self.with("/spec", volumes).container(mount)
    }

    /// Sets fields of the container.
    #[must_use]
    pub fn container(self, fields: Value) -> Self {
        self.with("/spec/containers/0", fields)
    }

    /// Sets fields of the pod's spec.
    #[must_use]
    pub fn spec(self, fields: Value) -> Self {
        self.with("/spec", fields)
    }

    fn with(mut self, pointer: &str, fields: Value) -> Self {
        let Value::Object(fields) = fields else { panic!("{fields} is no object") };
        self.pod
            .pointer_mut(pointer)
            .and_then(Value::as_object_mut)
            .expect("an object of the pod")
            .extend(fields);
        self
    }

    /// The pod as an object of the API.
    #[must_use]
    pub fn pod(&self) -> Value {
        self.pod.clone()
    }

    /// A workload of any kind of Kubernetes' own that makes pods of this.
    #[must_use]
    pub fn workload(&self, kind: &str, annotations: &Value) -> Value {
        let Value::Object(mut pod) = self.pod() else { panic!("a pod") };
        if !kind.ends_with("Job") {
            pod["spec"].as_object_mut().expect("a spec").remove("restartPolicy");
        }
        let metadata = &pod["metadata"];
        let template = json!({
            "metadata": {"labels": metadata["labels"], "annotations": metadata["annotations"]},
            "spec": pod["spec"],
        });
        let labels = json!({"app": "app"});
        let (version, mut object) = match kind {
            "PodTemplate" => ("v1", json!({"template": template})),
            "ReplicationController" => {
                ("v1", json!({"spec": {"selector": labels, "template": template}}))
            }
            "Job" => ("batch/v1", json!({"spec": {"backoffLimit": 0, "template": template}})),
            "CronJob" => {
                let job = json!({"spec": {"template": template}});
                ("batch/v1", json!({"spec": {"schedule": "@yearly", "jobTemplate": job}}))
            }
            _ => {
                let selector = json!({"matchLabels": labels});
                ("apps/v1", json!({"spec": {"selector": selector, "template": template}}))
            }
        };
        object["apiVersion"] = version.into();
        object["kind"] = kind.into();
        object["metadata"] = json!({"name": "app", "annotations": annotations});
        object
    }
}
