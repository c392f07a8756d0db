//! Ephemeral containers, which are added to a rich pod that exists.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use inject::{Binaries, Known, Outcome, Settings, Target};
use serde_json::{Value, json};
use support::{codes, injected, pod, settings};

fn judge(pod: &Value, old: Option<&Value>) -> Outcome {
    let settings = Settings { binaries: Binaries::Node, ..settings() };
    let (target, old) = (Target::EphemeralContainers, old.map(ToString::to_string));
    let known = Known::default();
    inject::judge(target, &pod.to_string(), old.as_deref(), &settings, &known).unwrap()
}

/// A rich pod with an ephemeral container that mounts this.
fn debugged(mount: &Value) -> Value {
    let mut pod = injected(&pod(&[("rich.pouch/mode", "systemd")]));
    pod["spec"]["volumes"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "host", "hostPath": {"path": "/"}}));
    pod["spec"]["ephemeralContainers"] =
        json!([{"name": "debug", "image": "i", "volumeMounts": [mount]}]);
    pod
}

#[test]
fn it_may_not_write_the_binaries_nor_take_what_is_ours() {
    for (mount, rule) in [
        (json!({"name": "rich-pouch", "mountPath": "/x"}), "binaries-writable"),
        (json!({"name": "host", "mountPath": "/x"}), "binaries-writable"),
        (json!({"name": "mine", "mountPath": "//.rich"}), "reserved"),
        (json!({"name": "rich-pouch-run-app", "mountPath": "/run"}), "reserved"),
    ] {
        let outcome = judge(&debugged(&mount), None);
        assert_eq!(codes(&outcome), [rule], "{mount}");
        assert!(outcome.violations[0].field.starts_with("spec.ephemeralContainers[0]."));
        assert!(outcome.patch.is_empty());
    }
}

#[test]
fn what_reads_only_is_taken_whatever_else_is_wrong_with_the_pod() {
    for mount in [
        json!({"name": "rich-pouch", "mountPath": "/x", "readOnly": true}),
        json!({"name": "host", "mountPath": "/host", "readOnly": true}),
        json!({"name": "mine", "mountPath": "/run"}),
    ] {
        let mut pod = debugged(&mount);
        pod["spec"]["hostPID"] = true.into();
        pod["metadata"]["annotations"]["rich.pouch/nonsense"] = "x".into();
        pod["spec"]["initContainers"] = json!([{"name": "rich-pouch", "command": ["x"]}]);
        assert_eq!(judge(&pod, None), Outcome::default(), "{mount}");
    }
}

#[test]
fn one_that_was_there_before_keeps_no_other_out() {
    let old = debugged(&json!({"name": "rich-pouch", "mountPath": "/x"}));
    let mut new = old.clone();
    let another = json!({"name": "another", "image": "i"});
    new["spec"]["ephemeralContainers"].as_array_mut().unwrap().push(another);
    assert_eq!(codes(&judge(&new, Some(&old))), [""; 0]);
    new["spec"]["ephemeralContainers"][1]["volumeMounts"] =
        old["spec"]["ephemeralContainers"][0]["volumeMounts"].clone();
    let outcome = judge(&new, Some(&old));
    assert_eq!(codes(&outcome), ["binaries-writable"]);
    assert!(outcome.violations[0].field.starts_with("spec.ephemeralContainers[1]."));
}

#[test]
fn a_pod_whose_annotations_were_taken_off_is_rich_all_the_same() {
    let mut pod = debugged(&json!({"name": "rich-pouch", "mountPath": "/x"}));
    pod["metadata"]["annotations"].take();
    assert_eq!(codes(&judge(&pod, None)), ["binaries-writable"]);
}

#[test]
fn a_plain_pod_is_not_for_us_to_judge() {
    let mut plain = debugged(&json!({"name": "host", "mountPath": "/.rich"}));
    plain["spec"]["volumes"].as_array_mut().unwrap().retain(|it| it["name"] == "host");
    assert_eq!(judge(&plain, None), Outcome::default());
}
