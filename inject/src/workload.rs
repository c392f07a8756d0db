//! The kinds that have a pod template, and what is done with them: our annotations are carried
//! into the template, and what a pod of it would be refused for is refused at once.

use std::{borrow::Cow, mem};

use contract::{Violations, rules, shown_names};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::{
    Error, Outcome, Settings,
    annotations::Annotations,
    chosen::Creator,
    json::Json::{Map, Object, Text},
    known::{Known, Level},
    patch::token,
    pod,
    view::{Metadata, Pod},
};

/// A kind of object that has a pod template.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// Its API group, `apps`; empty for the core group.
    pub group: Cow<'static, str>,
    /// Its kind, `Deployment`.
    pub kind: Cow<'static, str>,
    /// The field with the pod template, `spec.template`.
    pub template: Cow<'static, str>,
    /// Whether the template may change once the object exists.
    #[serde(default = "yes")]
    pub mutable: bool,
}

const fn yes() -> bool {
    true
}

const fn workload(
    group: &'static str,
    kind: &'static str,
    template: &'static str,
    mutable: bool,
) -> Workload {
    let (group, kind) = (Cow::Borrowed(group), Cow::Borrowed(kind));
    Workload { group, kind, template: Cow::Borrowed(template), mutable }
}

/// Every such kind that Kubernetes itself has. A new kind is one row.
static KINDS: [Workload; 8] = [
    workload("apps", "Deployment", "spec.template", true),
    workload("apps", "StatefulSet", "spec.template", true),
    workload("apps", "DaemonSet", "spec.template", true),
    workload("apps", "ReplicaSet", "spec.template", true),
    workload("", "ReplicationController", "spec.template", true),
    workload("batch", "Job", "spec.template", false),
    workload("batch", "CronJob", "spec.jobTemplate.spec.template", true),
    workload("", "PodTemplate", "template", true),
];

/// Finds the kind, in Kubernetes itself or among the administrator's.
pub(crate) fn find<'a>(group: &str, kind: &str, settings: &'a Settings) -> Option<&'a Workload> {
    KINDS.iter().chain(&settings.workloads).find(|it| it.group == group && it.kind == kind)
}

pub(crate) fn judge(
    kind: &Workload,
    object: &str,
    old: Option<&str>,
    settings: &Settings,
    known: &Known,
) -> Result<Outcome, Error> {
    let old = old.map(|old| Parsed::read(kind, old)).transpose()?.flatten();
    let Some(mut new) = Parsed::read(kind, object)? else {
        let Workload { kind, template, .. } = kind;
        let warning = format!(
            "the {kind} has no pod template in {template}: rich.pouch annotations have no effect"
        );
        return Ok(Outcome { warnings: [warning].into_iter().collect(), ..Outcome::default() });
    };
    // What a controller owns is a copy of its owner: changed here, it would be made again and
    // again (a Deployment compares its template with that of its ReplicaSets).
    if new.metadata.controller.is_some() {
        return Ok(Outcome::default());
    }
    let mut outcome = Outcome::default();
    carry(kind, old.as_ref(), &mut new, &mut outcome);
    let mut plan = new.foresee(kind, settings, known);
    let violations = violations_of(&mut plan, settings, known);
    outcome.lookup = plan.lookup;
    outcome.made_privileged = plan.made_privileged;
    outcome.adds_host_path = plan.adds_host_path;
    outcome.warnings.append(plan.warnings);
    if !violations.is_empty() {
        let before = old.map_or_else(Violations::new, |old| {
            violations_of(&mut old.foresee(kind, settings, known), settings, known)
        });
        compare(kind, violations, &before, &mut outcome);
    }
    Ok(outcome)
}

/// An object that was there before the rule was must still be updated by its controllers: it is
/// refused for what it did not break before, and warned about the rest.
fn compare(kind: &Workload, now: Violations, before: &Violations, outcome: &mut Outcome) {
    let unlisted = now.unlisted();
    // Where they are so many that not all are listed, they are compared by their number: pods of
    // it will be refused all the same.
    let is_no_worse = unlisted > 0 && now.count() <= before.count();
    for violation in now {
        let was = unlisted == 0 && before.iter().any(|before| *before == violation);
        if was || is_no_worse {
            let warning = || format!("as before, no pod can be made of this: {violation}");
            outcome.warnings.push(warning);
        } else {
            outcome.violations.push(|| violation.under(&format!("{}.", kind.template)));
        }
    }
    if is_no_worse {
        outcome.warnings.push_unlisted(unlisted);
    } else {
        outcome.violations.push_unlisted(unlisted);
    }
}

/// What its pods will be refused for: by us, or by Pod Security because of us. What else Pod
/// Security has against them is not for us to judge.
fn violations_of(plan: &mut Outcome, settings: &Settings, known: &Known) -> Violations {
    let mut violations = mem::take(&mut plan.violations);
    if let Some(level @ (Level::Baseline | Level::Restricted)) = known.namespace.enforces
        && settings.pod_security
    {
        for index in &plan.made_privileged {
            violations.push(|| {
                let field = format!("spec.containers[{index}].securityContext.privileged");
                rules::POD_SECURITY.broken_at(&field).with("level", level.name())
            });
        }
        if plan.adds_host_path {
            violations.push(|| {
                let broken = rules::POD_SECURITY_HOST_PATH.broken_at("spec.volumes");
                broken.with("level", level.name())
            });
        }
    }
    violations
}

impl Workload {
    /// The JSON pointer to the template.
    fn pointer(&self) -> String {
        self.template.split('.').map(|name| ["/", &token(name)].concat()).collect()
    }
}

struct Parsed<'a> {
    metadata: Metadata<'a>,
    template: Pod<'a>,
    /// Whether the template has metadata at all.
    template_has_metadata: bool,
}

impl<'a> Parsed<'a> {
    /// Reads it; nothing where it has no template.
    fn read(kind: &Workload, json: &'a str) -> Result<Option<Self>, Error> {
        Self::parse(kind, json).map_err(|source| Error::unreadable(&kind.kind, source))
    }

    fn parse(kind: &Workload, json: &'a str) -> Result<Option<Self>, serde_json::Error> {
        let metadata = skim::member(json, "metadata")?.unwrap_or_default();
        let mut template = json;
        for name in kind.template.split('.') {
            match skim::member::<&RawValue>(template, name)? {
                Some(member) => template = member.get(),
                None => return Ok(None),
            }
        }
        if template == "null" {
            return Ok(None);
        }
        let metadata_of_template = skim::member::<Option<IgnoredAny>>(template, "metadata")?;
        Ok(Some(Self {
            metadata,
            template: skim::from_str(template)?,
            template_has_metadata: metadata_of_template.flatten().is_some(),
        }))
    }
}

impl Parsed<'_> {
    /// What is to be done with a pod of the template.
    fn foresee(&self, kind: &Workload, settings: &Settings, known: &Known) -> Outcome {
        let creator = Creator::of_template(&self.metadata, &kind.template, known);
        pod::foresee(&self.template, creator, settings, known)
    }
}

/// Carries our annotations from a workload into its template, in `new` and in the patch.
///
/// A key that the template itself has wins. One that was carried before, which is told by its
/// value being the one that the workload had, follows the workload's.
fn carry<'a>(
    kind: &Workload,
    old: Option<&Parsed<'a>>,
    new: &mut Parsed<'a>,
    outcome: &mut Outcome,
) {
    let before = old.and_then(|old| old.metadata.annotations.as_ref());
    let now = new.metadata.annotations.as_ref();
    let had_annotations = new.template.metadata.annotations.is_some();
    let current = new.template.metadata.annotations.take().unwrap_or_default();
    let mut wanted = current.clone();
    for (name, value) in now.into_iter().flat_map(Annotations::ours) {
        let own = wanted.get(name);
        if own.is_none() || own == before.and_then(|before| before.get(name)) {
            wanted.insert(name.clone(), value.clone());
        }
    }
    // They are none of ours, and the template is refused for them.
    wanted.unlisted += now.map_or(0, |now| now.unlisted);
    for (name, value) in before.into_iter().flat_map(Annotations::ours) {
        let kept = now.is_some_and(|now| now.contains(name));
        if !kept && wanted.get(name) == Some(value) {
            wanted.remove(name);
        }
    }
    let names = current.iter().chain(wanted.iter()).map(|(name, _)| &**name);
    let mut changed: Vec<&str> =
        names.filter(|name| current.get(name) != wanted.get(name)).collect();
    changed.sort_unstable();
    changed.dedup();
    if changed.is_empty() {
        new.template.metadata.annotations = had_annotations.then_some(wanted);
        return;
    }
    if old.is_some() && !kind.mutable {
        outcome.warnings.push(|| {
            format!(
                "{} has no effect on a {} that exists: its pod template cannot change any more",
                shown_names(changed.iter().copied()),
                kind.kind
            )
        });
        new.template.metadata.annotations = had_annotations.then_some(current);
        return;
    }
    let template = &kind.pointer();
    let patch = &mut outcome.patch;
    let all: Vec<_> = wanted.iter().map(|(name, value)| (&**name, Text(value))).collect();
    if !new.template_has_metadata {
        patch.add(&[template, "/metadata"], Object(&[("annotations", Map(&all))]));
    } else if !had_annotations {
        patch.add(&[template, "/metadata/annotations"], Map(&all));
    } else {
        for name in &changed {
            let place = [template, "/metadata/annotations/", &token(name)];
            match (wanted.get(name), current.contains(name)) {
                (None, _) => patch.remove(&place),
                (Some(value), true) => patch.replace(&place, Text(value)),
                (Some(value), false) => patch.add(&place, Text(value)),
            }
        }
    }
    let (carried, taken): (Vec<&str>, Vec<&str>) =
        changed.iter().partition(|name| wanted.contains(name));
    let carried_by = format!("carried from the {} into its pod template", kind.kind);
    let taken_by = format!("taken out of the pod template with the {}'s", kind.kind);
    for (names, deed) in [(carried, carried_by), (taken, taken_by)] {
        if !names.is_empty() {
            let is = if names.len() == 1 { "is" } else { "are" };
            outcome.warnings.push(|| format!("{} {is} {deed}", shown_names(names)));
        }
    }
    new.template.metadata.annotations = Some(wanted);
}
