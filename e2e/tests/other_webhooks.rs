//! Other projects change pods, too, before or after us. One test, since whoever else creates pods
//! would meet them.

#![allow(clippy::expect_used, reason = "these are tests")]

use std::process::Stdio;

use e2e::{
    App, Namespace, busybox, cluster_command, eventually, in_namespace, kubectl, kubectl_apply,
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

/// The pod as it would be created, once the other webhook has its say.
async fn changed(ns: &Namespace, app: &App) -> Value {
    eventually("the other webhook adds a container", async || {
        let pod = ns.accepts(app).await;
        (pod["spec"]["containers"].as_array()?.len() == 2).then_some(pod)
    })
    .await
}

fn is_rich(container: &Value) -> bool {
    container["command"][0] == "/.rich/rich"
}

#[tokio::test]
async fn a_pod_that_others_change_before_or_after_us_is_rich_or_is_refused() {
    let other = Other::start().await;
    let app = busybox(&["sleep", "10000"]).rich("mode", "dumb-init");
    let all = app.clone().rich("containers", "*");
    in_namespace(async |ns| {
        for name in ["a-rich-pouch-e2e", "z-rich-pouch-e2e"] {
            let sidecar = json!({"path": "/sidecar", "reinvocationPolicy": "Never"});
            other
                .registered(ns, name, &sidecar, async || {
                    let pod = changed(ns, &all).await;
                    assert!(is_rich(&pod["spec"]["containers"][0]), "{name}");
                    assert!(is_rich(&pod["spec"]["containers"][1]), "{name}");
                    let pod = changed(ns, &app).await;
                    assert!(is_rich(&pod["spec"]["containers"][0]), "{name}");
                    assert!(!is_rich(&pod["spec"]["containers"][1]), "{name}");
                    let pod = ns.run(&all).await;
                    assert!(pod.exec(&["ps"]).await.contains("dumb-init -- sleep 10000"));
                })
                .await;
        }
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
