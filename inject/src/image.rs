//! The images whose entrypoint must be known, and what has been found out about them.
//!
//! Whoever can ask a registry does so; here it is only said what to ask for.

use std::collections::BTreeMap;

use crate::view::{Pod, SelectorRequirement};

const ARCHITECTURE: &str = "kubernetes.io/arch";

/// What must be found out before an object can be judged for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// The images whose entrypoint decides.
    pub images: Vec<Image>,
    /// The Secrets that the pod gives for pulling them.
    pub pull_secrets: Vec<String>,
    /// The ServiceAccount whose pull secrets count where the pod gives none.
    pub service_account: Option<String>,
}

/// An image as a pod names it, on the nodes that the pod may come to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Image {
    /// Its name, as it stands in the pod.
    pub name: String,
    /// The architectures of those nodes.
    pub architectures: Architectures,
}

/// The architectures on which a pod may run: those that every requirement of any one term takes,
/// and all where there is no term.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Architectures(Vec<Vec<Requirement>>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Requirement {
    In(Vec<String>),
    NotIn(Vec<String>),
}

/// What an image runs where a pod does not say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entrypoint {
    /// What stands before the pod's `args`.
    pub entrypoint: Vec<String>,
    /// What stands in their place where there are none.
    pub cmd: Vec<String>,
}

/// What has been found out: the entrypoint of each image, or why it is not known.
pub type Entrypoints = BTreeMap<Image, Result<Entrypoint, String>>;

impl Lookup {
    /// What is to be found out for a pod that runs these images.
    pub(crate) fn new(pod: &Pod, mut images: Vec<Image>) -> Self {
        if images.is_empty() {
            return Self::default();
        }
        images.sort_unstable();
        images.dedup();
        let secrets = pod.spec.image_pull_secrets.iter().flatten();
        Self {
            images,
            pull_secrets: secrets.map(|secret| secret.name.to_string()).collect(),
            service_account: pod.spec.service_account_name.as_ref().map(ToString::to_string),
        }
    }

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }
}

impl Architectures {
    /// What the pod's node selector and its required node affinity leave.
    pub(crate) fn of(pod: &Pod) -> Self {
        let affinity = pod.spec.affinity.as_ref().and_then(|it| it.node_affinity.as_ref());
        let required = affinity.and_then(|it| it.required.as_ref());
        let mut terms: Vec<Vec<Requirement>> = required
            .into_iter()
            .flat_map(|selector| &selector.node_selector_terms)
            .map(|term| term.match_expressions.iter().filter_map(Requirement::read).collect())
            .collect();
        let selector = pod.spec.node_selector.as_ref().and_then(|labels| labels.get(ARCHITECTURE));
        if let Some(architecture) = selector {
            if terms.is_empty() {
                terms.push(Vec::new());
            }
            for term in &mut terms {
                term.push(Requirement::In(vec![architecture.to_string()]));
            }
        }
        Self(terms)
    }

    /// Whether the pod may come to a node of this architecture.
    #[must_use]
    pub fn include(&self, architecture: &str) -> bool {
        self.0.is_empty()
            || self
                .0
                .iter()
                .any(|term| term.iter().all(|requirement| requirement.takes(architecture)))
    }
}

impl Requirement {
    /// What an expression says of the architecture; where that is nothing, any will do.
    fn read(expression: &SelectorRequirement<'_>) -> Option<Self> {
        let values = || expression.values.iter().map(ToString::to_string).collect();
        if expression.key != ARCHITECTURE {
            return None;
        }
        match &*expression.operator {
            "In" => Some(Self::In(values())),
            "NotIn" => Some(Self::NotIn(values())),
            _ => None,
        }
    }

    fn takes(&self, architecture: &str) -> bool {
        match self {
            Self::In(values) => values.iter().any(|value| value == architecture),
            Self::NotIn(values) => values.iter().all(|value| value != architecture),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn included(spec: &Value) -> Vec<&'static str> {
        let text = json!({"spec": spec}).to_string();
        let pod: Pod<'_> = serde_json::from_str(&text).unwrap();
        let architectures = Architectures::of(&pod);
        ["amd64", "arm64", "s390x"].into_iter().filter(|it| architectures.include(it)).collect()
    }

    fn affinity(terms: &Value) -> Value {
        json!({"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}})
    }

    #[test]
    fn a_pod_runs_where_its_selector_and_its_affinity_let_it() {
        assert_eq!(included(&json!({})), ["amd64", "arm64", "s390x"]);
        assert_eq!(included(&json!({"nodeSelector": {"disk": "ssd"}})).len(), 3);
        let selector = json!({"kubernetes.io/arch": "arm64"});
        assert_eq!(included(&json!({"nodeSelector": selector})), ["arm64"]);
        let expression = |operator: &str, values: &[&str]| {
            json!({"matchExpressions": [
                {"key": "kubernetes.io/arch", "operator": operator, "values": values}]})
        };
        let not_arm = affinity(&json!([expression("NotIn", &["arm64"])]));
        assert_eq!(included(&json!({"affinity": not_arm})), ["amd64", "s390x"]);
        assert_eq!(included(&json!({"affinity": not_arm, "nodeSelector": selector})), [""; 0]);
        let either = affinity(&json!([expression("In", &["amd64"]), expression("In", &["s390x"])]));
        assert_eq!(included(&json!({"affinity": either})), ["amd64", "s390x"]);
        let another = json!([{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]);
        assert_eq!(included(&json!({"affinity": affinity(&another)})).len(), 3);
    }
}
