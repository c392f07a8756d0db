//! A certificate that somebody else keeps. One test, since it sets the whole release.

#![allow(clippy::expect_used, reason = "these are tests")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use e2e::{
    RELEASE_NAMESPACE, busybox, eventually, in_namespace, kubectl, kubectl_apply, release_kubectl,
    with_certificate,
};
use serde_json::json;

const SECRET: &str = "e2e-given-certificate";

#[tokio::test]
async fn the_certificate_of_a_secret_is_served_and_the_webhook_can_read_no_secret() {
    let names = ["rich-pouch-webhook.rich-pouch.svc".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let certificate = made.cert.pem();
    let object = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": certificate, "tls.key": made.signing_key.serialize_pem()},
    });
    let said = kubectl_apply(RELEASE_NAMESPACE, &object).await;
    assert_eq!(said.code, 0, "{}", said.text);

    let rich = busybox(&["true"]).rich("mode", "dumb-init");
    in_namespace(async |ns| {
        with_certificate(SECRET, &STANDARD.encode(&certificate), async || {
            ns.accepts(&rich).await;
            let wrong = busybox(&["true"]).rich("initscript", "/prepare.sh");
            ns.refuses(&wrong, "can only be used along with rich mode").await;
            let account = "--as=system:serviceaccount:rich-pouch:rich-pouch-webhook";
            let may = ["auth", "can-i", "get", "secrets", "--namespace=rich-pouch", account];
            assert!(kubectl(&may).await.text.starts_with("no"));
        })
        .await;
        let again = async || ns.would_take(&rich.pod()).await.ok();
        eventually("its own certificate is trusted again", again).await;
    })
    .await;
    release_kubectl(&["delete", "secret", SECRET]).await;
}
