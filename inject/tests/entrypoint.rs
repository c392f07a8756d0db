//! What a container without a command runs: what its image says, once that is known.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use inject::{Entrypoint, Entrypoints, Known, Outcome};
use serde_json::{Value, json};
use support::{codes, judge, judge_knowing, patched, pod, settings, target};

/// A pod whose container gives these `command` and `args`.
fn app(command: &Value, args: &Value) -> Value {
    let mut pod = pod(&[("rich.pouch/mode", "dumb-init")]);
    let container = pod["spec"]["containers"][0].as_object_mut().unwrap();
    for (name, words) in [("command", command), ("args", args)] {
        container.remove(name);
        if !words.is_null() {
            container.insert(name.to_owned(), words.clone());
        }
    }
    pod
}

/// Every image that the outcome asks for, with this answer.
fn answered(outcome: &Outcome, answer: &Result<Entrypoint, String>) -> Entrypoints {
    outcome.lookup.images.iter().map(|image| (image.clone(), answer.clone())).collect()
}

fn image(entrypoint: &[&str], cmd: &[&str]) -> Entrypoint {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Entrypoint { entrypoint: words(entrypoint), cmd: words(cmd) }
}

#[test]
fn it_runs_what_kubernetes_would() {
    let ours = ["/.rich/rich", "run", "--mode=dumb-init", "--"];
    for (args, entrypoint, cmd, runs) in [
        (json!(null), vec!["/entry", "-x"], vec!["serve"], vec!["/entry", "-x", "serve"]),
        (json!([]), vec!["/entry"], vec!["serve"], vec!["/entry", "serve"]),
        (json!(["mine"]), vec!["/entry"], vec!["serve"], vec!["/entry"]),
        (json!(null), vec![], vec!["sh"], vec!["sh"]),
        (json!(["mine"]), vec![], vec!["sh"], vec![]),
        // The kubelet expands what stands in a pod, and nothing of an image.
        (json!(null), vec!["/bin/sh", "-c", "$(A) $B"], vec![], vec!["/bin/sh", "-c", "$$(A) $$B"]),
    ] {
        for command in [json!(null), json!([])] {
            let before = app(&command, &args);
            let entrypoints = answered(&judge(&before), &Ok(image(&entrypoint, &cmd)));
            let outcome = judge_knowing(&before, &entrypoints);
            assert_eq!(codes(&outcome), [""; 0]);
            let after = patched(&before, &outcome);
            let container = &after["spec"]["containers"][0];
            assert_eq!(container["command"], json!([&ours[..], &runs].concat()));
            assert_eq!(container.get("args"), before["spec"]["containers"][0].get("args"));
            // Nothing need be looked up for what is injected already.
            assert_eq!(judge(&after), Outcome::default());
        }
    }
}

#[test]
fn it_is_asked_for_only_where_it_decides() {
    assert!(judge(&app(&json!(["a"]), &json!(null))).lookup.is_empty());
    let mut pod = app(&json!(null), &json!(["x"]));
    pod["spec"]["imagePullSecrets"] = json!([{"name": "a"}, {"name": "b"}]);
    pod["spec"]["serviceAccountName"] = json!("robot");
    let containers = pod["spec"]["containers"].as_array_mut().unwrap();
    containers.push(json!({"name": "side", "image": "other"}));
    let outcome = judge(&pod);
    assert_eq!(codes(&outcome), ["no-command"]);
    let names: Vec<_> = outcome.lookup.images.iter().map(|image| image.name.as_str()).collect();
    assert_eq!(names, ["busybox"]);
    assert_eq!(outcome.lookup.pull_secrets, ["a", "b"]);
    assert_eq!(outcome.lookup.service_account.as_deref(), Some("robot"));
    pod["metadata"]["annotations"]["rich.pouch/containers"] = json!("*");
    assert_eq!(judge(&pod).lookup.images.len(), 2);
    pod["spec"]["containers"][1]["image"] = json!("busybox");
    assert_eq!(judge(&pod).lookup.images.len(), 1);
    pod["spec"]["nodeSelector"] = json!({"kubernetes.io/arch": "arm64"});
    let lookup = judge(&pod).lookup;
    assert!(lookup.images[0].architectures.include("arm64"));
    assert!(!lookup.images[0].architectures.include("amd64"));
}

#[test]
fn what_cannot_be_found_out_is_refused_with_the_reason_and_the_way_out() {
    let pod = app(&json!(null), &json!(null));
    let refused = |answer| {
        let outcome = judge_knowing(&pod, &answered(&judge(&pod), &answer));
        assert_eq!(codes(&outcome), ["entrypoint-unknown"]);
        assert!(outcome.lookup.is_empty());
        outcome.violations[0].to_string()
    };
    assert_eq!(
        refused(Err("registry.example does not answer".to_owned())),
        "spec.containers[0].command is empty, and what the image busybox runs cannot be found \
         out: registry.example does not answer; write the command that the container runs"
    );
    assert!(refused(Ok(image(&[], &[]))).contains("neither an entrypoint nor a cmd"));
}

#[test]
fn a_workload_is_judged_by_it_too() {
    let template = app(&json!(null), &json!(null));
    let deployment = json!({"metadata": {"name": "app"}, "spec": {"template": template}});
    let judge = |old: Option<&Value>, entrypoints: &Entrypoints| {
        let known = &Known { entrypoints: entrypoints.clone(), ..Known::default() };
        let (target, old) = (target("apps", "Deployment"), old.map(ToString::to_string));
        inject::judge(target, &deployment.to_string(), old.as_deref(), &settings(), known).unwrap()
    };
    let first = judge(None, &Entrypoints::default());
    assert_eq!(codes(&first), ["no-command"]);
    assert_eq!(codes(&judge(None, &answered(&first, &Ok(image(&["/entry"], &[]))))), [""; 0]);
    let unknown = answered(&first, &Err("it is away".to_owned()));
    let refused = judge(None, &unknown);
    assert_eq!(codes(&refused), ["entrypoint-unknown"]);
    assert!(refused.violations[0].field.starts_with("spec.template.spec.containers[0]"));
    // Whoever scales it while the registry is away must not be kept from it.
    let updated = judge(Some(&deployment), &unknown);
    assert_eq!(codes(&updated), [""; 0]);
    assert!(updated.warnings[0].contains("it is away"), "{:?}", updated.warnings);
}

#[test]
fn a_container_without_an_image_asks_for_nothing() {
    let mut pod = app(&json!(null), &json!(null));
    for image in [json!(null), json!("")] {
        pod["spec"]["containers"][0]["image"] = image;
        let outcome = judge(&pod);
        assert_eq!(codes(&outcome), ["no-command"]);
        assert!(outcome.lookup.is_empty());
    }
}
