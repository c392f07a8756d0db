//! Annotations carried from a workload into its template, and workloads refused.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use inject::{Known, Namespace, Outcome, Patch, Settings, Target};
use serde_json::{Value, json};
use support::{codes, patched, settings, target};

fn judge_kind(group: &str, kind: &str, object: &Value, old: Option<&Value>) -> Outcome {
    let old = old.map(ToString::to_string);
    let known = Known::default();
    let (target, text) = (target(group, kind), object.to_string());
    inject::judge(target, &text, old.as_deref(), &settings(), &known).unwrap()
}

fn judge(object: &Value, old: Option<&Value>) -> Outcome {
    judge_kind("apps", "Deployment", object, old)
}

#[allow(clippy::needless_pass_by_value, reason = "json! makes values")]
fn deployment(own: Value, template: Value) -> Value {
    json!({
        "metadata": {"name": "app", "annotations": own},
        "spec": {"template": {
            "metadata": {"annotations": template, "labels": {"app": "app"}},
            "spec": {"containers": [{"name": "app", "command": ["sleep"], "args": ["1"]}]},
        }},
    })
}

fn template_annotations(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]["metadata"]["annotations"]
}

#[test]
fn annotations_are_carried_into_the_template_with_a_warning() {
    for template in [json!({}), Value::Null, json!({"x": "y"})] {
        let before = deployment(
            json!({"rich.pouch/mode": "dumb-init", "rich.pouch/status": "{}", "other": "z"}),
            template.clone(),
        );
        let outcome = judge(&before, None);
        assert_eq!(
            outcome.warnings,
            ["rich.pouch/mode is carried from the Deployment into its pod template"]
        );
        let after = patched(&before, &outcome);
        let mut wanted = template;
        wanted["rich.pouch/mode"] = json!("dumb-init");
        assert_eq!(*template_annotations(&after), wanted);
        assert_eq!(judge(&after, Some(&after)), Outcome::default());
    }
}

#[test]
fn a_kind_that_the_administrator_names_is_a_workload_too() {
    let judge = |object| judge_kind("apps.kruise.io", "CloneSet", object, None);
    let before = deployment(json!({"rich.pouch/mode": "dumb-init"}), json!({}));
    let after = patched(&before, &judge(&before));
    assert_eq!(*template_annotations(&after), json!({"rich.pouch/mode": "dumb-init"}));

    let refused = judge(&deployment(json!({}), json!({"rich.pouch/initscript": "/x"})));
    assert_eq!(codes(&refused), ["needs-rich"]);
    assert!(refused.violations[0].field.starts_with("spec.template.metadata."));

    assert_eq!(Target::find("example.org", "CloneSet", &settings()), None);
}

#[test]
fn where_there_is_no_template_a_warning_says_so() {
    for spec in [json!({}), json!(null), json!({"template": null})] {
        let annotations = json!({"rich.pouch/mode": "dumb-init"});
        let object = json!({"metadata": {"annotations": annotations}, "spec": spec});
        let outcome = judge_kind("apps.kruise.io", "CloneSet", &object, Some(&object));
        assert_eq!(outcome.patch, Patch::default());
        assert_eq!(
            outcome.warnings,
            ["the CloneSet has no pod template in spec.template: rich.pouch annotations have no \
              effect"]
        );
    }
}

#[test]
fn a_template_without_metadata_gets_it() {
    let mut before = deployment(json!({"rich.pouch/mode": "dumb-init"}), json!({}));
    before["spec"]["template"]["metadata"].take();
    let after = patched(&before, &judge(&before, None));
    assert_eq!(*template_annotations(&after), json!({"rich.pouch/mode": "dumb-init"}));
}

#[test]
fn a_key_of_the_templates_own_wins() {
    let before =
        deployment(json!({"rich.pouch/mode": "systemd"}), json!({"rich.pouch/mode": "dumb-init"}));
    assert_eq!(judge(&before, None), Outcome::default());
}

#[test]
fn a_carried_key_follows_the_workloads_and_goes_with_it() {
    let old =
        deployment(json!({"rich.pouch/mode": "systemd"}), json!({"rich.pouch/mode": "systemd"}));
    let mut changed = old.clone();
    changed["metadata"]["annotations"]["rich.pouch/mode"] = json!("sbin-init");
    let after = patched(&changed, &judge(&changed, Some(&old)));
    assert_eq!(*template_annotations(&after), json!({"rich.pouch/mode": "sbin-init"}));

    let mut gone = old.clone();
    gone["metadata"]["annotations"] = json!({});
    let outcome = judge(&gone, Some(&old));
    assert_eq!(*template_annotations(&patched(&gone, &outcome)), json!({}));
    assert_eq!(
        outcome.warnings,
        ["rich.pouch/mode is taken out of the pod template with the Deployment's"]
    );
}

#[test]
fn what_a_controller_owns_is_left_alone() {
    let mut owned = deployment(json!({"rich.pouch/mode": "systemd"}), json!({}));
    owned["metadata"]["ownerReferences"] = json!([{"kind": "Deployment", "controller": true}]);
    assert_eq!(judge_kind("apps", "ReplicaSet", &owned, None), Outcome::default());
}

#[test]
fn an_existing_job_is_told_that_the_annotation_has_no_effect() {
    let mut job = deployment(json!({}), json!({}));
    let old = job.clone();
    job["metadata"]["annotations"]["rich.pouch/mode"] = json!("dumb-init");
    let outcome = judge_kind("batch", "Job", &job, Some(&old));
    assert_eq!(outcome.patch, Patch::default());
    assert_eq!(
        outcome.warnings,
        ["rich.pouch/mode has no effect on a Job that exists: \
          its pod template cannot change any more"]
    );
}

#[test]
fn every_kind_with_a_pod_template_is_known() {
    for (group, kind, path) in [
        ("apps", "Deployment", "/spec/template"),
        ("apps", "StatefulSet", "/spec/template"),
        ("apps", "DaemonSet", "/spec/template"),
        ("apps", "ReplicaSet", "/spec/template"),
        ("", "ReplicationController", "/spec/template"),
        ("batch", "Job", "/spec/template"),
        ("batch", "CronJob", "/spec/jobTemplate/spec/template"),
        ("", "PodTemplate", "/template"),
    ] {
        let template = json!({
            "metadata": {"annotations": {}},
            "spec": {"containers": [{"name": "app", "command": ["x"]}]},
        });
        let mut object = path
            .rsplit('/')
            .filter(|name| !name.is_empty())
            .fold(template, |inner, name| json!({name: inner}));
        object["metadata"] = json!({"annotations": {"rich.pouch/mode": "dumb-init"}});
        let after = patched(&object, &judge_kind(group, kind, &object, None));
        let carried = format!("{path}/metadata/annotations/rich.pouch~1mode");
        assert_eq!(after.pointer(&carried), Some(&json!("dumb-init")), "{kind}");
    }
}

#[test]
fn what_would_fail_at_the_pod_fails_at_the_workload() {
    let bad = deployment(json!({}), json!({"rich.pouch/initscript": "/x"}));
    let outcome = judge(&bad, None);
    assert_eq!(codes(&outcome), ["needs-rich"]);
    assert_eq!(
        outcome.violations[0].field,
        "spec.template.metadata.annotations[rich.pouch/initscript]"
    );
    let mut bad = deployment(json!({"rich.pouch/mode": "systemd"}), json!({}));
    bad["spec"]["template"]["spec"]["hostPID"] = json!(true);
    let outcome = judge(&bad, None);
    assert!(
        outcome.violations[0].to_string().starts_with("spec.template.spec.hostPID is true"),
        "{:?}",
        outcome.violations
    );
}

#[test]
fn what_was_wrong_before_does_not_stop_an_update() {
    let old = deployment(json!({}), json!({"rich.pouch/initscript": "/x"}));
    let mut scaled = old.clone();
    scaled["spec"]["replicas"] = json!(3);
    let outcome = judge(&scaled, Some(&old));
    assert_eq!(codes(&outcome), [""; 0]);
    assert!(outcome.warnings[0].starts_with("as before, no pod can be made of this: "));

    scaled["spec"]["template"]["spec"]["hostPID"] = json!(true);
    scaled["spec"]["template"]["metadata"]["annotations"]["rich.pouch/mode"] = json!("systemd");
    assert_eq!(codes(&judge(&scaled, Some(&old))), ["host-pid"]);
}

#[test]
fn a_workload_is_refused_where_pod_security_would_refuse_its_pods_because_of_us() {
    let judge = |mode: &str, level: &str, pod_security: bool, privileged: bool| {
        let mut object = deployment(json!({"rich.pouch/mode": mode}), json!({}));
        if privileged {
            object["spec"]["template"]["spec"]["containers"][0]["securityContext"] =
                json!({"privileged": true});
        }
        let namespace = Namespace::of([("pod-security.kubernetes.io/enforce", level)]);
        let known = Known { namespace, ..Known::default() };
        let settings = Settings { pod_security, ..settings() };
        let target = target("apps", "Deployment");
        inject::judge(target, &object.to_string(), None, &settings, &known).unwrap()
    };
    for level in ["baseline", "restricted"] {
        let refused = judge("systemd", level, true, false);
        assert_eq!(codes(&refused), ["pod-security"]);
        let field = "spec.template.spec.containers[0].securityContext.privileged";
        assert_eq!(refused.violations[0].field, field);
        assert!(refused.violations[0].to_string().contains(level));
        // What is not ours is not for us to judge.
        assert_eq!(codes(&judge("systemd", level, true, true)), [""; 0]);
        assert_eq!(codes(&judge("dumb-init", level, true, false)), [""; 0]);
        assert_eq!(codes(&judge("systemd", level, false, false)), [""; 0]);
    }
    assert_eq!(codes(&judge("systemd", "privileged", true, false)), [""; 0]);
}

#[test]
fn a_warning_is_one_line_whatever_is_in_the_names() {
    let container = json!({"name": "a\nb", "image": "i", "command": ["c"]});
    let deployment = json!({
        "metadata": {"annotations": {"rich.pouch/mode": "systemd", "rich.pouch/\n": ""}},
        "spec": {"template": {"spec": {"containers": [container]}}},
    });
    for old in [None, Some(&deployment)] {
        let outcome = judge(&deployment, old);
        assert!(!outcome.warnings.is_empty());
        assert!(outcome.warnings.iter().all(|it| !it.contains('\n')), "{:?}", outcome.warnings);
    }
    let pod = json!({"metadata": {"annotations": {"rich.pouch/mode": "systemd"}},
                     "spec": {"containers": [container]}});
    assert_eq!(
        judge_kind("", "Pod", &pod, None).warnings,
        [r#"rich.pouch/mode systemd makes container "a\nb" privileged"#]
    );
}
