//! Any Pod, and any Deployment of such pods: the patch applies, touches nothing but what the
//! contract names, is empty the second time, and gives no privilege that the policy does not.
#![no_main]

use inject::{Entrypoint, Known, Outcome, Privileged, Settings, Target};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|text: &str| {
    let Ok(pod @ Value::Object(_)) = serde_json::from_str::<Value>(text) else { return };
    for policy in [Privileged::Allow, Privileged::Never] {
        let settings = Settings { privileged: policy, ..settings() };
        // As the text is: numbers and repeated names may be lost in a value.
        let Some(outcome) = judge(Target::Pod, text, &settings) else { return };
        if !outcome.violations.is_empty() {
            assert!(outcome.patch.is_empty());
            continue;
        }
        let operations: Vec<Value> = serde_json::from_str(outcome.patch.as_str()).unwrap();
        for operation in &operations {
            is_ours_to_make(operation, &pod);
        }
        let after = patched(&pod, &outcome);
        let again = judge(Target::Pod, &after.to_string(), &settings).unwrap();
        assert_eq!(again, Outcome::default(), "a second pass");
        if policy == Privileged::Never {
            assert_eq!(privileged(&after), privileged(&pod));
        }
    }
    if let Some(outcome) = judge(Target::EphemeralContainers, text, &settings()) {
        assert!(outcome.patch.is_empty());
    }
    let deployment = json!({"metadata": pod["metadata"], "spec": {"template": pod}});
    let settings = settings();
    if let Some(outcome) = judge(deployments(&settings), &deployment.to_string(), &settings)
        && outcome.violations.is_empty()
    {
        let after = patched(&deployment, &outcome);
        for name in ["spec", "status"] {
            assert_eq!(after["spec"]["template"][name], pod[name]);
        }
    }
});

fn settings() -> Settings {
    serde_json::from_value(json!({"image": "rich-pouch:1"})).unwrap()
}

fn deployments(settings: &Settings) -> Target<'_> {
    Target::find("apps", "Deployment", settings).unwrap()
}

/// The outcome, with an entrypoint for every image of which it asks.
fn judge(target: Target<'_>, text: &str, settings: &Settings) -> Option<Outcome> {
    let written = Known { as_written: true, ..Known::default() };
    let first = inject::judge(target, text, None, settings, &written).ok()?;
    if first.lookup.is_empty() {
        return Some(first);
    }
    let found = Entrypoint { entrypoint: vec!["$(A)".into()], cmd: vec!["b".into()] };
    let entrypoints = first.lookup.images.into_iter().map(|image| (image, Ok(found.clone())));
    let known = Known { entrypoints: entrypoints.collect(), ..written };
    inject::judge(target, text, None, settings, &known).ok()
}

fn patched(object: &Value, outcome: &Outcome) -> Value {
    let patch: json_patch::Patch = serde_json::from_str(outcome.patch.as_str()).unwrap();
    let mut object = object.clone();
    json_patch::patch(&mut object, &patch).unwrap();
    object
}

/// Explicit paths, and an addition puts nothing in the place of another.
fn is_ours_to_make(operation: &Value, pod: &Value) {
    let (deed, path) = (&operation["op"], operation["path"].as_str().unwrap());
    assert!(deed != "remove", "{path} is taken out");
    let adds = deed == "add";
    let words: Vec<&str> = path.split('/').skip(1).collect();
    let allowed = match words[..] {
        ["metadata", "annotations", "rich.pouch~1status"] => true,
        ["spec", "volumes" | "initContainers"]
        | ["spec", "volumes", "-"]
        | ["spec", "initContainers", "0"] => true,
        ["spec", "initContainers", _, "image"] => !adds,
        ["spec", "containers", _, "command"] => true,
        ["spec", "containers", _, "env", _] => true,
        ["spec", "containers", _, "env" | "volumeMounts" | "securityContext" | "lifecycle"]
        | ["spec", "containers", _, "volumeMounts", "-"]
        | ["spec", "containers", _, "securityContext", "privileged"]
        | ["spec", "containers", _, "lifecycle", "preStop"] => true,
        _ => false,
    };
    assert!(allowed, "{path}");
    let is_list = matches!(words.last(), Some(&("-" | "0")));
    let replaces = matches!(words.last(), Some(&("command" | "preStop" | "rich.pouch~1status")));
    if adds && !is_list && !replaces {
        let there = pod.pointer(path).is_some_and(|value| !value.is_null());
        assert!(!there, "{path} was there");
    }
}

fn privileged(pod: &Value) -> Vec<bool> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    containers.map(|it| it["securityContext"]["privileged"] == json!(true)).collect()
}
