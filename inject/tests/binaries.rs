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

const SOURCES: [Binaries; 3] = [Binaries::InitContainer, Binaries::Image, Binaries::Node];
const INSTALL: [&str; 3] = ["/rich", "install", "/.rich"];

/// A pod with one more container in this list, and a volume that it may mount.
fn pod_with(list: &str, container: &Value, volume: &Value) -> Value {
    let mut pod = pod(&[("rich.pouch/mode", "dumb-init")]);
    pod["spec"]["volumes"] = if volume.is_null() { json!([]) } else { json!([volume]) };
    let spec = pod["spec"].as_object_mut().unwrap();
    let containers = spec.entry(list).or_insert(json!([])).as_array_mut().unwrap();
    containers.push(container.clone());
    pod
}

#[test]
fn nobody_may_write_to_the_volume() {
    let commands = [json!(INSTALL), json!(["sh"]), json!(["/.rich/rich", "run", "--", "x"])];
    for source in SOURCES {
        for list in ["containers", "initContainers", "ephemeralContainers"] {
            for command in &commands {
                for image in ["registry.example/rich-pouch:1", "other"] {
                    for mount in [
                        json!({}),
                        json!({"readOnly": false}),
                        json!({"readOnly": true, "subPath": "x"}),
                        json!({"readOnly": true, "subPathExpr": "$(X)"}),
                        json!({"readOnly": true, "mountPropagation": "Bidirectional"}),
                    ] {
                        let mut mount = mount;
                        mount["name"] = "rich-pouch".into();
                        mount["mountPath"] = "/x".into();
                        let evil = json!({"name": "evil", "image": image, "command": command,
                                          "volumeMounts": [mount]});
                        let pod = pod_with(list, &evil, &Value::Null);
                        let found = judge(&pod, &from(source));
                        let rules = codes(&found);
                        assert!(rules.contains(&"binaries-writable"), "{list} {evil}: {rules:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn everybody_may_read_the_volume() {
    for source in SOURCES {
        for propagation in ["None", "HostToContainer"] {
            let mount = json!({"name": "rich-pouch", "mountPath": "/x", "readOnly": true,
                               "mountPropagation": propagation, "subPath": ""});
            let reader = json!({"name": "reader", "command": ["a"], "volumeMounts": [mount]});
            let mut pod = pod_with("containers", &reader, &Value::Null);
            pod["metadata"]["annotations"]["rich.pouch/containers"] = "app".into();
            assert_eq!(codes(&judge(&pod, &from(source))), [""; 0]);
        }
    }
}

#[test]
fn what_writes_the_volume_is_our_program_of_our_image() {
    let writer = |name: &str, image: &str| {
        json!({"name": name, "image": image, "command": INSTALL,
               "volumeMounts": [{"name": "rich-pouch", "mountPath": "/.rich"}]})
    };
    for image in ["registry.example/rich-pouch:0", "attacker.example/evil"] {
        for source in SOURCES {
            let pod = pod_with("initContainers", &writer("rich-pouch", image), &Value::Null);
            let after = patched(&pod, &judge(&pod, &from(source)));
            let writers = after["spec"]["initContainers"].as_array().unwrap();
            let images: Vec<&Value> = writers.iter().map(|it| &it["image"]).collect();
            let ours = ["registry.example/rich-pouch:1"];
            let stays = source == Binaries::InitContainer;
            assert_eq!(images, if stays { &ours[..] } else { &[] }, "{source:?}");
        }
    }
    // As one of the pod's containers it would run beside the rich one.
    let pod = pod_with("containers", &writer("rich-pouch", "x"), &Value::Null);
    for source in SOURCES {
        assert!(codes(&judge(&pod, &from(source))).contains(&"binaries-writable"));
    }
}

#[test]
fn no_other_way_to_the_nodes_folder_can_be_written() {
    let codes_with = |path: &str, mount: Value, source| {
        let mut mount = mount;
        mount["name"] = "mine".into();
        mount["mountPath"] = "/host".into();
        let container = json!({"name": "x", "command": ["a"], "volumeMounts": [mount]});
        let volume = json!({"name": "mine", "hostPath": {"path": path}});
        codes(&judge(&pod_with("initContainers", &container, &volume), &from(source)))
    };
    let (writable, read_only) = (json!({}), json!({"readOnly": true}));
    for path in [
        "/",
        "/opt",
        "/opt/",
        "//opt/.",
        "/opt/rich-pouch",
        "/opt/x/../rich-pouch/0.0.1/rich",
        "/opt/rich-pouch/",
    ] {
        let refused = codes_with(path, writable.clone(), Binaries::Node);
        assert_eq!(refused, ["binaries-writable"], "{path}");
        assert_eq!(codes_with(path, read_only.clone(), Binaries::Node), [""; 0], "{path}");
        let makes_folders = json!({"readOnly": true, "subPath": "rich-pouch/0.0.2"});
        assert_eq!(codes_with(path, makes_folders, Binaries::Node), ["binaries-writable"]);
        // Nothing is started from there.
        assert_eq!(codes_with(path, writable.clone(), Binaries::InitContainer), [""; 0]);
    }
    for path in ["/opt/rich-pouch-2", "/opt/rich", "/srv", "/run"] {
        assert_eq!(codes_with(path, writable.clone(), Binaries::Node), [""; 0], "{path}");
    }
}

#[test]
fn another_folder_of_the_node_is_not_ours() {
    for path in ["/etc", "/opt/rich-pouch", "/opt/rich-pouch-2/1", "/opt/rich-pouch/../x/1"] {
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
