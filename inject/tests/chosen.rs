//! Which containers become rich: those of the pod's creator, in whatever order others put theirs.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use inject::{Known, Outcome, Target};
use serde_json::{Value, json};
use support::{codes, managed_fields, patched, settings, target};

fn container(name: &str) -> Value {
    json!({"name": name, "image": "i", "command": [name]})
}

/// A pod as the API server sends it, whose creator wrote some of its containers.
fn pod(annotations: &[(&str, &str)], creators: &[&str], all: &[&str]) -> Value {
    let annotations: Value = annotations.iter().copied().collect();
    let containers: Vec<Value> = all.iter().map(|name| container(name)).collect();
    let mut pod = json!({"metadata": {"annotations": annotations},
                         "spec": {"containers": containers}});
    pod["metadata"]["annotations"]["rich.pouch/mode"] = "systemd".into();
    pod["metadata"]["managedFields"] = managed_fields(&["spec", "containers"], creators);
    pod
}

fn judge(pod: &Value) -> Outcome {
    let known = Known::default();
    inject::judge(Target::Pod, &pod.to_string(), None, &settings(), &known).unwrap()
}

fn rich(pod: &Value) -> String {
    let containers = pod["spec"]["containers"].as_array().unwrap().iter();
    let is_rich = |it: &&Value| it["command"][0] == "/.rich/rich";
    let is_privileged = |it: &&Value| it["securityContext"]["privileged"] == true;
    assert!(containers.clone().all(|it| is_rich(&it) == is_privileged(&it)), "{pod}");
    containers.filter(is_rich).map(|it| it["name"].as_str().unwrap()).collect()
}

fn injected(pod: &Value) -> Value {
    let outcome = judge(pod);
    assert_eq!(codes(&outcome), [""; 0], "{pod}");
    patched(pod, &outcome)
}

const DEFAULT: &str = "kubectl.kubernetes.io/default-container";
const CONTAINERS: &str = "rich.pouch/containers";

#[test]
fn a_container_that_another_webhook_put_first_is_left_alone() {
    let rich = |annotations: &[(&str, &str)]| {
        rich(&injected(&pod(annotations, &["app", "web"], &["proxy", "app", "web", "agent"])))
    };
    assert_eq!(rich(&[]), "app");
    assert_eq!(rich(&[(DEFAULT, "web")]), "web");
    assert_eq!(rich(&[(DEFAULT, "proxy")]), "app");
    assert_eq!(rich(&[(CONTAINERS, "*")]), "appweb");
    // What is named is meant.
    assert_eq!(rich(&[(CONTAINERS, "proxy")]), "proxy");
}

#[test]
fn a_later_pass_finds_what_is_rich_wherever_others_have_put_it() {
    for (annotations, creators, names) in [
        (vec![], vec!["app", "web"], "app"),
        (vec![(CONTAINERS, "*")], vec!["app", "web"], "appweb"),
    ] {
        let first = injected(&pod(&annotations, &creators, &creators));
        assert_eq!(rich(&first), names);
        let mut changed = first.clone();
        let containers = changed["spec"]["containers"].as_array_mut().unwrap();
        containers.insert(0, container("proxy"));
        containers.push(container("agent"));
        assert_eq!(judge(&changed), Outcome::default());
        changed["spec"]["containers"].as_array_mut().unwrap().reverse();
        assert!(judge(&changed).violations.is_empty());
        assert!(!judge(&changed).patch.as_str().contains("/spec"), "{:?}", judge(&changed).patch);
        // What was undone is done again, or seen to be missing.
        for container in changed["spec"]["containers"].as_array_mut().unwrap() {
            container["command"] = json!(["theirs"]);
        }
        assert!(judge(&changed).patch.as_str().contains("/command"));
    }
}

#[test]
fn a_strangers_copy_of_our_command_makes_nothing_rich() {
    let mut pod = injected(&pod(&[], &["app"], &["app"]));
    let mut copy = pod["spec"]["containers"][0].clone();
    copy["name"] = "canary".into();
    copy["securityContext"].take();
    copy["volumeMounts"].take();
    pod["spec"]["containers"].as_array_mut().unwrap().insert(0, copy);
    assert_eq!(judge(&pod), Outcome::default());
}

#[test]
fn what_cannot_be_told_is_refused_with_the_way_out() {
    for fields in [
        json!(null),
        json!([]),
        json!("nonsense"),
        json!([{}, {"fieldsV1": null}, {"fieldsV1": {"f:spec": {"f:hostNetwork": {}}}}]),
        json!([{"fieldsV1": {"f:spec": {"f:volumes": {r#"k:{"name":"app"}"#: {}}}}}]),
        json!([{"fieldsV1": {"f:spec": {"f:containers": {"k:{}": {}, ".": {}, "v:1": {}}}}}]),
        managed_fields(&["spec", "containers"], &["gone"]),
        json!([{"fieldsV1": {"f:x": "x".repeat(1 << 20)}},
               managed_fields(&["spec", "containers"], &["app"])[0]]),
    ] {
        for annotations in [&[][..], &[(CONTAINERS, "*")]] {
            let mut pod = pod(annotations, &[], &["proxy", "app"]);
            pod["metadata"]["managedFields"] = fields.clone();
            let outcome = judge(&pod);
            assert_eq!(codes(&outcome), ["which-container"], "{fields}");
            assert_eq!(
                outcome.violations[0].to_string(),
                "spec.containers has proxy, app, and it cannot be told which of them the creator \
                 wrote and which another webhook has added: name those that are to be rich in \
                 rich.pouch/containers"
            );
            pod["metadata"]["annotations"][CONTAINERS] = "app".into();
            assert_eq!(rich(&injected(&pod)), "app");
        }
    }
}

#[test]
fn of_one_container_nothing_need_be_known() {
    for annotations in [&[][..], &[(CONTAINERS, "*")]] {
        let mut alone = pod(annotations, &[], &["app"]);
        alone["metadata"]["managedFields"].take();
        let rich = injected(&alone);
        assert_eq!(judge(&rich), Outcome::default());
    }
}

#[test]
fn every_manager_of_a_pods_fields_is_its_creator() {
    // A copy has the fields of its original's managers as well.
    let mut pod = pod(&[(CONTAINERS, "*")], &["app"], &["proxy", "web", "app"]);
    let others = managed_fields(&["spec", "containers"], &["web"]);
    pod["metadata"]["managedFields"].as_array_mut().unwrap().push(others[0].clone());
    assert_eq!(rich(&injected(&pod)), "webapp");
}

fn judge_workload(group: &str, kind: &str, object: &Value, old: Option<&Value>) -> Outcome {
    let (target, known) = (target(group, kind), Known::default());
    let old = old.map(ToString::to_string);
    inject::judge(target, &object.to_string(), old.as_deref(), &settings(), &known).unwrap()
}

/// A Deployment whose creator wrote some of the containers of its template.
fn deployment(creators: &[&str], all: &[&str]) -> Value {
    let mut template = pod(&[], &[], all);
    // Anybody can write this into a template, and it says nothing.
    template["metadata"]["managedFields"] = managed_fields(&["spec", "containers"], &["proxy"]);
    let path = ["spec", "template", "spec", "containers"];
    json!({"metadata": {"managedFields": managed_fields(&path, creators)},
           "spec": {"template": template}})
}

#[test]
fn a_template_whose_pods_would_have_a_stranger_rich_is_refused() {
    let judge = |object: &Value| judge_workload("apps", "Deployment", object, None);
    assert_eq!(codes(&judge(&deployment(&["app"], &["app", "agent"]))), [""; 0]);
    let mut first = deployment(&["app"], &["proxy", "app"]);
    let outcome = judge(&first);
    assert_eq!(codes(&outcome), ["which-container"]);
    assert_eq!(outcome.violations[0].field, "spec.template.spec.containers");
    let annotations = &mut first["spec"]["template"]["metadata"]["annotations"];
    annotations[CONTAINERS] = "app".into();
    assert_eq!(codes(&judge(&first)), [""; 0]);
    first["spec"]["template"]["metadata"]["annotations"][CONTAINERS] = "*".into();
    assert_eq!(codes(&judge(&first)), ["which-container"]);
    assert_eq!(codes(&judge(&deployment(&["app", "web"], &["app", "web"]))), [""; 0]);
    // A kind whose lists have no keys says nothing of its containers.
    for fields in [json!(null), json!([{"fieldsV1": {"f:spec": {"f:template": {}}}}])] {
        first = deployment(&[], &["app", "web"]);
        first["metadata"]["managedFields"] = fields;
        assert_eq!(codes(&judge(&first)), [""; 0]);
    }
}

#[test]
fn a_template_that_has_a_stranger_first_can_still_be_scaled() {
    let old = deployment(&["app"], &["proxy", "app"]);
    let outcome = judge_workload("apps", "Deployment", &old, Some(&old));
    assert_eq!(codes(&outcome), [""; 0]);
    assert_eq!(outcome.warnings.count(), 1, "{:?}", outcome.warnings);
}

#[test]
fn the_template_of_every_kind_is_found_in_the_managed_fields() {
    for (kind, path) in [
        ("CronJob", &["spec", "jobTemplate", "spec", "template"][..]),
        ("Job", &["spec", "template"]),
    ] {
        let fields = managed_fields(&[path, &["spec", "containers"]].concat(), &["app"]);
        let template = pod(&[], &[], &["proxy", "app"]);
        let mut object = path.iter().rev().fold(template, |inner, name| json!({*name: inner}));
        object["metadata"] = json!({"managedFields": fields});
        assert_eq!(codes(&judge_workload("batch", kind, &object, None)), ["which-container"]);
    }
}
