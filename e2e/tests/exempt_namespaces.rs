//! Namespaces whose pods the webhook is never asked about.

use e2e::{Namespace, RELEASE_NAMESPACE, busybox, client};

#[tokio::test]
async fn in_an_exempt_namespace_an_annotation_changes_nothing() {
    for name in ["kube-system", RELEASE_NAMESPACE] {
        let namespace = Namespace { client: client().await, name: name.to_owned() };
        let app = busybox(&["true"]).rich("mode", "systemd");
        let pod = namespace.accepts(&app).await;
        assert_eq!(pod["spec"]["containers"][0]["command"][0], "true", "{name}");
        let privileged = &pod["spec"]["containers"][0]["securityContext"]["privileged"];
        assert!(privileged.is_null(), "{name}: {privileged}");
    }
}
