//! From a request to a verdict.

use contract::{Listed, rules, shown};
use inject::{Known, Outcome, Settings, Target};
use serde_json::value::RawValue;

use super::{
    review::{Request, metadata},
    verdict::{Decision, Unreadable, Verdict},
};

/// Says how an object is to be changed.
#[must_use]
pub fn mutate(request: &Request<'_>, settings: &Settings, known: &Known) -> Verdict {
    evaluate(request, settings, known, |_, outcome| {
        if !outcome.violations.is_empty() {
            Decision::Deny(outcome.violations)
        } else if outcome.patch.is_empty() {
            Decision::Allow
        } else {
            Decision::Patch(outcome.patch)
        }
    })
}

/// Says whether an object may be written in the state in which every mutating webhook left it.
#[must_use]
pub fn validate(request: &Request<'_>, settings: &Settings, known: &Known) -> Verdict {
    evaluate(request, settings, known, |target, mut outcome| {
        // A rich pod that is still to be changed would run without its init. A workload's pods
        // come by here themselves.
        if target == Target::Pod
            && outcome.violations.is_empty()
            && let Some(path) = outcome.patch.first_path()
        {
            outcome.violations.push(|| rules::NOT_INJECTED.broken_at(&path));
        }
        if outcome.violations.is_empty() {
            Decision::Allow
        } else {
            Decision::Deny(outcome.violations)
        }
    })
}

fn evaluate(
    request: &Request<'_>,
    settings: &Settings,
    known: &Known,
    decide: impl FnOnce(Target<'_>, Outcome) -> Decision,
) -> Verdict {
    let update = request.operation == "UPDATE";
    let target = match &*request.sub_resource {
        "" if update || request.operation == "CREATE" => None,
        "ephemeralcontainers" if update => Some(Target::EphemeralContainers),
        _ => return Verdict::allow(),
    };
    let (target, mut outcome) = match (&request.new_pod, request.object) {
        (_, None) => return Unreadable::NoObject.into(),
        (Some(Ok(pod)), _) => (Target::Pod, pod.judge(settings, known)),
        (Some(Err(error)), _) => return Unreadable::from(error.clone()).into(),
        (None, Some(object)) => {
            // Nothing may keep a controller from taking off its finalizer.
            if update && target.is_none() {
                match metadata(object) {
                    Err(error) => return Unreadable::Metadata(error).into(),
                    Ok(metadata) if metadata.is_being_deleted() => return Verdict::allow(),
                    Ok(_) => {}
                }
            }
            let kind = &request.kind;
            let find = || Target::find(&kind.group, &kind.kind, settings);
            let Some(target) = target.or_else(find) else {
                let warnings = [no_effect_on(request)].into_iter().collect();
                return Verdict { warnings, ..Verdict::allow() };
            };
            let old = request.old_object.map(RawValue::get);
            match inject::judge(target, object.get(), old, settings, known) {
                Ok(outcome) => (target, outcome),
                Err(error) => return Unreadable::from(error).into(),
            }
        }
    };
    let warnings = std::mem::take(&mut outcome.warnings);
    if update && target == Target::Pod {
        return existing_pod(&outcome, warnings);
    }
    let lookup = std::mem::take(&mut outcome.lookup);
    let adds_privilege = !outcome.made_privileged.is_empty();
    Verdict { decision: decide(target, outcome), warnings, lookup, adds_privilege }
}

/// A pod's containers cannot change any more, and whoever labels or annotates a pod that was
/// there before the webhook must not be kept from it.
fn existing_pod(outcome: &Outcome, mut warnings: Listed<String>) -> Verdict {
    if !(outcome.patch.is_empty() && outcome.violations.is_empty()) {
        warnings.push(|| {
            "rich.pouch annotations have no effect on a pod that exists already: delete the pod \
             and create it again"
                .to_owned()
        });
    }
    Verdict { warnings, ..Verdict::allow() }
}

fn no_effect_on(request: &Request<'_>) -> String {
    // One line, whatever is sent.
    let (kind, name) = (shown(&request.kind.kind), shown(request.display_name()));
    format!(
        "{kind} {name}: rich.pouch annotations have no effect on a {kind}: write them on a Pod or \
         on a workload"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::{Envelope, response};
    use contract::limits;
    use serde_json::{Value, json};

    fn settings() -> Settings {
        serde_json::from_value(json!({"image": "registry.example/rich-pouch:1"})).unwrap()
    }

    fn review(request: &Value) -> Vec<u8> {
        let mut body = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request":
            {"uid": "1", "kind": {"group": "", "version": "v1", "kind": "Pod"},
             "name": "app", "operation": "CREATE"}});
        for (key, value) in request.as_object().unwrap() {
            body["request"][key] = value.clone();
        }
        body.to_string().into_bytes()
    }

    fn both(request: &Value) -> [Verdict; 2] {
        let body = review(request);
        let request = Envelope::read(&body).unwrap();
        let known = Known::default();
        [mutate(&request, &settings(), &known), validate(&request, &settings(), &known)]
    }

    fn broken_pod() -> Value {
        json!({"metadata": {"name": "app", "annotations": {"rich.pouch/initscript": "/a"}},
               "spec": {"containers": [{"name": "app", "image": "i", "command": ["a"]}]}})
    }

    fn rich_pod() -> Value {
        json!({"metadata": {"name": "app", "annotations": {"rich.pouch/mode": "dumb-init"}},
               "spec": {"containers": [{"name": "app", "image": "i", "command": ["a"]}]}})
    }

    #[test]
    fn a_broken_rule_denies_in_both() {
        for verdict in both(&json!({"object": broken_pod()})) {
            assert_eq!(verdict.decision.rules(), ["needs-rich"]);
        }
    }

    #[test]
    fn a_rich_pod_is_patched_and_is_refused_where_it_was_not() {
        let [mutated, validated] = both(&json!({"object": rich_pod()}));
        assert!(matches!(mutated.decision, Decision::Patch(_)), "{mutated:?}");
        assert_eq!(validated.decision.rules(), ["not-injected"]);
    }

    #[test]
    fn privilege_that_is_added_is_told_and_privilege_that_is_there_is_not() {
        let [dumb_init, _] = both(&json!({"object": rich_pod()}));
        assert!(!dumb_init.adds_privilege);
        let mut pod = rich_pod();
        pod["metadata"]["annotations"]["rich.pouch/mode"] = "systemd".into();
        let deployment = json!({"metadata": {"name": "app"}, "spec": {"template": pod}});
        let kind = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
        for request in [json!({"object": pod}), json!({"kind": kind, "object": deployment})] {
            assert!(both(&request).iter().all(|verdict| verdict.adds_privilege), "{request}");
        }
        pod["spec"]["containers"][0]["securityContext"] = json!({"privileged": true});
        let [said, _] = both(&json!({"object": pod}));
        assert!(!said.adds_privilege);
    }

    #[test]
    fn a_workload_is_judged_at_once() {
        let deployment = json!({"metadata": {"name": "app"}, "spec": {"template": broken_pod()}});
        let kind = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
        for verdict in both(&json!({"kind": kind, "object": deployment})) {
            assert_eq!(verdict.decision.rules(), ["needs-rich"]);
        }
    }

    #[test]
    fn what_is_not_written_as_a_whole_is_left_alone() {
        for request in [
            json!({"object": broken_pod(), "subResource": "status", "operation": "UPDATE"}),
            json!({"object": null, "oldObject": broken_pod(), "operation": "DELETE"}),
            json!({"object": {}, "operation": "CONNECT", "subResource": "exec"}),
        ] {
            for verdict in both(&request) {
                assert!(matches!(verdict.decision, Decision::Allow), "{verdict:?}");
                assert!(verdict.warnings.is_empty());
            }
        }
    }

    /// The request that adds an ephemeral container with this mount to a rich pod.
    fn debugging(pod: &Value, mount: &Value) -> Value {
        let mut debugged = pod.clone();
        debugged["spec"]["ephemeralContainers"] =
            json!([{"name": "debug", "image": "i", "volumeMounts": [mount]}]);
        json!({"object": debugged, "oldObject": pod, "operation": "UPDATE",
               "subResource": "ephemeralcontainers"})
    }

    #[test]
    fn an_ephemeral_container_may_read_the_binaries_and_not_write_them() {
        // What else is wrong with the pod was so before.
        for mut pod in [broken_pod(), rich_pod()] {
            pod["spec"]["volumes"] = json!([{"name": "rich-pouch", "emptyDir": {}}]);
            let mut mount = json!({"name": "rich-pouch", "mountPath": "/x"});
            for verdict in both(&debugging(&pod, &mount)) {
                assert_eq!(verdict.decision.rules(), ["binaries-writable"]);
            }
            mount["readOnly"] = true.into();
            for verdict in both(&debugging(&pod, &mount)) {
                assert!(matches!(verdict.decision, Decision::Allow), "{verdict:?}");
                assert!(verdict.warnings.is_empty(), "{verdict:?}");
            }
        }
    }

    #[test]
    fn an_object_that_waits_for_its_finalizers_is_left_alone() {
        let mut pod = broken_pod();
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        let kind = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
        let deployment = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"},
                                "spec": {"template": broken_pod()}});
        for request in [
            json!({"object": pod, "operation": "UPDATE"}),
            json!({"object": deployment, "kind": kind, "operation": "UPDATE"}),
        ] {
            for verdict in both(&request) {
                assert!(matches!(verdict.decision, Decision::Allow), "{verdict:?}");
            }
        }
    }

    #[test]
    fn a_copy_of_a_pod_that_was_being_deleted_is_a_new_pod() {
        let mut pod = rich_pod();
        pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        let [verdict, _] = both(&json!({"object": pod}));
        assert!(matches!(verdict.decision, Decision::Patch(_)), "{verdict:?}");
    }

    #[test]
    fn a_pod_that_exists_already_is_warned_about_only() {
        for object in [broken_pod(), rich_pod()] {
            for verdict in both(&json!({"object": object, "operation": "UPDATE"})) {
                assert!(matches!(verdict.decision, Decision::Allow), "{verdict:?}");
                assert!(verdict.warnings.iter().any(|it| it.contains("exists already")));
            }
        }
    }

    #[test]
    fn another_kind_gets_a_warning() {
        let kind = json!({"group": "", "version": "v1", "kind": "Service"});
        for verdict in both(&json!({"kind": kind, "object": {"metadata": {"name": "app"}}})) {
            assert!(matches!(verdict.decision, Decision::Allow));
            let [warning] = verdict.warnings.as_slice() else { panic!("{verdict:?}") };
            assert!(warning.starts_with("Service app: rich.pouch annotations have no"));
        }
        let kind = json!({"group": "", "version": "v1", "kind": "A\n\u{0}"});
        let [verdict, _] = both(&json!({"kind": kind, "object": {}, "name": "a\r"}));
        assert!(verdict.warnings.as_slice()[0].starts_with("A\\n\\0 a\\r: "), "{verdict:?}");
    }

    /// The answers to a review, and the lengths of what the log has of them.
    fn answers(request: &Value) -> Vec<(Value, usize)> {
        let body = review(request);
        let request = Envelope::read(&body).unwrap();
        let known = Known::default();
        let verdicts =
            [mutate(&request, &settings(), &known), validate(&request, &settings(), &known)];
        let answer = |verdict: &Verdict| {
            let bytes = response(&request.uid, verdict).unwrap();
            assert!(bytes.len() < 20_000, "{}", bytes.len());
            (serde_json::from_slice(&bytes).unwrap(), verdict.decision.rules().join(",").len())
        };
        verdicts.iter().map(answer).collect()
    }

    #[test]
    fn the_answer_is_short_whatever_is_wrong() {
        let keys: Value = (0..100_000).map(|it| (format!("rich.pouch/{it}"), "")).collect();
        let names = vec!["x"; 100_000].join(",");
        let names = json!({"rich.pouch/mode": "dumb-init", "rich.pouch/containers": names});
        let long = json!({"rich.pouch/mode": "m".repeat(1_000_000)});
        for (annotations, first, last) in [
            (keys, "100000 rules are broken:", "- and 99995 more"),
            (names, "metadata.annotations[rich.pouch/containers] asks for 100000 rich", "fewer"),
            (long, "rich.pouch/mode: not supported rich mode: mmm", "sbin-init"),
        ] {
            let mut pod = rich_pod();
            pod["metadata"]["annotations"] = annotations;
            let deployment = json!({"metadata": {"name": "app"}, "spec": {"template": pod}});
            let kind = json!({"group": "apps", "version": "v1", "kind": "Deployment"});
            for request in [json!({"object": pod}), json!({"kind": kind, "object": deployment})] {
                for (answer, logged) in answers(&request) {
                    let status = &answer["response"]["status"];
                    let message = status["message"].as_str().unwrap();
                    let message = message.strip_prefix("spec.template.").unwrap_or(message);
                    assert!(message.starts_with(first) && message.ends_with(last), "{message}");
                    assert!(
                        status["details"]["causes"].as_array().unwrap().len() <= limits::LISTED
                    );
                    assert!(logged < 30, "{logged}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_quoted_at_length() {
        let long = "\u{7f}".repeat(1_000_000);
        for object in
            [json!(&long), json!({"metadata": &long}), json!({"spec": {"hostPID": &long}})]
        {
            for (answer, _) in answers(&json!({"object": object})) {
                assert_eq!(answer["response"]["allowed"], false);
            }
        }
        let kind = json!({"group": "", "version": "v1", "kind": &long});
        let object = json!({"metadata": {"generateName": &long}});
        for (answer, _) in answers(&json!({"kind": kind, "object": object, "name": ""})) {
            assert_eq!(answer["response"]["allowed"], true);
        }
        let body = json!({"apiVersion": &long, "kind": &long}).to_string();
        assert!(Envelope::read(body.as_bytes()).unwrap_err().to_string().len() < 3000);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for request in [json!({}), json!({"object": 5}), json!({"object": {"spec": 5}})] {
            for verdict in both(&request) {
                assert!(matches!(verdict.decision, Decision::Unreadable(_)), "{verdict:?}");
            }
        }
    }
}
