//! Where a rich pod gets the binaries from.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use inject::{Binaries, Known, Level, Namespace, Outcome, Settings, Target};
use serde_json::{Value, json};
use support::{codes, patched, pod, settings, target};

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn from(binaries: Binaries) -> Settings {
    Settings { binaries, ..settings() }
}

fn judge(pod: &Value, settings: &Settings) -> Outcome {
    inject::judge(Target::Pod, &pod.to_string(), None, settings, &Known::default()).unwrap()
}

fn injected(settings: &Settings) -> Value {
    let pod = pod(&[("rich.pouch/mode", "dumb-init")]);
    patched(&pod, &judge(&pod, settings))
}

#[test]
fn the_image_is_a_volume() {
    let settings =
        Settings { image_pull_policy: Some("Always".to_owned()), ..from(Binaries::Image) };
    let spec = &injected(&settings)["spec"];
    let image = json!({"reference": "registry.example/rich-pouch:1", "pullPolicy": "Always"});
    assert_eq!(spec["volumes"], json!([{"name": "rich-pouch", "image": image}]));
    assert_eq!(spec["initContainers"], Value::Null);
}

#[test]
fn the_nodes_folder_is_a_volume_and_only_nodes_that_have_it_are_chosen() {
    let settings = Settings { node_folder: "/srv/rich/".to_owned(), ..from(Binaries::Node) };
    let spec = &injected(&settings)["spec"];
    let folder = json!({"path": format!("/srv/rich/{VERSION}"), "type": "Directory"});
    assert_eq!(spec["volumes"], json!([{"name": "rich-pouch", "hostPath": folder}]));
    assert_eq!(spec["initContainers"], Value::Null);
    assert_eq!(spec["nodeSelector"], json!({"rich.pouch/ready": VERSION}));
}

#[test]
fn a_pod_of_another_version_gets_this_ones() {
    let mut pod = injected(&from(Binaries::Node));
    pod["spec"]["volumes"][0]["hostPath"]["path"] = json!("/opt/rich-pouch/0.0.1");
    pod["spec"]["nodeSelector"]["rich.pouch/ready"] = json!("0.0.1");
    let now = patched(&pod, &judge(&pod, &from(Binaries::Node)));
    assert_eq!(now, injected(&from(Binaries::Node)));
}

#[test]
fn what_pulls_the_image_is_named_beside_the_pods_own_and_only_where_it_is_pulled() {
    let names = ["own", "ours"].map(str::to_owned);
    let mut pod = pod(&[("rich.pouch/mode", "dumb-init")]);
    pod["spec"]["imagePullSecrets"] = json!([{"name": "own"}]);
    for binaries in [Binaries::InitContainer, Binaries::Image, Binaries::Node] {
        let settings = Settings { image_pull_secrets: names.to_vec(), ..from(binaries) };
        let secrets = &patched(&pod, &judge(&pod, &settings))["spec"]["imagePullSecrets"];
        let pulled = binaries != Binaries::Node;
        let wanted = [json!({"name": "own"}), json!({"name": "ours"})];
        assert_eq!(*secrets, json!(wanted[..=usize::from(pulled)]));
    }
}

#[test]
fn nobody_else_may_write_to_the_volume() {
    for binaries in [Binaries::InitContainer, Binaries::Image, Binaries::Node] {
        for read_only in [json!(false), Value::Null] {
            let mut pod = pod(&[("rich.pouch/mode", "dumb-init")]);
            pod["spec"]["containers"][0]["volumeMounts"] =
                json!([{"name": "rich-pouch", "mountPath": "/x", "readOnly": read_only}]);
            assert_eq!(codes(&judge(&pod, &from(binaries))), ["reserved"]);
        }
    }
}

#[test]
fn another_folder_of_the_node_is_not_ours() {
    for path in ["/etc", "/opt/rich-pouch", "/opt/rich-pouch-2/1"] {
        let mut pod = pod(&[("rich.pouch/mode", "dumb-init")]);
        pod["spec"]["volumes"] = json!([{"name": "rich-pouch", "hostPath": {"path": path}}]);
        assert_eq!(codes(&judge(&pod, &from(Binaries::Node))), ["reserved"], "{path}");
    }
}

#[test]
fn where_pod_security_refuses_a_folder_of_the_node_the_workload_is_refused_at_once() {
    let pod = pod(&[("rich.pouch/mode", "dumb-init")]);
    let object = json!({"metadata": {"name": "app"}, "spec": {"template": pod}}).to_string();
    let judge = |binaries, level: Level| {
        let namespace = Namespace::of([("pod-security.kubernetes.io/enforce", level.name())]);
        let known = Known { namespace, ..Known::default() };
        let target = target("apps", "Deployment");
        inject::judge(target, &object, None, &from(binaries), &known).unwrap()
    };
    for level in [Level::Baseline, Level::Restricted] {
        let refused = judge(Binaries::Node, level);
        assert_eq!(codes(&refused), ["pod-security-host-path"]);
        assert_eq!(refused.violations[0].field, "spec.template.spec.volumes");
        assert_eq!(codes(&judge(Binaries::Image, level)), [""; 0]);
        assert_eq!(codes(&judge(Binaries::InitContainer, level)), [""; 0]);
    }
    assert_eq!(codes(&judge(Binaries::Node, Level::Privileged)), [""; 0]);
}
