//! A pod in the cluster's network that has no rights at all, and floods the webhook.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::{Api, api::ListParams};
use serde_json::json;

use super::{Report, UNDER_WAY};
use crate::{Namespace, RELEASE, RELEASE_NAMESPACE, RunningPod, busybox, trusted};

/// The pod.
pub struct Attacker(RunningPod);

impl Attacker {
    /// Starts this program, `e2e/src/bin/attacker.rs`, in a pod. It is the host's, and so are the
    /// libraries that it was linked with; the node's files are the host's.
    pub async fn start(ns: &Namespace, program: &str) -> Self {
        let arguments = [&[program.to_owned()], &targets(ns).await[..]].concat();
        // Each connection takes a descriptor.
        let script = "ulimit -n 16384 && exec chroot /host \"$@\"";
        let mut command = vec!["sh", "-c", script, "sh"];
        command.extend(arguments.iter().map(String::as_str));
        let app = busybox(&command)
            .container(json!({"volumeMounts": [
                {"name": "host", "mountPath": "/host", "readOnly": true},
            ]}))
            .spec(json!({
                "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
                "automountServiceAccountToken": false,
                // It ends by itself, and this is for the case that it does not.
                "activeDeadlineSeconds": 300,
            }));
        Self(ns.run(&app).await)
    }

    /// Waits until it holds all its idle connections, or did.
    pub async fn is_under_way(&self) {
        self.0.logs_with(UNDER_WAY).await;
    }

    /// What it did, when it has ended.
    pub async fn report(&self) -> Report {
        let code = self.0.exit_code().await;
        let logs = self.0.logs().await;
        assert_eq!(code, 0, "{logs}");
        let report = logs.lines().last().expect("a report");
        serde_json::from_str(report).expect("a report")
    }
}

/// The program's arguments: where the Service is, its name, the CA that its certificate is of, and
/// where the replicas' admin ports are.
async fn targets(ns: &Namespace) -> Vec<String> {
    let services: Api<Service> = Api::namespaced(ns.client.clone(), RELEASE_NAMESPACE);
    let name = format!("{RELEASE}-webhook");
    let service = services.get(&name).await.expect("the Service").spec.expect("a spec");
    let address = service.cluster_ip.expect("an address");
    let authorities = trusted().await.swap_remove(0);
    let pods: Api<Pod> = Api::namespaced(ns.client.clone(), RELEASE_NAMESPACE);
    let selector = ListParams::default().labels("app.kubernetes.io/component=webhook");
    let pods = pods.list(&selector).await.expect("the pods");
    let mut targets = vec![
        format!("{address}:443"),
        format!("{name}.{RELEASE_NAMESPACE}.svc"),
        authorities.iter().map(|it| STANDARD.encode(it)).collect::<Vec<_>>().join(","),
    ];
    targets.extend(pods.items.into_iter().map(|pod| {
        let address = pod.status.and_then(|it| it.pod_ip).expect("an address of the replica");
        format!("{address}:8080")
    }));
    targets
}
