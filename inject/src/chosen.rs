//! Which containers of a pod become rich: of those that its creator wrote.
//!
//! Another webhook may add a container before or after us, and put it first. It is nobody's wish
//! that it becomes rich, and privileged with it, unless `rich.pouch/containers` names it. The API
//! server says in `metadata.managedFields` what the request for the object wrote, before it asks
//! the first webhook, and attributes nothing to webhooks (`createHandler` of
//! k8s.io/apiserver/pkg/endpoints/handlers/create.go, and the same for patches).

use std::collections::{BTreeSet, HashMap};

use contract::{Containers, Key, Rich, Violation, Violations, limits, names, rules};
use serde_json::value::RawValue;

use crate::{
    check::annotation,
    known::Known,
    managed::named,
    program,
    view::{Container, Metadata, Pod},
};

/// What tells which containers the creator wrote.
#[derive(Clone, Copy)]
pub(crate) enum Creator<'a> {
    /// The object is as its creator wrote it.
    WroteAll,
    /// The managed fields of a pod.
    OfPod(Option<&'a RawValue>),
    /// The managed fields of a workload, and where in it the template is. Of a pod made of it, all
    /// containers are its creator's, which is a controller.
    OfTemplate(Option<&'a RawValue>, &'a str),
}

impl<'a> Creator<'a> {
    pub(crate) fn of_pod(metadata: &Metadata<'a>, known: &Known) -> Self {
        if known.as_written { Self::WroteAll } else { Self::OfPod(metadata.managed_fields) }
    }

    pub(crate) fn of_template(metadata: &Metadata<'a>, path: &'a str, known: &Known) -> Self {
        if known.as_written {
            return Self::WroteAll;
        }
        Self::OfTemplate(metadata.managed_fields, path)
    }

    /// The indices of the containers that the creator wrote, as far as that is known.
    fn wrote(self, containers: &[Container]) -> Option<Vec<usize>> {
        let (fields, template) = match self {
            Self::WroteAll => return Some((0..containers.len()).collect()),
            Self::OfPod(fields) => (fields, None),
            Self::OfTemplate(fields, template) => (fields, Some(template)),
        };
        let known = containers.iter().map(|it| &*it.name).collect();
        let named = named(fields?.get(), template, &known);
        let is_named = |index: &usize| named.known.contains(&*containers[*index].name);
        named.any.then(|| (0..containers.len()).filter(is_named).collect())
    }
}

/// The indices in `spec.containers` of the containers that become rich, and what stands against
/// the choice.
pub(crate) fn choose(pod: &Pod, rich: &Rich, creator: Creator<'_>) -> (Vec<usize>, Violations) {
    let mut violations = Violations::new();
    let mut chosen = match &rich.containers {
        Containers::Named(wanted) => find(pod, wanted, &mut violations),
        Containers::All | Containers::Default => written(pod, rich, creator).unwrap_or_else(|| {
            violations.push(|| cannot_be_told(pod));
            Vec::new()
        }),
    };
    let most = limits::RICH_CONTAINERS.most;
    if chosen.len() > most {
        violations.push(|| {
            rules::TOO_MANY_RICH
                .broken_at(&annotation(Key::Containers))
                .with("count", chosen.len())
                .with("most", most)
        });
        chosen.truncate(most);
    }
    if chosen.len() > 1 {
        is_short_enough(rich, chosen.len(), &mut violations);
    }
    (chosen, violations)
}

/// Each of several containers has the flags in its command.
fn is_short_enough(rich: &Rich, count: usize, violations: &mut Violations) {
    let bytes: usize = rich.flags().iter().map(String::len).sum();
    if bytes * count > limits::REPEATED {
        violations.push(|| {
            rules::REPEATED_TOO_OFTEN
                .broken_at("metadata.annotations")
                .with("bytes", bytes)
                .with("count", count)
                .with("most", limits::REPEATED)
        });
    }
}

/// What becomes rich where no container is named, as far as that can be told.
fn written(pod: &Pod, rich: &Rich, creator: Creator<'_>) -> Option<Vec<usize>> {
    let containers = &pod.spec.containers;
    let all = || (0..containers.len()).collect();
    if containers.len() < 2 {
        return Some(all());
    }
    let pick = |written: Vec<usize>| match rich.containers {
        Containers::All => written,
        _ => by_default(pod, written),
    };
    let chosen = match (creator.wrote(containers), creator) {
        (Some(written), Creator::OfTemplate(..)) => {
            Some(pick(written)).filter(|chosen| *chosen == pick(all()))
        }
        (None, Creator::OfTemplate(..)) => Some(pick(all())),
        (written, _) => written.map(pick),
    };
    chosen.filter(|chosen| !chosen.is_empty())
}

/// Of these: those that are rich already, else the one that the pod calls its default, else the
/// first.
fn by_default(pod: &Pod, written: Vec<usize>) -> Vec<usize> {
    let containers = &pod.spec.containers;
    let is_rich = |index: &usize| program::is_launched(&containers[*index]);
    let (rich, plain): (Vec<usize>, Vec<usize>) = written.into_iter().partition(is_rich);
    if !rich.is_empty() {
        return rich;
    }
    let default = pod.annotation(names::DEFAULT_CONTAINER);
    let named = plain.iter().find(|index| default == Some(&*containers[**index].name));
    named.or(plain.first()).copied().into_iter().collect()
}

fn cannot_be_told(pod: &Pod) -> Violation {
    let names = pod.spec.containers.iter().map(|it| &*it.name);
    rules::WHICH_CONTAINER.broken_at("spec.containers").with_names("known", names)
}

/// The containers with these names; a violation for each that the pod lacks.
fn find(pod: &Pod, wanted: &BTreeSet<String>, violations: &mut Violations) -> Vec<usize> {
    let names = pod.spec.containers.iter().map(|it| &*it.name);
    // Of two with one name, the first.
    let known: HashMap<&str, usize> =
        names.clone().enumerate().map(|(index, name)| (name, index)).rev().collect();
    let mut chosen = Vec::new();
    for name in wanted {
        match known.get(&**name) {
            Some(index) => chosen.push(*index),
            None => violations.push(|| {
                rules::UNKNOWN_CONTAINER
                    .broken_at(&annotation(Key::Containers))
                    .with("value", name)
                    .with_names("known", names.clone())
            }),
        }
    }
    chosen.sort_unstable();
    chosen
}
