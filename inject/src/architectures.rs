//! The architectures of the nodes that a pod may come to.

use std::{fmt, sync::Arc};

use contract::limits;
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{
    list::{self, too_long},
    object::objects,
    text::Text,
    view::{Pod, null_as_default},
};

const ARCHITECTURE: &str = "kubernetes.io/arch";

/// The architectures on which a pod may run: those that every requirement of any one term takes,
/// and all where there is no term.
///
/// A copy shares them: every image of a pod is asked for with the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Architectures(Arc<Vec<Term>>);

/// What one term says of the architecture, which is never nothing.
type Term = Vec<Requirement>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Requirement {
    In(Vec<String>),
    NotIn(Vec<String>),
}

impl Architectures {
    /// What the pod's node selector and its required node affinity leave.
    pub(crate) fn of(pod: &Pod) -> Self {
        let affinity = pod.spec.affinity.as_ref().and_then(|it| it.node_affinity.as_ref());
        let required = affinity.and_then(|it| it.required.as_ref());
        let mut terms = required.map(|it| it.node_selector_terms.0.clone()).unwrap_or_default();
        let selector = pod.spec.node_selector.as_ref().and_then(|it| it.architecture.as_ref());
        if let Some(architecture) = selector {
            if terms.is_empty() {
                terms.push(Vec::new());
            }
            for term in &mut terms {
                term.push(Requirement::In(vec![architecture.to_string()]));
            }
        }
        Self(Arc::new(terms))
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
    fn takes(&self, architecture: &str) -> bool {
        match self {
            Self::In(values) => values.iter().any(|value| value == architecture),
            Self::NotIn(values) => values.iter().all(|value| value != architecture),
        }
    }
}

/// The terms of a node selector, read for what they say of the architecture: nothing at all where
/// there is one that takes every architecture.
#[derive(Debug, Default)]
pub(crate) struct Terms(Vec<Term>);

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
struct NodeSelectorTerm {
    #[serde(deserialize_with = "null_as_default")]
    match_expressions: Expressions,
}

/// What the expressions of a term say of the architecture.
#[derive(Debug, Default)]
struct Expressions(Term);

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default, bound(deserialize = "'de: 'a"))]
struct Expression<'a> {
    key: Text<'a>,
    operator: Text<'a>,
    #[serde(borrow)]
    values: Option<&'a RawValue>,
}

objects! { NodeSelectorTerm, Expression<'a> }

/// The values of an expression about the architecture.
#[derive(Deserialize)]
#[serde(transparent, bound(deserialize = "'de: 'a"))]
struct Values<'a>(#[serde(deserialize_with = "list::architectures")] Option<Vec<Text<'a>>>);

impl Expression<'_> {
    /// What it says of the architecture, if it does.
    fn read<E: Error>(&self) -> Result<Option<Requirement>, E> {
        let requirement = match &*self.operator {
            "In" => Requirement::In,
            "NotIn" => Requirement::NotIn,
            _ => return Ok(None),
        };
        if self.key != ARCHITECTURE {
            return Ok(None);
        }
        let text = self.values.map_or("null", RawValue::get);
        let Values(values) = skim::from_str(text).map_err(E::custom)?;
        let mut values: Vec<String> = values.iter().flatten().map(ToString::to_string).collect();
        values.sort_unstable();
        values.dedup();
        Ok(Some(requirement(values)))
    }
}

impl<'de> Deserialize<'de> for Terms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(TermsReader)
    }
}

struct TermsReader;

impl<'de> Visitor<'de> for TermsReader {
    type Value = Terms;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Terms, A::Error> {
        let mut terms = Vec::new();
        let mut count = 0;
        let mut takes_all = false;
        while let Some(term) = elements.next_element::<NodeSelectorTerm>()? {
            let Expressions(term) = term.match_expressions;
            takes_all |= term.is_empty();
            count += term.len();
            if count > limits::REQUIREMENTS.most {
                return Err(too_long(count, &limits::REQUIREMENTS));
            }
            terms.push(term);
            if takes_all {
                terms = Vec::new();
            }
        }
        Ok(Terms(terms))
    }
}

impl<'de> Deserialize<'de> for Expressions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ExpressionsReader)
    }
}

struct ExpressionsReader;

impl<'de> Visitor<'de> for ExpressionsReader {
    type Value = Expressions;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Expressions, A::Error> {
        let mut requirements = Vec::new();
        while let Some(expression) = elements.next_element::<Expression<'de>>()? {
            requirements.extend(expression.read::<A::Error>()?);
            if requirements.len() > limits::REQUIREMENTS.most {
                return Err(too_long(requirements.len(), &limits::REQUIREMENTS));
            }
        }
        Ok(Expressions(requirements))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(spec: &Value) -> Result<Vec<&'static str>, String> {
        let text = json!({"spec": spec}).to_string();
        let pod: Pod<'_> = skim::from_str(&text).map_err(|error| error.to_string())?;
        let architectures = Architectures::of(&pod);
        let all = ["amd64", "arm64", "s390x"];
        Ok(all.into_iter().filter(|it| architectures.include(it)).collect())
    }

    fn included(spec: &Value) -> Vec<&'static str> {
        read(spec).unwrap()
    }

    fn affinity(terms: &Value) -> Value {
        json!({"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}})
    }

    fn expression(operator: &str, values: &[&str]) -> Value {
        json!({"key": "kubernetes.io/arch", "operator": operator, "values": values})
    }

    #[test]
    fn a_pod_runs_where_its_selector_and_its_affinity_let_it() {
        assert_eq!(included(&json!({})), ["amd64", "arm64", "s390x"]);
        assert_eq!(included(&json!({"nodeSelector": {"disk": "ssd"}})).len(), 3);
        let selector = json!({"kubernetes.io/arch": "arm64"});
        assert_eq!(included(&json!({"nodeSelector": selector})), ["arm64"]);
        let term = |operator: &str, values: &[&str]| json!({"matchExpressions": [expression(operator, values)]});
        let not_arm = affinity(&json!([term("NotIn", &["arm64"])]));
        assert_eq!(included(&json!({"affinity": not_arm})), ["amd64", "s390x"]);
        assert_eq!(included(&json!({"affinity": not_arm, "nodeSelector": selector})), [""; 0]);
        let either = affinity(&json!([term("In", &["amd64"]), term("In", &["s390x"])]));
        assert_eq!(included(&json!({"affinity": either})), ["amd64", "s390x"]);
        let another = json!([{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}]);
        assert_eq!(included(&json!({"affinity": affinity(&another)})).len(), 3);
        for all in [json!({}), json!({"matchExpressions": null})] {
            let all = affinity(&json!([term("In", &["amd64"]), all, term("In", &["arm64"])]));
            assert_eq!(included(&json!({"affinity": all})).len(), 3);
        }
        assert_eq!(included(&json!({"affinity": affinity(&Value::Null)})).len(), 3);
    }

    #[test]
    fn no_more_is_kept_of_an_affinity_than_there_are_architectures() {
        let values: Vec<String> = (0..6000).map(|it| format!("a{it}")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let many = expression("In", &values);
        let error = read(&json!({"affinity": affinity(&json!([{"matchExpressions": [many]}]))}));
        let error = error.unwrap_err();
        assert!(error.contains("it has 6000 values of kubernetes.io/arch, and no more"), "{error}");
        let one = expression("In", &["arm64"]);
        for terms in [
            json!([{"matchExpressions": vec![&one; 33]}]),
            json!(vec![json!({"matchExpressions": [one]}); 33]),
        ] {
            let error = read(&json!({"affinity": affinity(&terms)})).unwrap_err();
            assert!(error.contains("it has 33 expressions about kubernetes.io/arch"), "{error}");
        }
    }

    #[test]
    fn what_does_not_speak_of_architectures_may_be_as_long_as_it_likes() {
        let zone = json!({"key": "zone", "operator": "In", "values": vec!["a"; 1000]});
        let terms = vec![json!({"matchExpressions": vec![zone; 40]}); 40];
        assert_eq!(included(&json!({"affinity": affinity(&json!(terms))})).len(), 3);
    }
}
