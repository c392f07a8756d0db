//! The ephemeral containers that are added to a rich pod (`pods/ephemeralcontainers`), such as by
//! `kubectl debug`.
//!
//! What else is wrong with the pod was there before, and keeps nobody from debugging it. That it
//! is rich is told by its volume, which stays: anybody who may annotate it can take its
//! annotations off.

use std::collections::BTreeSet;

use contract::names;

use crate::{Error, Outcome, Settings, mounts::Rules, view::Pod};

pub(crate) fn judge(
    object: &str,
    old: Option<&str>,
    settings: &Settings,
) -> Result<Outcome, Error> {
    let pod = Pod::read(object)?;
    let old = old.map(Pod::read).transpose()?;
    let mut outcome = Outcome::default();
    if pod.volumes().iter().all(|it| it.name != names::VOLUME) {
        return Ok(outcome);
    }
    let before: BTreeSet<&str> =
        old.iter().flat_map(Pod::ephemeral_containers).map(|it| &*it.name).collect();
    let rules = Rules::of(&pod, settings);
    for (index, container) in pod.ephemeral_containers().iter().enumerate() {
        if !before.contains(&*container.name) {
            let at = format_args!("spec.ephemeralContainers[{index}]");
            rules.check(container, false, at, &mut outcome.violations);
        }
    }
    Ok(outcome)
}
