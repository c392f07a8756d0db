//! A kind that the administrator names is a workload as Kubernetes' own are. One test, since it
//! sets the whole release.

use e2e::{busybox, eventually, in_namespace, kubectl, kubectl_apply, with_workload};
use serde_json::{Value, json};

/// A kind with a pod template, as OpenKruise and others have them.
fn definition() -> Value {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "fleets.e2e.rich-pouch.example"},
        "spec": {
            "group": "e2e.rich-pouch.example",
            "scope": "Namespaced",
            "names": {"kind": "Fleet", "plural": "fleets", "singular": "fleet"},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": any}}},
            }],
        },
    })
}

fn fleet(own: &Value, template: &Value) -> Value {
    json!({
        "apiVersion": "e2e.rich-pouch.example/v1",
        "kind": "Fleet",
        "metadata": {"generateName": "app-", "annotations": own},
        "spec": {"template": {
            "metadata": {"annotations": template},
            "spec": busybox(&["sleep", "1"]).pod()["spec"],
        }},
    })
}

#[tokio::test]
async fn a_custom_kind_with_a_pod_template_is_judged_and_carries_its_annotations() {
    let (none, rich) = (json!({}), json!({"rich.pouch/mode": "dumb-init"}));
    let broken = fleet(&none, &json!({"rich.pouch/initscript": "/prepare.sh"}));
    in_namespace(async |ns| {
        let said = kubectl_apply(&ns.name, &definition()).await;
        assert_eq!(said.code, 0, "{}", said.text);
        // Nobody has said that it is a workload.
        eventually("the kind is served", async || ns.would_take(&broken).await.ok()).await;

        with_workload("e2e.rich-pouch.example", "Fleet", "fleets", async || {
            let refused = async || ns.would_take(&broken).await.err();
            let said = eventually("a wrong one is refused", refused).await;
            let sentence = "rich.pouch/initscript can only be used along with rich mode";
            assert!(said.contains(sentence), "{said}");
            let created = ns.create_object(&fleet(&rich, &none)).await;
            assert_eq!(created.data["spec"]["template"]["metadata"]["annotations"], rich);
            assert_eq!(ns.would_take(&fleet(&none, &none)).await, Ok(()));
        })
        .await;
    })
    .await;
    let said = kubectl(&["delete", "crd", "fleets.e2e.rich-pouch.example"]).await;
    assert_eq!(said.code, 0, "{}", said.text);
}
