//! cert-manager, and a CA that it has certificates of.

use std::{fs::File, process::Stdio};

use serde_json::{Value, json};
use tokio::process::Child;

use crate::{
    RELEASE_NAMESPACE, eventually,
    kubectl::{cluster, cluster_command, kubectl_apply},
    release_kubectl,
};

/// Its CA: an Issuer of this name, by the certificate in the Secret of this name.
const AUTHORITY: &str = "e2e-authority";
/// What vouches for the CA: itself.
const SELF_SIGNED: &str = "e2e-self-signed";

/// cert-manager at work in the cluster.
pub struct CertManager {
    _controllers: Child,
}

impl CertManager {
    /// Starts it, and waits until it has an Issuer in the release's namespace.
    pub async fn start() -> Self {
        kinds("apply --server-side").await;
        let wait = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"];
        release_kubectl(&wait).await;
        let log = std::env::temp_dir().join("rich-pouch-e2e-cert-manager.log");
        println!("cert-manager's log is {}", log.display());
        let controllers = cluster_command(&["exec", "cert-manager"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log).expect("a log"))
            .kill_on_drop(true)
            .spawn()
            .expect("cert-manager");
        let manager = Self { _controllers: controllers };
        for object in authority() {
            let said = kubectl_apply(RELEASE_NAMESPACE, &object).await;
            assert_eq!(said.code, 0, "{}", said.text);
        }
        eventually("an Issuer that is ready", async || {
            let path = "--output=jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
            let ready = release_kubectl(&["get", "issuer", AUTHORITY, path]).await;
            (ready == "True").then_some(())
        })
        .await;
        manager
    }

    /// The Issuer to name in a Certificate.
    #[must_use]
    pub fn issuer(&self) -> &'static str {
        AUTHORITY
    }

    /// Takes all of it away: its kinds, with what there is of them, and the CA's key.
    pub async fn remove(self) {
        kinds("delete").await;
        release_kubectl(&["delete", "secret", AUTHORITY]).await;
    }
}

/// `kubectl VERB` about cert-manager's CustomResourceDefinitions, which are beside its program.
async fn kinds(verb: &str) {
    let script = format!(
        "kubectl {verb} -f \"$(dirname \"$(command -v cert-manager)\")\"/cert-manager.yaml"
    );
    let said = cluster(&["exec", "sh", "-c", &script]).await;
    assert_eq!(said.code, 0, "{}", said.text);
}

fn authority() -> [Value; 3] {
    let object = |kind: &str, name: &str, spec: Value| {
        json!({"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": {"name": name},
               "spec": spec})
    };
    let certificate = json!({
        "isCA": true,
        "commonName": AUTHORITY,
        "secretName": AUTHORITY,
        "privateKey": {"algorithm": "ECDSA", "rotationPolicy": "Always"},
        "issuerRef": {"name": SELF_SIGNED},
    });
    [
        object("Issuer", SELF_SIGNED, json!({"selfSigned": {}})),
        object("Certificate", AUTHORITY, certificate),
        object("Issuer", AUTHORITY, json!({"ca": {"secretName": AUTHORITY}})),
    ]
}
