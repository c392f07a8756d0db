//! A search for a way around the administrator's policy, and into a container that the pod's
//! creator did not write: over pods and templates, carried annotations, updates, ephemeral
//! containers, and whatever other webhooks do between our passes.

#![allow(clippy::expect_used, reason = "these are tests")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use inject::{Binaries, Known, Namespace, Outcome, Privileged, Settings, Target};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};
use support::{managed_fields, patched, settings, target};

/// The names of the creator's containers, and of those that others add.
const CREATORS: [&str; 3] = ["app", "web", "job"];
const STRANGERS: [&str; 3] = ["proxy", "agent", "canary"];

/// What another webhook does to a pod.
#[derive(Clone, Debug)]
enum Deed {
    Insert(usize, Value),
    Copy(usize, &'static str),
    Reverse,
    Annotate(&'static str, Value),
    Take(usize, &'static str),
    Command(usize, Value),
}

fn command() -> impl Strategy<Value = Value> {
    select(vec![
        json!(["sleep", "1"]),
        json!(["/.rich/rich", "run", "--mode=systemd", "--", "sleep"]),
        json!(["/.rich/rich", "run", "--", "sleep"]),
        json!(["/rich", "install", "/.rich"]),
    ])
}

fn container(name: &'static str, may_be_privileged: bool) -> impl Strategy<Value = Value> {
    let mut contexts =
        vec![json!(null), json!({}), json!({"runAsUser": 0}), json!({"privileged": false})];
    if may_be_privileged {
        contexts.push(json!({"privileged": true}));
    }
    (command(), select(contexts)).prop_map(move |(command, context)| {
        json!({"name": name, "image": "i", "command": command, "securityContext": context})
    })
}

/// An annotation that asks for something, by anybody.
fn annotation() -> impl Strategy<Value = (&'static str, Value)> {
    let status = json!({"containers": ["proxy", "app"], "version": env!("CARGO_PKG_VERSION")});
    select(vec![
        ("rich.pouch/mode", json!("systemd")),
        ("rich.pouch/mode", json!("sbin-init")),
        ("rich.pouch/mode", json!("dumb-init")),
        ("rich.pouch/rich", json!("true")),
        ("rich.pouch/privileged", json!("true")),
        ("rich.pouch/containers", json!("*")),
        ("rich.pouch/containers", json!("app")),
        ("rich.pouch/containers", json!("proxy")),
        ("rich.pouch/status", json!(status.to_string())),
        ("kubectl.kubernetes.io/default-container", json!("proxy")),
        ("kubectl.kubernetes.io/default-container", json!("web")),
    ])
}

fn annotations() -> impl Strategy<Value = Value> {
    vec(annotation(), 0..4).prop_map(|all| {
        all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Value>()
    })
}

fn deed() -> impl Strategy<Value = Deed> {
    let stranger = select(&STRANGERS[..]).prop_flat_map(|name| container(name, false));
    prop_oneof![
        (0..4_usize, stranger).prop_map(|(at, it)| Deed::Insert(at, it)),
        (0..3_usize, select(&STRANGERS[..])).prop_map(|(at, name)| Deed::Copy(at, name)),
        Just(Deed::Reverse),
        annotation().prop_map(|(name, value)| Deed::Annotate(name, value)),
        (0..3_usize, select(vec!["volumeMounts", "env", "command"]))
            .prop_map(|(at, field)| Deed::Take(at, field)),
        (0..3_usize, command()).prop_map(|(at, command)| Deed::Command(at, command)),
    ]
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    vec(deed(), 0..4)
}

/// A pod as its creator wrote it.
fn written() -> impl Strategy<Value = Value> {
    let container = |name| container(name, true);
    let containers = (container("app"), option::of(container("web")), option::of(container("job")));
    (annotations(), containers).prop_map(|(annotations, (app, web, job))| {
        let containers: Vec<Value> = [Some(app), web, job].into_iter().flatten().collect();
        json!({"metadata": {"annotations": annotations}, "spec": {"containers": containers}})
    })
}

/// A pod, with what the API server says of the request for it: not always.
fn requested() -> impl Strategy<Value = Value> {
    (written(), prop::bool::weighted(0.8)).prop_map(|(mut pod, is_told)| {
        if is_told {
            pod["metadata"]["managedFields"] = fields_of(&pod, &["spec", "containers"]);
        }
        pod
    })
}

fn fields_of(pod: &Value, path: &[&str]) -> Value {
    let names: Vec<&str> = containers(pod).iter().filter_map(|it| it["name"].as_str()).collect();
    managed_fields(path, &names)
}

fn containers(pod: &Value) -> &Vec<Value> {
    pod["spec"]["containers"].as_array().expect("containers")
}

fn name(container: &Value) -> &str {
    container["name"].as_str().expect("a name")
}

fn is_rich(container: &Value) -> bool {
    container["command"][0] == "/.rich/rich"
}

/// Whether an annotation asks for it by name.
fn is_named(pod: &Value, container: &str) -> bool {
    pod["metadata"]["annotations"]["rich.pouch/containers"] == container
}

fn privileged(pod: &Value) -> BTreeSet<String> {
    let containers = containers(pod).iter();
    let privileged = containers.filter(|it| it["securityContext"]["privileged"] == true);
    privileged.map(|it| name(it).to_owned()).collect()
}

/// What another webhook makes of the pod. Its containers' names stay different, as the API server
/// wants them.
fn changed(mut pod: Value, deeds: &[Deed]) -> Value {
    for deed in deeds {
        let taken: Vec<String> = containers(&pod).iter().map(|it| name(it).to_owned()).collect();
        let is_free = |name: &str| taken.iter().all(|taken| taken != name);
        let list = pod["spec"]["containers"].as_array_mut().expect("containers");
        match deed {
            Deed::Insert(at, stranger) if is_free(name(stranger)) => {
                list.insert(*at.min(&list.len()), stranger.clone());
            }
            Deed::Copy(at, name) if is_free(name) => {
                let mut copy = list[at % list.len()].clone();
                copy["name"] = (*name).into();
                if let Some(context) = copy["securityContext"].as_object_mut() {
                    context.remove("privileged");
                }
                list.insert(0, copy);
            }
            Deed::Insert(..) | Deed::Copy(..) => {}
            Deed::Reverse => list.reverse(),
            Deed::Annotate(name, value) => pod["metadata"]["annotations"][*name] = value.clone(),
            Deed::Take(at, field) => {
                let at = at % list.len();
                list[at].as_object_mut().expect("a container").remove(*field);
            }
            Deed::Command(at, command) => {
                let at = at % list.len();
                list[at]["command"] = command.clone();
            }
        }
    }
    pod
}

fn settings_with(privileged: Privileged) -> Settings {
    Settings { privileged, ..settings() }
}

/// A namespace that an administrator has not labelled.
fn unlabelled() -> Known {
    let namespace = Namespace::of([("rich.pouch/allow-privileged", "false")]);
    Known { namespace, ..Known::default() }
}

fn judge(pod: &Value, settings: &Settings) -> Outcome {
    inject::judge(Target::Pod, &pod.to_string(), None, settings, &unlabelled()).expect("a pod")
}

/// The states that a pod comes through, up to the one that the API server asks about last: we are
/// asked, others change it, we are asked again. Nothing where it is refused.
fn states(pod: Value, between: &[Vec<Deed>], settings: &Settings) -> Option<Vec<(Value, Value)>> {
    let mut passes = Vec::new();
    let mut pod = pod;
    for deeds in between {
        let before = changed(pod, deeds);
        let outcome = judge(&before, settings);
        if !outcome.violations.is_empty() {
            return None;
        }
        pod = patched(&before, &outcome);
        passes.push((before, pod.clone()));
    }
    Some(passes)
}

fn forbidding() -> impl Strategy<Value = Privileged> {
    select(vec![Privileged::Never, Privileged::Labelled])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn no_pass_makes_privileged_what_did_not_say_so_itself(
        pod in requested(), between in vec(deeds(), 1..4), policy in forbidding(),
    ) {
        let said = privileged(&pod);
        for (before, after) in states(pod, &between, &settings_with(policy)).into_iter().flatten() {
            prop_assert_eq!(privileged(&before), privileged(&after));
            prop_assert!(privileged(&after).is_subset(&said));
        }
    }

    #[test]
    fn what_a_stranger_adds_is_left_alone(
        pod in requested(), between in vec(deeds(), 1..4),
        binaries in select(vec![Binaries::InitContainer, Binaries::Node]),
    ) {
        let settings = Settings { binaries, ..settings_with(Privileged::Allow) };
        for (before, after) in states(pod, &between, &settings).into_iter().flatten() {
            let was: BTreeMap<_, _> = containers(&before).iter().map(|it| (name(it), it)).collect();
            for container in containers(&after) {
                let name = name(container);
                let may_change = CREATORS.contains(&name) || is_named(&before, name);
                prop_assert!(may_change || was[name] == container, "{container}");
            }
        }
    }

    #[test]
    fn what_is_validated_is_rich_and_by_default_it_is_one_of_the_creators(
        pod in requested(), between in vec(deeds(), 2..4),
    ) {
        let settings = settings_with(Privileged::Allow);
        prop_assume!(!pod["metadata"]["managedFields"].is_null());
        let Some(passes) = states(pod, &between, &settings) else { return Ok(()) };
        let (before, after) = passes.last().expect("a pass");
        let asks = contract::read(annotations_of(after)).rich.is_some();
        // What is as it should be has nothing left to change.
        if asks && before == after {
            let rich = containers(after).iter()
                .any(|it| is_rich(it) && (CREATORS.contains(&name(it)) || is_named(after, name(it))));
            prop_assert!(rich, "{after}");
        }
    }

    #[test]
    fn no_template_and_no_update_of_it_is_a_way_around_the_policy(
        template in written(), own in annotations(), old in option::of(annotations()),
        between in vec(deeds(), 1..3), policy in forbidding(),
    ) {
        let settings = settings_with(policy);
        let workload = |own: &Value| json!({
            "metadata": {"annotations": own, "managedFields":
                fields_of(&template, &["spec", "template", "spec", "containers"])},
            "spec": {"template": template},
        });
        let object = workload(&own);
        let old = old.map(|own| workload(&own).to_string());
        for kind in ["Deployment", "StatefulSet"] {
            let target = target("apps", kind);
            let text = object.to_string();
            let outcome = inject::judge(target, &text, old.as_deref(), &settings, &unlabelled());
            let outcome = outcome.expect("a workload");
            prop_assert!(outcome.made_privileged.is_empty() || !outcome.violations.is_empty());
            let carried = patched(&object, &outcome);
            prop_assert_eq!(&carried["spec"]["template"]["spec"], &template["spec"]);
            // A pod of it, whose creator is a controller.
            let mut pod = carried["spec"]["template"].clone();
            pod["metadata"]["managedFields"] = fields_of(&pod, &["spec", "containers"]);
            let said = privileged(&pod);
            for (_, after) in states(pod, &between, &settings).into_iter().flatten() {
                prop_assert!(privileged(&after).is_subset(&said));
            }
        }
    }

    #[test]
    fn an_ephemeral_container_changes_nothing_of_the_pod(
        pod in requested(), debug in container("debug", true), deeds in deeds(),
    ) {
        let mut debugged = changed(pod.clone(), &deeds);
        debugged["spec"]["ephemeralContainers"] = json!([debug]);
        debugged["spec"]["volumes"] = json!([{"name": "rich-pouch", "emptyDir": {}}]);
        let (target, old) = (Target::EphemeralContainers, pod.to_string());
        let settings = settings_with(Privileged::Allow);
        let outcome =
            inject::judge(target, &debugged.to_string(), Some(&old), &settings, &unlabelled());
        prop_assert_eq!(outcome.expect("a pod"), Outcome::default());
    }
}

fn annotations_of(pod: &Value) -> Vec<(&str, &str)> {
    let annotations = pod["metadata"]["annotations"].as_object();
    let pairs = annotations.into_iter().flatten();
    pairs.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect()
}
