//! The question, as an API server asks it.
#![allow(dead_code, reason = "each benchmark uses its own part")]

use std::sync::LazyLock;

use serde_json::{Value, json};

/// The size of the usual pod.
pub(crate) const SIZE: usize = 5 * 1024;

/// The review of the usual pod, with which others are compared.
pub(crate) fn review_of_the_usual_pod() -> &'static str {
    static REVIEW: LazyLock<String> = LazyLock::new(|| of_a_pod(SIZE));
    &REVIEW
}

/// The review of the creation of a systemd pod with an initscript, the most that an injection
/// has to do, whose JSON has `size` bytes.
pub(crate) fn of_a_pod(size: usize) -> String {
    let mut pod = pod();
    let mut missing = size.checked_sub(pod.to_string().len()).unwrap();
    let env = pod["spec"]["containers"][0]["env"].as_array_mut().unwrap();
    while missing > 0 {
        let name = format!("APPLICATION_SETTING_{}", env.len());
        let empty = json!({"name": name, "value": ""}).to_string().len() + ",".len();
        // The last takes what is left, for which no other would have room.
        let value = if missing < 2 * (empty + VALUE) { missing - empty } else { VALUE };
        env.push(json!({"name": name, "value": "v".repeat(value)}));
        missing -= empty + value;
    }
    assert_eq!(pod.to_string().len(), size);
    review(&pod)
}

/// The usual length of a variable.
const VALUE: usize = 40;

/// Its members are in the order of the API server's own (AdmissionReview and AdmissionRequest of
/// k8s.io/api/admission/v1), which a `Value` does not keep.
fn review(pod: &Value) -> String {
    let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
    let resource = json!({"group": "", "version": "v1", "resource": "pods"});
    let user = json!({
        "username": "system:serviceaccount:kube-system:replicaset-controller",
        "uid": "41ed9b2e-2d4c-4b3a-9f0e-0c8a7a1f8d3c",
        "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system",
                   "system:authenticated"],
    });
    let request = [
        ("uid", json!("705ab4f5-6393-11e8-b7cc-42010a800002")),
        ("kind", kind.clone()),
        ("resource", resource.clone()),
        ("requestKind", kind),
        ("requestResource", resource),
        ("namespace", json!("shop")),
        ("operation", json!("CREATE")),
        ("userInfo", user),
        ("object", pod.clone()),
        ("oldObject", Value::Null),
        ("dryRun", json!(false)),
        ("options", json!({"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"})),
    ];
    let request = request.map(|(name, value)| format!("\"{name}\":{value}")).join(",");
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{{request}}}}}"#
    )
}

/// What the API server says of a request's fields before it asks a webhook.
fn managed_fields() -> Value {
    let leaf = || json!({});
    let container = |own: &[&str]| {
        let fields = [
            "name",
            "image",
            "args",
            "imagePullPolicy",
            "resources",
            "terminationMessagePath",
            "terminationMessagePolicy",
        ];
        let fields = fields.iter().chain(own).map(|name| (format!("f:{name}"), leaf()));
        fields.chain([(".".to_owned(), leaf())]).collect::<Value>()
    };
    let app = ["command", "ports", "env", "livenessProbe", "readinessProbe", "volumeMounts"];
    let spec = [
        "dnsPolicy",
        "restartPolicy",
        "schedulerName",
        "securityContext",
        "terminationGracePeriodSeconds",
        "volumes",
    ];
    let mut spec: Value = spec.iter().map(|name| (format!("f:{name}"), leaf())).collect();
    spec["f:containers"] = json!({
        "k:{\"name\":\"app\"}": container(&app),
        "k:{\"name\":\"proxy\"}": container(&[]),
    });
    json!([{
        "manager": "kube-controller-manager",
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:metadata": {
                "f:annotations": {".": {}, "f:kubectl.kubernetes.io/default-container": {},
                                  "f:rich.pouch/initscript": {}, "f:rich.pouch/mode": {}},
                "f:generateName": {},
                "f:labels": {".": {}, "f:app": {}, "f:pod-template-hash": {}},
                "f:ownerReferences": {".": {},
                    "k:{\"uid\":\"0e5e6c2c-5f0e-4c56-a4c3-9b4f4f1f3c77\"}": {}},
            },
            "f:spec": spec,
        },
    }])
}

fn pod() -> Value {
    let mount = json!({"name": "kube-api-access-x7k2p", "readOnly": true,
                       "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"});
    let probe = json!({"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
                       "timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1,
                       "failureThreshold": 3});
    let amounts = json!({"cpu": "500m", "memory": "512Mi"});
    let toleration = |key: &str| {
        json!({"key": format!("node.kubernetes.io/{key}"),
        "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})
    };
    json!({
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "generateName": "frontend-6c9f8d7b5d-",
            "namespace": "shop",
            "labels": {"app": "frontend", "pod-template-hash": "6c9f8d7b5d"},
            "annotations": {
                "rich.pouch/mode": "systemd",
                "rich.pouch/initscript": "/opt/prepare.sh --quick",
                "kubectl.kubernetes.io/default-container": "app",
            },
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet",
                "name": "frontend-6c9f8d7b5d", "uid": "0e5e6c2c-5f0e-4c56-a4c3-9b4f4f1f3c77",
                "controller": true, "blockOwnerDeletion": true}],
            "managedFields": managed_fields(),
        },
        "spec": {
            "volumes": [
                {"name": "settings", "configMap": {"name": "frontend", "defaultMode": 420}},
                {"name": "kube-api-access-x7k2p", "projected": {"defaultMode": 420, "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {"configMap": {"name": "kube-root-ca.crt",
                                   "items": [{"key": "ca.crt", "path": "ca.crt"}]}}]}},
            ],
            "containers": [
                {
                    "name": "app",
                    "image": "registry.example/shop/frontend:1.42.0",
                    "command": ["/usr/bin/frontend"],
                    "args": ["--listen=:8080", "--settings=/etc/frontend/settings.yaml"],
                    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                    "env": [{"name": "POD_IP", "valueFrom": {
                        "fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}],
                    "resources": {"limits": amounts, "requests": amounts},
                    "volumeMounts": [{"name": "settings", "mountPath": "/etc/frontend"}, mount],
                    "livenessProbe": probe,
                    "readinessProbe": probe,
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                    "imagePullPolicy": "IfNotPresent",
                },
                {
                    "name": "proxy",
                    "image": "registry.example/proxy:3.1",
                    "args": ["--upstream=http://127.0.0.1:8080"],
                    "resources": {},
                    "volumeMounts": [mount],
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                    "imagePullPolicy": "IfNotPresent",
                },
            ],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default",
            "serviceAccount": "default",
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "tolerations": [toleration("not-ready"), toleration("unreachable")],
            "priority": 0,
            "enableServiceLinks": true,
            "preemptionPolicy": "PreemptLowerPriority",
        },
    })
}
