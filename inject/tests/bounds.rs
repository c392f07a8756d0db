//! What is long is refused in one sentence, and what is said is short whatever is wrong.
#![allow(clippy::unwrap_used)] // Helpers of tests panic as tests do.

mod support;

use contract::limits;
use inject::{Known, Outcome, Target};
use serde_json::{Value, json};
use support::{codes, judge, pod, settings, target};

fn unreadable(pod: &Value) -> String {
    let (text, known) = (pod.to_string(), Known::default());
    inject::judge(Target::Pod, &text, None, &settings(), &known).unwrap_err().to_string()
}

fn rich(mode: &str) -> Value {
    pod(&[("rich.pouch/mode", mode)])
}

/// A pod of so many containers that are all to be rich.
fn all_rich(count: usize) -> Value {
    let mut pod = pod(&[("rich.pouch/mode", "systemd"), ("rich.pouch/containers", "*")]);
    let containers = (0..count).map(|it| json!({"name": format!("c{it}"), "image": "i"}));
    pod["spec"]["containers"] = containers.collect();
    pod
}

#[test]
fn a_list_that_is_longer_than_its_limit_is_refused_with_one_sentence() {
    let container = json!({"name": "a"});
    let with = |pointer: &str, name: &str, list: Value| {
        let mut pod = rich("systemd");
        pod.pointer_mut(pointer).unwrap()[name] = list;
        pod
    };
    let (spec, first) = ("/spec", "/spec/containers/0");
    for (pod, said) in [
        (with(spec, "containers", json!(vec![&container; 65])), "64 containers"),
        (with(spec, "initContainers", json!(vec![&container; 65])), "64 containers"),
        (with(spec, "volumes", json!(vec![&container; 257])), "256 volumes"),
        (with(spec, "imagePullSecrets", json!(vec![&container; 65])), "64 imagePullSecrets"),
        (with(first, "volumeMounts", json!(vec![&container; 257])), "256 volumeMounts"),
        (with(first, "command", json!(vec!["a"; 257])), "256 words of a command"),
        (with(first, "env", json!(vec![json!({"name": "rich_mode"}); 17])), "16 variables named"),
        (with("/metadata", "ownerReferences", json!(vec![json!({}); 65])), "64 ownerReferences"),
    ] {
        let error = unreadable(&pod);
        let begin = format!("the Pod cannot be read: it has more than {said}");
        assert!(error.starts_with(&begin) && error.contains(", which is the limit"), "{error}");
    }
    let most = vec![json!({"name": "V", "value": "rich"}); 10_000];
    assert_eq!(judge(&with(first, "env", json!(most))).violations, []);
    assert_eq!(judge(&with(first, "args", json!(vec!["a"; 10_000]))).violations, []);
    assert_eq!(judge(&with(spec, "volumes", json!(vec![&container; 256]))).violations, []);
}

#[test]
fn what_has_no_name_is_refused_where_it_is_read() {
    for (list, at) in
        [("containers", "/spec"), ("volumes", "/spec"), ("volumeMounts", "/spec/containers/0")]
    {
        let mut pod = rich("dumb-init");
        pod.pointer_mut(at).unwrap()[list] = json!(vec![json!({}); 10]);
        let error = unreadable(&pod);
        assert!(error.contains("missing field `name`"), "{error}");
    }
}

#[test]
fn no_more_than_so_many_containers_of_a_pod_become_rich() {
    let most = limits::RICH_CONTAINERS.most;
    assert!(codes(&judge(&all_rich(most))).iter().all(|code| *code == "no-command"));
    let outcome = judge(&all_rich(60));
    assert_eq!(
        outcome.violations[0].to_string(),
        "metadata.annotations[rich.pouch/containers] asks for 60 rich containers, and no more \
         than 4 are taken: name fewer"
    );
    // The others are not even looked at.
    assert_eq!(outcome.violations.count(), 1 + most);
    assert_eq!(outcome.lookup.images.len(), 1);
}

#[test]
fn a_long_initscript_is_taken_once_and_not_many_times() {
    let pod = |containers: usize| {
        let mut pod = all_rich(containers);
        for container in pod["spec"]["containers"].as_array_mut().unwrap() {
            container["command"] = json!(["a"]);
        }
        let long = "a".repeat(limits::REPEATED);
        pod["metadata"]["annotations"]["rich.pouch/initcmd"] = long.into();
        pod
    };
    assert_eq!(codes(&judge(&pod(1))), [""; 0]);
    assert_eq!(codes(&judge(&pod(2))), ["repeated-too-often"]);
}

#[test]
fn names_that_the_pod_lacks_are_counted_and_the_names_that_it_has_are_cut() {
    let names: Vec<String> = (0..limits::NAMED).map(|it| format!("x{it}")).collect();
    let mut pod =
        pod(&[("rich.pouch/mode", "dumb-init"), ("rich.pouch/containers", &names.join(","))]);
    pod["spec"]["containers"] = all_rich(64)["spec"]["containers"].take();
    let violations = judge(&pod).violations;
    assert_eq!((violations.count(), violations.iter().count()), (limits::NAMED, limits::LISTED));
    let sentence = violations[0].to_string();
    assert!(
        sentence.ends_with("it has c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 54 more"),
        "{sentence}"
    );
}

#[test]
fn violations_of_mounts_are_counted_and_the_first_are_listed() {
    let mut pod = rich("dumb-init");
    let mounts = vec![json!({"name": "mine", "mountPath": "/.rich"}); 250];
    pod["spec"]["containers"][0]["volumeMounts"] = mounts.into();
    let violations = judge(&pod).violations;
    assert_eq!((violations.count(), violations.iter().count()), (250, limits::LISTED));
}

#[test]
fn what_is_to_be_found_out_about_images_is_short() {
    let mut pod = all_rich(limits::RICH_CONTAINERS.most);
    pod["spec"]["imagePullSecrets"] = (0..64).map(|it| json!({"name": it.to_string()})).collect();
    let lookup = judge(&pod).lookup;
    assert_eq!((lookup.images.len(), lookup.pull_secrets.len()), (1, limits::SECRETS_ASKED));
    assert_eq!(lookup.pull_secrets[0], "0");
}

#[test]
fn a_member_that_stands_twice_is_refused_wherever_it_is_read() {
    let containers = r#""spec":{"containers":[{"name":"a","image":"i","command":["a"]}]}"#;
    for metadata in [
        r#""metadata":{"annotations":{"rich.pouch/mode":"dumb-init"}},"metadata":{}"#,
        r#""metadata":{"annotations":{"rich.pouch/mode":"dumb-init"},"annotations":{}}"#,
        r#""metadata":{"annotations":{"rich.pouch/mode":"dumb-init","rich.pouch/mode":"systemd"}}"#,
        r#""metadata":{},"metad\u0061ta":{"annotations":{"rich.pouch/mode":"dumb-init"}}"#,
    ] {
        let pod = format!("{{{metadata},{containers}}}");
        let deployment = format!(r#"{{"metadata":{{}},"spec":{{"template":{pod}}}}}"#);
        for (target, text) in [(Target::Pod, pod), (target("apps", "Deployment"), deployment)] {
            let judged = inject::judge(target, &text, None, &settings(), &Known::default());
            let error = judged.unwrap_err().to_string();
            assert!(error.contains("duplicate field") || error.contains("stands twice"), "{error}");
        }
    }
}

fn update(old: &Value, new: &Value) -> Outcome {
    let (old, new) = (old.to_string(), new.to_string());
    let target = target("apps", "Deployment");
    inject::judge(target, &new, Some(&old), &settings(), &Known::default()).unwrap()
}

/// A Deployment with so many keys that are none of ours.
fn deployment(unknown: usize, host_pid: bool) -> Value {
    let annotations: Value = (0..unknown).map(|it| (format!("rich.pouch/{it}"), "")).collect();
    let mut template = pod(&[]);
    template["metadata"]["annotations"] = annotations;
    template["metadata"]["annotations"]["rich.pouch/mode"] = "dumb-init".into();
    template["spec"]["hostPID"] = host_pid.into();
    json!({"metadata": {"name": "app"}, "spec": {"template": template}})
}

#[test]
fn an_object_that_broke_many_rules_before_may_break_as_many() {
    let was = deployment(1000, false);
    for now in [&was, &deployment(900, false), &deployment(900, true)] {
        let outcome = update(&was, now);
        assert_eq!(outcome.violations, []);
        assert_eq!(outcome.warnings.iter().count(), limits::LISTED);
    }
    let outcome = update(&was, &deployment(1001, false));
    assert_eq!(outcome.violations.count(), 1001);
    assert!(outcome.violations[0].field.starts_with("spec.template."));
    assert!(outcome.warnings.is_empty());
    // Where all are listed, each is compared.
    let outcome = update(&deployment(5, false), &deployment(4, true));
    assert_eq!(codes(&outcome), ["host-pid"]);
    assert_eq!(outcome.warnings.count(), 4);
}

#[test]
fn keys_of_a_workload_that_are_none_of_ours_are_counted_in_its_template() {
    let annotations: Value = (0..100_000).map(|it| (format!("rich.pouch/{it}"), "")).collect();
    let mut deployment = deployment(0, false);
    deployment["metadata"]["annotations"] = annotations;
    let (text, known) = (deployment.to_string(), Known::default());
    let outcome =
        inject::judge(target("apps", "Deployment"), &text, None, &settings(), &known).unwrap();
    assert_eq!(outcome.violations.count(), 100_000);
    assert!(outcome.patch.as_str().len() < 5000, "{}", outcome.patch.as_str().len());
}
