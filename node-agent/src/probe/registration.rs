//! Whether the webhook is registered for everything that it must see, and where it is reached.

use std::time::Duration;

use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{
        MutatingWebhook, RuleWithOperations, ValidatingWebhook, WebhookClientConfig,
    },
};

/// Which of the webhook's two paths a registration must lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    Mutate,
    Validate,
}

impl Path {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Mutate => "/mutate",
            Self::Validate => "/validate",
        }
    }

    /// What its registration must cover.
    fn covered(self) -> impl Iterator<Item = &'static Covered> {
        let validated = match self {
            Self::Mutate => &[][..],
            Self::Validate => VALIDATED,
        };
        COVERED.iter().chain(validated)
    }
}

/// API group, resource, operations.
type Covered = (&'static str, &'static str, &'static [&'static str]);

/// What must be covered by both registrations. A new kind is one row.
const COVERED: &[Covered] = &[
    ("", "pods", &["CREATE"]),
    ("", "podtemplates", &["CREATE", "UPDATE"]),
    ("", "replicationcontrollers", &["CREATE", "UPDATE"]),
    ("apps", "daemonsets", &["CREATE", "UPDATE"]),
    ("apps", "deployments", &["CREATE", "UPDATE"]),
    ("apps", "replicasets", &["CREATE", "UPDATE"]),
    ("apps", "statefulsets", &["CREATE", "UPDATE"]),
    ("batch", "cronjobs", &["CREATE", "UPDATE"]),
    ("batch", "jobs", &["CREATE", "UPDATE"]),
];
/// What only the validating one must cover.
const VALIDATED: &[Covered] = &[("", "pods/ephemeralcontainers", &["UPDATE"])];

/// What the API server does where a registration says nothing.
const DEFAULT_TIMEOUT: i32 = 10;
const DEFAULT_PORT: u16 = 443;

/// One webhook of a registration: the same for mutating and validating ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    name: &'a str,
    client: &'a WebhookClientConfig,
    failure_policy: Option<&'a str>,
    rules: &'a [RuleWithOperations],
    timeout_seconds: Option<i32>,
}

macro_rules! entry_from {
    ($webhook:ty) => {
        impl<'a> From<&'a $webhook> for Entry<'a> {
            fn from(webhook: &'a $webhook) -> Self {
                Self {
                    name: &webhook.name,
                    client: &webhook.client_config,
                    failure_policy: webhook.failure_policy.as_deref(),
                    rules: webhook.rules.as_deref().unwrap_or_default(),
                    timeout_seconds: webhook.timeout_seconds,
                }
            }
        }
    };
}
entry_from!(MutatingWebhook);
entry_from!(ValidatingWebhook);

/// Where the API server sends pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) path: Path,
    pub(super) service: String,
    pub(super) namespace: String,
    pub(super) port: u16,
    /// PEM.
    pub(super) ca: Vec<u8>,
    pub(super) timeout: Duration,
}

/// Checks that everything is covered by entries that can be reached and fail closed, and gives
/// where pods are sent; else everything that is wrong.
pub(super) fn check(entries: &[Entry<'_>], path: Path) -> Result<Target, Vec<String>> {
    let mut problems = Vec::new();
    let mut used: Vec<&Entry<'_>> = Vec::new();
    for (group, resource, operations) in path.covered() {
        for operation in *operations {
            let covers = |entry: &&Entry<'_>| {
                let covers = |rule| rule_covers(rule, group, resource, operation);
                entry.rules.iter().any(covers)
            };
            let before = used.len();
            used.extend(entries.iter().filter(covers));
            if used.len() == before {
                problems.push(format!("no entry covers {operation} of {resource}"));
            }
        }
    }
    let pods = used.first().copied();
    used.sort_by_key(|entry| entry.name);
    used.dedup_by_key(|entry| entry.name);
    for entry in used {
        entry.check(path, &mut problems);
    }
    match pods.and_then(|entry| entry.target(path)) {
        Some(target) if problems.is_empty() => Ok(target),
        _ => Err(problems),
    }
}

impl Entry<'_> {
    fn check(&self, path: Path, problems: &mut Vec<String>) {
        let name = self.name;
        if self.failure_policy.is_some_and(|policy| policy != "Fail") {
            problems.push(format!("{name} does not have failurePolicy Fail"));
        }
        if self.client.ca_bundle.as_ref().is_none_or(|ca| ca.0.is_empty()) {
            problems.push(format!("{name} has no caBundle"));
        }
        match &self.client.service {
            None => problems.push(format!("{name} does not lead to a Service")),
            Some(service) if service.path.as_deref() != Some(path.name()) => {
                problems.push(format!("{name} does not lead to {}", path.name()));
            }
            Some(_) => {}
        }
    }

    fn target(&self, path: Path) -> Option<Target> {
        let service = self.client.service.as_ref()?;
        let ByteString(ca) = self.client.ca_bundle.as_ref()?;
        let seconds = self.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT);
        Some(Target {
            path,
            service: service.name.clone(),
            namespace: service.namespace.clone(),
            port: service.port.and_then(|port| u16::try_from(port).ok()).unwrap_or(DEFAULT_PORT),
            ca: ca.clone(),
            timeout: Duration::from_secs(u64::try_from(seconds).unwrap_or(1).max(1)),
        })
    }
}

fn rule_covers(rule: &RuleWithOperations, group: &str, resource: &str, operation: &str) -> bool {
    let has = |values: &Option<Vec<String>>, covers: &dyn Fn(&str) -> bool| {
        values.iter().flatten().any(|value| covers(value))
    };
    let is = |wanted| move |value: &str| value == wanted || value == "*";
    has(&rule.api_groups, &is(group))
        && has(&rule.api_versions, &is("v1"))
        && has(&rule.operations, &is(operation))
        && has(&rule.resources, &|value| covers_resource(value, resource))
        && rule.scope.as_deref() != Some("Cluster")
}

/// `*` is every resource and no subresource, `pods/*` every subresource of pods, `*/*` everything
/// (`Matcher.resource` of k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules).
fn covers_resource(value: &str, resource: &str) -> bool {
    let (wanted, part) = resource.split_once('/').unwrap_or((resource, ""));
    let (has, has_part) = value.split_once('/').unwrap_or((value, ""));
    (has == wanted || has == "*") && (has_part == part || has_part == "*")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn rule(groups: &[&str], resources: &[&str], operations: &[&str]) -> Value {
        json!({"apiGroups": groups, "apiVersions": ["v1"], "resources": resources,
            "operations": operations, "scope": "Namespaced"})
    }

    fn entry(name: &str, rules: &[Value]) -> Value {
        json!({"name": name, "rules": rules, "failurePolicy": "Fail",
            "sideEffects": "None", "admissionReviewVersions": ["v1"], "timeoutSeconds": 5,
            "clientConfig": {"caBundle": "UEVN", "service":
                {"namespace": "system", "name": "hook", "port": 8443, "path": "/mutate"}}})
    }

    fn registered() -> Value {
        let both = &["CREATE", "UPDATE"];
        json!([
            entry("pods.rich.pouch", &[rule(&[""], &["pods"], &["CREATE"])]),
            entry(
                "workloads.rich.pouch",
                &[
                    rule(&[""], &["replicationcontrollers", "podtemplates"], both),
                    rule(
                        &["apps"],
                        &["deployments", "statefulsets", "daemonsets", "replicasets"],
                        both
                    ),
                    rule(&["batch"], &["jobs", "cronjobs"], both),
                ]
            )
        ])
    }

    fn checked(webhooks: &Value) -> Result<Target, Vec<String>> {
        let typed: Vec<MutatingWebhook> = serde_json::from_value(webhooks.clone()).unwrap();
        let entries: Vec<Entry<'_>> = typed.iter().map(Entry::from).collect();
        check(&entries, Path::Mutate)
    }

    fn problems(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut webhooks = registered();
        change(&mut webhooks);
        checked(&webhooks).unwrap_err()
    }

    #[test]
    fn a_complete_registration_gives_where_pods_are_sent() {
        let target = Target {
            path: Path::Mutate,
            service: "hook".to_owned(),
            namespace: "system".to_owned(),
            port: 8443,
            ca: b"PEM".to_vec(),
            timeout: Duration::from_secs(5),
        };
        assert_eq!(checked(&registered()), Ok(target));
    }

    #[test]
    fn what_a_registration_leaves_out_is_as_the_api_server_takes_it() {
        let mut webhooks = registered();
        let pods = webhooks[0].as_object_mut().unwrap();
        pods.remove("timeoutSeconds");
        pods.remove("failurePolicy");
        pods["clientConfig"]["service"].as_object_mut().unwrap().remove("port");
        let target = checked(&webhooks).unwrap();
        assert_eq!((target.port, target.timeout.as_secs()), (443, 10));
    }

    #[test]
    fn a_wildcard_covers_too() {
        let all = entry("all.rich.pouch", &[rule(&["*"], &["*/*"], &["*"])]);
        assert!(checked(&json!([all])).is_ok());
    }

    #[test]
    fn ephemeral_containers_are_covered_by_the_validating_registration() {
        let missing = "no entry covers UPDATE of pods/ephemeralcontainers";
        for (resource, covers) in [
            ("pods/ephemeralcontainers", true),
            ("pods/*", true),
            ("*/*", true),
            ("*", false),
            ("pods", false),
        ] {
            let mut webhooks = registered();
            let debug = entry("debug.rich.pouch", &[rule(&[""], &[resource], &["UPDATE"])]);
            webhooks.as_array_mut().unwrap().push(debug);
            for webhook in webhooks.as_array_mut().unwrap() {
                webhook["clientConfig"]["service"]["path"] = json!("/validate");
            }
            let typed: Vec<ValidatingWebhook> = serde_json::from_value(webhooks).unwrap();
            let entries: Vec<Entry<'_>> = typed.iter().map(Entry::from).collect();
            let problems = check(&entries, Path::Validate).err().unwrap_or_default();
            assert_eq!(problems, if covers { vec![] } else { vec![missing] }, "{resource}");
        }
    }

    #[test]
    fn an_entry_that_is_gone_is_told_by_what_it_covered() {
        assert_eq!(
            problems(|webhooks| drop(webhooks.as_array_mut().unwrap().remove(0))),
            ["no entry covers CREATE of pods"]
        );
        let without_jobs = problems(|webhooks| {
            webhooks[1]["rules"].as_array_mut().unwrap().pop();
        });
        assert_eq!(without_jobs.len(), 4, "{without_jobs:?}");
        assert_eq!(
            problems(|webhooks| webhooks[0]["rules"][0]["scope"] = json!("Cluster")),
            ["no entry covers CREATE of pods"]
        );
        assert_eq!(problems(|webhooks| *webhooks = json!([])).len(), 17);
    }

    #[test]
    fn an_entry_that_fails_open_or_leads_elsewhere_is_told_by_name() {
        assert_eq!(
            problems(|webhooks| webhooks[1]["failurePolicy"] = json!("Ignore")),
            ["workloads.rich.pouch does not have failurePolicy Fail"]
        );
        assert_eq!(
            problems(|webhooks| webhooks[1]["clientConfig"]["service"]["path"] = json!("/x")),
            ["workloads.rich.pouch does not lead to /mutate"]
        );
        assert_eq!(
            problems(|webhooks| webhooks[0]["clientConfig"] = json!({"url": "https://x"})),
            ["pods.rich.pouch has no caBundle", "pods.rich.pouch does not lead to a Service"]
        );
        assert_eq!(
            problems(|webhooks| webhooks[0]["clientConfig"]["caBundle"] = json!("")),
            ["pods.rich.pouch has no caBundle"]
        );
    }
}
