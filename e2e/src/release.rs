//! The cluster and the release that is tested.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    sync::Once,
};

use futures::FutureExt as _;
use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{Pod, ServiceAccount},
};
use kube::{
    Api, Client, Config,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    Node, Registry,
    kubectl::{cluster, kubectl, kubectl_apply},
};

/// The Helm release.
pub const RELEASE: &str = "rich-pouch";
/// Its namespace.
pub const RELEASE_NAMESPACE: &str = "rich-pouch";

/// A client of the cluster that KUBECONFIG names.
pub async fn client() -> Client {
    Client::try_from(configuration().await).expect("a client of the cluster")
}

/// The same, with this changed in its configuration. It shows each of the API server's refusals: the
/// usual client asks again where that may help.
pub(crate) async fn client_without_retries(change: impl FnOnce(&mut Config)) -> Client {
    let mut config = configuration().await;
    config.default_retry = false;
    change(&mut config);
    Client::try_from(config).expect("a client of the cluster")
}

async fn configuration() -> Config {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    assert!(std::env::var_os("KUBECONFIG").is_some(), "set KUBECONFIG, or run `make e2e`");
    Config::infer().await.expect("the cluster's configuration")
}

/// A client of the same cluster that shows a token of this ServiceAccount of the release, and no
/// certificate: one that is bound to this pod, as a pod's own token is, or to nothing.
pub async fn client_of(account: &str, pod: Option<&str>) -> Client {
    let accounts: Api<ServiceAccount> = Api::namespaced(client().await, RELEASE_NAMESPACE);
    let bound_object_ref = pod.map(|pod| BoundObjectReference {
        api_version: Some("v1".to_owned()),
        kind: Some("Pod".to_owned()),
        name: Some(pod.to_owned()),
        uid: None,
    });
    let spec = TokenRequestSpec { bound_object_ref, ..TokenRequestSpec::default() };
    let request = TokenRequest { spec, ..TokenRequest::default() };
    let made = accounts.create_token_request(account, &PostParams::default(), &request).await;
    let token = made.expect("a token request").status.expect("its answer").token;
    let mut config = configuration().await;
    config.auth_info = serde_json::from_value(json!({"token": token})).expect("a token");
    Client::try_from(config).expect("a client of the cluster")
}

/// Whether a ServiceAccount of the release may do this: `kubectl auth can-i ARGUMENTS`.
pub async fn may(account: &str, arguments: &[&str]) -> bool {
    let account = format!("--as=system:serviceaccount:{RELEASE_NAMESPACE}:{account}");
    let said = kubectl(&[&["auth", "can-i", &account], arguments].concat()).await;
    match said.text.lines().next() {
        Some("yes") => true,
        Some(no) if no.starts_with("no") => false,
        _ => panic!("neither yes nor no: {}", said.text),
    }
}

/// `kubectl ARGUMENTS` in the release's namespace, which must succeed.
pub async fn release_kubectl(arguments: &[&str]) -> String {
    let said = kubectl(&[&["--namespace", RELEASE_NAMESPACE], arguments].concat()).await;
    assert_eq!(said.code, 0, "{arguments:?}: {}", said.text);
    said.text
}

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/rich-pouch");

/// `helm ARGUMENTS` about the release.
async fn helm(arguments: &[&str]) -> String {
    let said = cluster(&[&["helm", "--namespace", RELEASE_NAMESPACE], arguments].concat()).await;
    assert_eq!(said.code, 0, "helm {arguments:?}: {}", said.text);
    said.text
}

/// Changes values of the release as an operator does, and waits until it is so.
async fn helm_set(values: &[&str]) {
    let patience = format!("{}m", 2 * Node::tested().slowness());
    let mut arguments = vec!["upgrade", RELEASE, CHART, "--reset-then-reuse-values", "--wait"];
    arguments.extend(["--timeout", &patience]);
    // caBundle is the webhook's; Helm leaves it alone but where the values give another.
    if values.iter().any(|value| value.starts_with("webhook.certificate.caBundle")) {
        arguments.push("--force-conflicts");
    }
    for value in values {
        arguments.extend(["--set", value]);
    }
    helm(&arguments).await;
}

/// Runs a test with some values, and sets others whatever the test says.
async fn while_set(values: &[&str], afterwards: &[&str], test: impl AsyncFnOnce()) {
    let test = async || {
        helm_set(values).await;
        test().await;
    };
    whatever_it_says(test, helm_set(afterwards)).await;
}

async fn whatever_it_says(test: impl AsyncFnOnce(), afterwards: impl Future<Output = ()>) {
    let ended = AssertUnwindSafe(test()).catch_unwind().await;
    afterwards.await;
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

/// Runs a test after `helm uninstall`, and installs the same again whatever the test says.
pub async fn without_release(test: impl AsyncFnOnce()) {
    let values = helm(&["get", "values", RELEASE, "--output", "json"]).await;
    let values =
        format!("image={}", serde_json::from_str::<Value>(&values).expect("JSON")["image"]);
    helm(&["uninstall", RELEASE, "--wait", "--timeout", "2m"]).await;
    whatever_it_says(test, async {
        let install = ["install", RELEASE, CHART, "--wait", "--timeout", "2m", "--set-json"];
        helm(&[&install[..], &[&values]].concat()).await;
    })
    .await;
}

/// Runs a test while the webhook is scaled to zero, and brings it back whatever the test says.
pub async fn without_webhook(test: impl AsyncFnOnce()) {
    while_set(&["webhook.replicas=0"], &["webhook.replicas=2"], test).await;
}

/// Runs a test while annotations may add privilege as this says: allow, labelled or never.
pub async fn with_privileged(policy: &str, test: impl AsyncFnOnce()) {
    while_set(&[&format!("privileged={policy}")], &["privileged=allow"], test).await;
}

/// Runs a test while rich pods get the binaries from there: init-container, image or node.
pub async fn with_binaries(from: &str, test: impl AsyncFnOnce()) {
    while_set(&[&format!("binaries={from}")], &["binaries=init-container"], test).await;
}

/// Runs a test while the webhook serves the certificate of this Secret, and the API server trusts
/// this, PEM in base64.
pub async fn with_certificate(secret: &str, bundle: &str, test: impl AsyncFnOnce()) {
    let field = |name: &str, value: &str| format!("webhook.certificate.{name}={value}");
    let values =
        [field("source", "secret"), field("secretName", secret), field("caBundle", bundle)];
    let afterwards =
        [field("source", "self-managed"), field("secretName", ""), field("caBundle", "")];
    let [values, afterwards] = [&values, &afterwards].map(|it| it.each_ref().map(String::as_str));
    while_set(&values, &afterwards, test).await;
}

/// Runs a test while cert-manager keeps the webhook's certificate, by this Issuer.
pub async fn with_cert_manager(issuer: &str, test: impl AsyncFnOnce()) {
    let issuer = format!("webhook.certificate.issuer.name={issuer}");
    let values = ["webhook.certificate.source=cert-manager", &issuer];
    let afterwards =
        ["webhook.certificate.source=self-managed", "webhook.certificate.issuer.name="];
    while_set(&values, &afterwards, test).await;
}

/// The name in the certificate that the test cluster's API server shows to webhooks.
const API_SERVER: &str = "kube-apiserver-kubelet-client";

/// Runs a test while the webhook answers only clients with a certificate of a CA in this ConfigMap:
/// the API server, and the node agent, which has this name and shows the one in this Secret.
pub async fn with_client_ca(config_map: &str, agent: &str, secret: &str, test: impl AsyncFnOnce()) {
    let values = [
        format!("webhook.clientCAConfigMap={config_map}"),
        format!("webhook.clientNames={{{API_SERVER},{agent}}}"),
        format!("nodeAgent.clientCertificateSecret={secret}"),
        // The webhook is rolled while the agent asks it for the first time.
        "nodeAgent.interval=1s".to_owned(),
    ];
    let afterwards = [
        "webhook.clientCAConfigMap=",
        "webhook.clientNames=null",
        "nodeAgent.clientCertificateSecret=",
        "nodeAgent.interval=60s",
    ];
    while_set(&values.each_ref().map(String::as_str), &afterwards, test).await;
}

/// Runs a test while this kind is a workload, too; its template is in `spec.template`.
pub async fn with_workload(group: &str, kind: &str, resource: &str, test: impl AsyncFnOnce()) {
    let fields =
        [("group", group), ("kind", kind), ("resource", resource), ("template", "spec.template")];
    let values = fields.map(|(field, value)| format!("workloads[0].{field}={value}"));
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    while_set(&values, &["workloads=null"], test).await;
}

/// Runs a test while the webhook may ask this registry in place of `localhost`, for which the
/// test cluster's images are named, by the pull secrets of the pods. It answers the API server only
/// then.
pub async fn with_entrypoints(registry: &Registry, test: impl AsyncFnOnce()) {
    const CA: &str = "registry-ca";
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CA},
                        "data": {"ca.crt": registry.authority()}});
    let said = kubectl_apply(RELEASE_NAMESPACE, &object).await;
    assert_eq!(said.code, 0, "{}", said.text);
    let mirror = format!("entrypoints.registries[0].mirror={}", registry.host());
    let values = [
        "entrypoints.registries[0].host=localhost",
        &mirror,
        &format!("entrypoints.caConfigMap={CA}"),
        "entrypoints.pullSecrets=true",
        // The cluster's own CA.
        "webhook.clientCAConfigMap=kube-root-ca.crt",
        &format!("webhook.clientNames={{{API_SERVER}}}"),
        "nodeAgent.enabled=false",
    ];
    let afterwards = [
        "entrypoints.registries=null",
        "entrypoints.caConfigMap=",
        "entrypoints.pullSecrets=false",
        "webhook.clientCAConfigMap=",
        "webhook.clientNames=null",
        "nodeAgent.enabled=true",
    ];
    while_set(&values, &afterwards, test).await;
}

/// Runs a test while the webhook is one replica on the second node, and may ask this registry.
pub async fn with_webhook_on_the_second_node(registry: &str, test: impl AsyncFnOnce()) {
    let values = [
        "webhook.replicas=1",
        "webhook.nodeSelector.rich-pouch\\.test/cgroup=v2",
        "webhook.tolerations[0].operator=Exists",
        "webhook.timeoutSeconds=30",
        &format!("entrypoints.registries[0].host={registry}"),
    ];
    let afterwards = [
        "webhook.replicas=2",
        "webhook.nodeSelector=null",
        "webhook.tolerations=null",
        "webhook.timeoutSeconds=5",
        "entrypoints.registries=null",
    ];
    while_set(&values, &afterwards, test).await;
}

/// Runs a test while these fields of the chart's `networkPolicy` have these values.
pub async fn with_network_policy(values: &[&str], test: impl AsyncFnOnce()) {
    let values: Vec<String> = values.iter().map(|it| format!("networkPolicy.{it}")).collect();
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    let afterwards = [
        "networkPolicy.enabled=true",
        "networkPolicy.apiServer=null",
        "networkPolicy.metrics=null",
    ];
    while_set(&values, &afterwards, test).await;
}

/// The sum of a counter of the API server over the rows that have all these labels.
pub async fn metric(client: &Client, name: &str, labels: &[&str]) -> u64 {
    let request = http::Request::get("/metrics").body(Vec::new()).expect("a request");
    let text = client.request_text(request).await.expect("the API server's metrics");
    text.lines()
        .filter(|row| row.split(['{', ' ']).next() == Some(name))
        .filter(|row| labels.iter().all(|label| row.contains(label)))
        .filter_map(|row| row.rsplit(' ').next()?.parse::<u64>().ok())
        .sum()
}

/// A pod of the release's `component`, webhook or node-agent, that is to stay.
pub async fn pod_of(component: &str) -> Pod {
    let pods: Api<Pod> = Api::namespaced(client().await, RELEASE_NAMESPACE);
    let selector = format!("app.kubernetes.io/component={component}");
    let pods = pods.list(&ListParams::default().labels(&selector)).await.expect("the pods");
    let mut staying =
        pods.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
    staying.next().expect("a pod")
}

/// What a pod of the release's `component`, webhook or node-agent, says at its port for the kubelet
/// and for Prometheus.
pub async fn admin_says(component: &str, path: &str) -> String {
    let client = client().await;
    let pod = pod_of(component).await.metadata.name.expect("a name");
    let port = if component == "webhook" { 8080 } else { 8081 };
    let uri = format!("/api/v1/namespaces/{RELEASE_NAMESPACE}/pods/{pod}:{port}/proxy{path}");
    let request = http::Request::get(uri).body(Vec::new()).expect("a request");
    client.request_text(request).await.expect("an answer")
}

/// A POST to the webhook, through the API server's proxy: the HTTP code and the body.
pub async fn webhook(
    client: &Client,
    path: &str,
    content_type: &str,
    body: Vec<u8>,
) -> (u16, String) {
    let uri = format!(
        "/api/v1/namespaces/{RELEASE_NAMESPACE}/services/https:{RELEASE}-webhook:443/proxy{path}"
    );
    let request = http::Request::post(uri)
        .header("content-type", content_type)
        .body(kube::client::Body::from(body))
        .expect("a request");
    let response = client.send(request).await.expect("an answer");
    let status = response.status().as_u16();
    let body = response.into_body().collect_bytes().await.expect("a body");
    (status, String::from_utf8_lossy(&body).into_owned())
}
