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
    view::Pod,
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
    const fn len(&self) -> usize {
        let (Self::In(values) | Self::NotIn(values)) = self;
        values.len()
    }

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
    match_expressions: Expressions,
}

/// What the expressions of a term say of the architecture, and how many there are.
#[derive(Debug, Default)]
struct Expressions {
    requirements: Term,
    count: usize,
}

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
        let mut terms: Vec<Term> = Vec::new();
        let mut takes_all = false;
        let (mut count, mut expressions, mut values) = (0, 0, 0);
        while let Some(term) = elements.next_element::<NodeSelectorTerm>()? {
            let Expressions { requirements, count: of_term } = term.match_expressions;
            count += 1;
            expressions += of_term;
            values += requirements.iter().map(Requirement::len).sum::<usize>();
            for (count, limit) in [
                (count, &limits::TERMS),
                (expressions, &limits::EXPRESSIONS),
                (values, &limits::ARCHITECTURES),
            ] {
                if count > limit.most {
                    return Err(too_long(limit));
                }
            }
            takes_all |= requirements.is_empty();
            terms.push(requirements);
        }
        Ok(Terms(if takes_all { Vec::new() } else { terms }))
    }
}

impl<'de> Deserialize<'de> for Expressions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut expressions = Self::default();
        let mut read = Ok(());
        list::each(deserializer, &limits::EXPRESSIONS, |expression: Expression<'_>| {
            expressions.count += 1;
            if read.is_ok() {
                read = expression.read().map(|it| expressions.requirements.extend(it));
            }
        })?;
        read.map(|()| expressions)
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
    fn no_more_is_read_of_an_affinity_than_its_limits_let() {
        let values: Vec<String> = (0..65).map(|it| format!("a{it}")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let one = expression("In", &["arm64"]);
        let zone = json!({"key": "zone", "operator": "Exists"});
        let two = expression("In", &["arm64", "amd64"]);
        for (terms, said) in [
            (
                json!([{"matchExpressions": [expression("In", &values)]}]),
                "64 values of kubernetes.io/arch",
            ),
            (json!([{"matchExpressions": vec![&one; 65]}]), "64 values of kubernetes.io/arch"),
            (
                json!(vec![json!({"matchExpressions": [two]}); 33]),
                "64 values of kubernetes.io/arch",
            ),
            (json!(vec![json!({}); 65]), "64 nodeSelectorTerms"),
            (json!([{"matchExpressions": vec![&zone; 129]}]), "128 matchExpressions"),
            (json!(vec![json!({"matchExpressions": vec![&zone; 65]}); 2]), "128 matchExpressions"),
        ] {
            let error = read(&json!({"affinity": affinity(&terms)})).unwrap_err();
            assert!(error.contains(&format!("it has more than {said}, which")), "{said}: {error}");
        }
        let terms = vec![json!({"matchExpressions": vec![zone; 2]}); 64];
        assert_eq!(included(&json!({"affinity": affinity(&json!(terms))})).len(), 3);
    }

    #[test]
    fn what_does_not_speak_of_architectures_may_have_many_values() {
        let zone = json!({"key": "zone", "operator": "In", "values": vec!["a"; 10_000]});
        let terms = vec![json!({"matchExpressions": vec![zone; 4]}); 4];
        assert_eq!(included(&json!({"affinity": affinity(&json!(terms))})).len(), 3);
    }
}
