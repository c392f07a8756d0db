//! What the tests have in common.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::expect_used, reason = "these are tests")]

use std::sync::LazyLock;

use inject::{Entrypoints, Known, Outcome, Settings, Target, Workload};
use serde_json::{Value, json};

pub(crate) fn settings() -> Settings {
    Settings {
        workloads: vec![Workload {
            group: "apps.kruise.io".into(),
            kind: "CloneSet".into(),
            template: "spec.template".into(),
            mutable: true,
        }],
        ..Settings::new("registry.example/rich-pouch:1")
    }
}

pub(crate) fn target(group: &str, kind: &str) -> Target<'static> {
    static SETTINGS: LazyLock<Settings> = LazyLock::new(settings);
    Target::find(group, kind, &SETTINGS).expect("a kind that is known")
}

pub(crate) fn judge(pod: &Value) -> Outcome {
    judge_knowing(pod, &Entrypoints::default())
}

/// Nothing is known, but that nobody else has changed the object.
pub(crate) fn as_written() -> Known {
    Known { as_written: true, ..Known::default() }
}

/// The outcome with what has been found out about images.
pub(crate) fn judge_knowing(pod: &Value, entrypoints: &Entrypoints) -> Outcome {
    let known = Known { entrypoints: entrypoints.clone(), ..as_written() };
    inject::judge(Target::Pod, &pod.to_string(), None, &settings(), &known).expect("a pod")
}

/// The object after the patch, as the API server applies it.
pub(crate) fn patched(object: &Value, outcome: &Outcome) -> Value {
    let patch: json_patch::Patch = serde_json::from_str(outcome.patch.as_str()).expect("RFC 6902");
    let mut object = object.clone();
    json_patch::patch(&mut object, &patch).expect("a patch that applies");
    object
}

pub(crate) fn injected(pod: &Value) -> Value {
    let outcome = judge(pod);
    assert_eq!(outcome.violations, [], "{pod}");
    patched(pod, &outcome)
}

pub(crate) fn refused(pod: &Value) -> Vec<String> {
    judge(pod).violations.iter().map(ToString::to_string).collect()
}

pub(crate) fn codes(outcome: &Outcome) -> Vec<&'static str> {
    outcome.violations.iter().map(|violation| violation.rule.code).collect()
}

/// A pod with these annotations and a container that sleeps.
pub(crate) fn pod(annotations: &[(&str, &str)]) -> Value {
    let annotations: Value = annotations.iter().copied().collect();
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "app", "annotations": annotations},
        "spec": {"containers": [
            {"name": "app", "image": "busybox", "command": ["sleep"], "args": ["10000"]},
        ]},
    })
}

/// `metadata.managedFields`, as the API server writes them for a request that wrote these
/// containers below the path.
pub(crate) fn managed_fields(path: &[&str], containers: &[&str]) -> Value {
    let key = |name: &&str| format!("k:{}", json!({"name": name}));
    let fields = json!({".": {}, "f:name": {}, "f:image": {}, "f:command": {}});
    let elements: Value = containers.iter().map(|name| (key(name), fields.clone())).collect();
    let nest = |inner: Value, name: &&str| json!({format!("f:{name}"): inner});
    let fields = path.iter().rev().fold(elements, nest);
    json!([{"manager": "kubectl-create", "operation": "Update", "apiVersion": "v1",
            "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields}])
}
