//! Other projects change pods, too, before or after us. One test, since whoever else creates pods
//! would meet them.

#![allow(clippy::expect_used, reason = "these are tests")]

use std::process::Stdio;

use e2e::{
    App, Namespace, busybox, cluster_command, debian, eventually, in_namespace, kubectl,
    kubectl_apply,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
};

/// A port of the first node that nothing else of the test cluster has.
const ADDRESS: &str = "10.250.0.1:5444";

/// A webhook in a process of its own.
struct Other {
    ca: String,
    _process: Child,
}

impl Other {
    async fn start() -> Self {
        let program = env!("CARGO_BIN_EXE_other-webhook");
        let mut process = cluster_command(&["exec", program, ADDRESS])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a webhook");
        let mut lines = BufReader::new(process.stdout.take().expect("stdout")).lines();
        let ca = lines.next_line().await.expect("output").expect("a CA");
        Self { ca, _process: process }
    }

    /// Runs a test while it is registered for the pods of the namespace. Mutating webhooks are
    /// called in the order of their registrations' names.
    async fn registered(
        &self,
        ns: &Namespace,
        name: &str,
        fields: &Value,
        test: impl AsyncFnOnce(),
    ) {
        let mut webhook = json!({
            "name": "other.e2e.rich-pouch.example",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "clientConfig": {"caBundle": self.ca},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns.name}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"],
                       "operations": ["CREATE"]}],
        });
        let path = fields["path"].as_str().unwrap_or_default();
        webhook["clientConfig"]["url"] = format!("https://{ADDRESS}{path}").into();
        webhook["reinvocationPolicy"] = fields["reinvocationPolicy"].clone();
        let registration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [webhook],
        });
        let said = kubectl_apply(&ns.name, &registration).await;
        assert_eq!(said.code, 0, "{}", said.text);
        test().await;
        let said = kubectl(&["delete", "mutatingwebhookconfiguration", name]).await;
        assert_eq!(said.code, 0, "{}", said.text);
    }
}

/// The pod as it would be created, once the other webhook has its say and its container is there.
async fn changed(ns: &Namespace, app: &App, path: &str) -> Value {
    let place = usize::from(path == "/sidecar");
    eventually("the other webhook adds a container", async || {
        let pod = ns.accepts(app).await;
        (pod["spec"]["containers"][place]["name"] == "sidecar").then_some(pod)
    })
    .await
}

/// The names of a pod's containers that are rich. No other is privileged.
fn rich(pod: &Value) -> Vec<&str> {
    let containers = pod["spec"]["containers"].as_array().expect("containers");
    let is_rich = |it: &&Value| it["command"][0] == "/.rich/rich";
    let plain = containers.iter().find(|it| !is_rich(it) && !it["securityContext"].is_null());
    assert_eq!(plain, None);
    containers.iter().filter(is_rich).filter_map(|it| it["name"].as_str()).collect()
}

#[tokio::test]
async fn a_pod_that_others_change_before_or_after_us_is_rich_or_is_refused() {
    let other = Other::start().await;
    let app = busybox(&["sleep", "10000"]).rich("mode", "dumb-init");
    let all = app.clone().rich("containers", "*");
    let systemd = debian(&["sleep", "10000"]).rich("mode", "systemd");
    in_namespace(async |ns| {
        for name in ["a-rich-pouch-e2e", "z-rich-pouch-e2e"] {
            for path in ["/sidecar", "/first"] {
                let sidecar = json!({"path": path, "reinvocationPolicy": "Never"});
                other
                    .registered(ns, name, &sidecar, async || {
                        for app in [&app, &all, &systemd] {
                            let pod = changed(ns, app, path).await;
                            assert_eq!(rich(&pod), ["app"], "{name}{path}");
                        }
                        let pod = ns.run(&all).await;
                        assert!(pod.exec(&["ps"]).await.contains("dumb-init -- sleep 10000"));
                        let pod = ns.run(&systemd).await;
                        pod.exec_until(&["cat", "/proc/1/comm"], |it| it == "systemd\n").await;
                    })
                    .await;
            }
        }
        // What is named is meant: the other webhook's container is there before we are asked.
        let named = app.clone().rich("containers", "app,sidecar");
        let first = json!({"path": "/first", "reinvocationPolicy": "Never"});
        other
            .registered(ns, "a-rich-pouch-e2e", &first, async || {
                let accepted = async || ns.would_take(&named.pod()).await.ok();
                eventually("the other webhook is asked first", accepted).await;
                assert_eq!(rich(&ns.accepts(&named).await), ["sidecar", "app"]);
            })
            .await;
        // Who changes what is ours once is followed by us; who does it each time is not.
        let undo = json!({"path": "/undo", "reinvocationPolicy": "IfNeeded"});
        other
            .registered(ns, "z-rich-pouch-e2e", &undo, async || {
                let refused = async || ns.would_take(&app.pod()).await.err();
                let said = eventually("the other webhook undoes it", refused).await;
                let sentence = "another webhook changed it afterwards";
                assert!(said.contains(sentence), "{said}");
            })
            .await;
    })
    .await;
}
