//! A webhook that answers only those who show a certificate. One test, since it sets the whole
//! release.

#![allow(clippy::expect_used, reason = "these are tests")]

use e2e::{
    RELEASE_NAMESPACE, admin_says, answers_to, busybox, eventually, in_namespace, kubectl,
    kubectl_apply, release_kubectl, with_client_ca,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use serde_json::{Value, json};

const NAME: &str = "e2e-clients";
const AGENT: &str = "node-agent";
/// The webhook, as the API server reaches it for somebody else.
const PROXY: &str =
    "/api/v1/namespaces/rich-pouch/services/https:rich-pouch-webhook:443/proxy/mutate";

async fn created(object: Value) {
    let said = kubectl_apply(RELEASE_NAMESPACE, &object).await;
    assert_eq!(said.code, 0, "{}", said.text);
}

/// The cluster's CA, of which the API server's own certificate is.
async fn cluster_ca() -> String {
    let arguments = ["get", "configmap", "kube-root-ca.crt", "--output=jsonpath={.data.ca\\.crt}"];
    release_kubectl(&arguments).await
}

type Authority = CertifiedIssuer<'static, KeyPair>;

/// A CA beside the cluster's.
fn another_ca() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a CA")
}

/// A certificate of it for a client of this name, and its key, in PEM.
fn client(authority: &Authority, name: &str) -> [String; 2] {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    [certificate.pem(), key.serialize_pem()]
}

async fn agent_saw_a_refusal() -> Option<()> {
    let row = "rich_pouch_node_agent_admission_probe{outcome=\"refused\"} 1";
    admin_says("node-agent", "/metrics").await.lines().any(|line| line == row).then_some(())
}

#[tokio::test]
async fn a_webhook_that_asks_for_a_certificate_answers_the_api_server_and_no_stranger() {
    let authority = another_ca();
    let [certificate, key] = client(&authority, AGENT);
    let authorities = format!("{}\n{}", cluster_ca().await, authority.pem());
    created(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME},
                   "data": {"ca.crt": authorities}}))
    .await;
    created(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": NAME},
                   "type": "kubernetes.io/tls",
                   "stringData": {"tls.crt": certificate, "tls.key": key}}))
    .await;
    in_namespace(async |ns| {
        with_client_ca(NAME, AGENT, NAME, async || {
            ns.accepts(&busybox(&["true"]).rich("mode", "dumb-init")).await;
            let wrong = busybox(&["true"]).rich("initscript", "/prepare.sh");
            ns.refuses(&wrong, "can only be used along with rich mode").await;
            // The API server shows nothing where it only passes on what somebody asks.
            let said = kubectl(&["get", "--raw", PROXY]).await;
            assert!(said.text.contains("error trying to reach service"), "{}", said.text);
            eventually("the agent's certificate is taken", agent_saw_a_refusal).await;
            // Its CA has given certificates to others as well.
            assert!(answers_to(&certificate, &key).await);
            let [certificate, key] = client(&authority, "system:node:rich-pouch");
            assert!(!answers_to(&certificate, &key).await);
        })
        .await;
    })
    .await;
    release_kubectl(&["delete", "configmap,secret", NAME]).await;
}
