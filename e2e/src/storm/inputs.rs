//! Pods that cost much to judge, or that try to get at what is ours. They are sent as text, so that
//! they are what anybody may send and not what a client's types allow.

use contract::PREFIX;
use serde_json::{Map, Value, json};

/// A pod that somebody with the right to create pods may send.
#[derive(Clone, Debug)]
pub struct Input {
    /// What is special about it.
    pub name: &'static str,
    /// The pod, as JSON.
    pub pod: String,
}

/// Those that are known: each was once found to stall or to deceive an admission webhook.
#[must_use]
pub fn inputs() -> Vec<Input> {
    let input = |name, pod: Value| Input { name, pod: pod.to_string() };
    let mut inputs = vec![
        input("20,000 names in one annotation", pod(&names(20_000, |_| "x".into()), &[app()])),
        input("60,000 names in one annotation", pod(&names(60_000, |_| "x".into()), &[app()])),
        input("30,000 different names", pod(&names(30_000, |at| format!("{at:05}")), &[app()])),
        input("20,000 unknown keys", pod(&unknown_keys(20_000), &[app()])),
        input("400 images without a command, 6,000 architectures", architectures(400, 6000)),
        input("4,000 containers without a field", pod(&rich(), &vec![json!({}); 4000])),
        input("5,000 pull secrets", pull_secrets(5000)),
        input("a stranger at the volume of the binaries", stranger()),
    ];
    let paths = [
        ("a mount at //.rich", "//.rich"),
        ("a mount at /./.rich", "/./.rich"),
        ("a mount at /a/../.rich", "/a/../.rich"),
    ];
    inputs.extend(paths.map(|(name, path)| input(name, mount(path))));
    inputs
}

fn app() -> Value {
    json!({"name": "app", "image": "localhost/busybox:test", "command": ["true"]})
}

/// The annotations of a pod that asks for the mode that needs least.
fn rich() -> Map<String, Value> {
    Map::from_iter([(format!("{PREFIX}mode"), json!("dumb-init"))])
}

fn pod(annotations: &Map<String, Value>, containers: &[Value]) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "storm-", "annotations": annotations},
        "spec": {"containers": containers},
    })
}

fn names(count: usize, name: impl Fn(usize) -> String) -> Map<String, Value> {
    let names: Vec<String> = (0..count).map(name).collect();
    let mut annotations = rich();
    annotations.insert(format!("{PREFIX}containers"), names.join(",").into());
    annotations
}

fn unknown_keys(count: usize) -> Map<String, Value> {
    (0..count).map(|at| (format!("{PREFIX}{at:06}"), json!(""))).collect()
}

/// What an image runs depends on where the pod may run: each of its containers asks for it.
fn architectures(containers: usize, values: usize) -> Value {
    let containers: Vec<Value> =
        (0..containers).map(|at| json!({"name": format!("c{at}"), "image": "i"})).collect();
    let values: Vec<String> = (0..values).map(|at| format!("a{at}")).collect();
    let mut annotations = rich();
    annotations.insert(format!("{PREFIX}containers"), "*".into());
    let mut pod = pod(&annotations, &containers);
    let expression = json!({"key": "kubernetes.io/arch", "operator": "In", "values": values});
    let terms = json!([{"matchExpressions": [expression]}]);
    let required = json!({"nodeSelectorTerms": terms});
    pod["spec"]["affinity"] =
        json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}});
    pod
}

fn pull_secrets(count: usize) -> Value {
    let secrets: Vec<Value> = (0..count).map(|at| json!({"name": format!("s{at}")})).collect();
    let mut pod = pod(&rich(), &[app()]);
    pod["spec"]["imagePullSecrets"] = secrets.into();
    pod
}

/// It differs from our init container only in its image.
fn stranger() -> Value {
    let stranger = json!({
        "name": "stranger",
        "image": "localhost/busybox:test",
        "command": ["/rich", "install", "/.rich"],
        "volumeMounts": [{"name": "rich-pouch", "mountPath": "/mine"}],
    });
    pod(&rich(), &[app(), stranger])
}

fn mount(path: &str) -> Value {
    let mut container = app();
    container["volumeMounts"] = json!([{"name": "mine", "mountPath": path}]);
    let mut pod = pod(&rich(), &[container]);
    pod["spec"]["volumes"] = json!([{"name": "mine", "emptyDir": {}}]);
    pod
}
