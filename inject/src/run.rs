//! /run of a container whose init boots the image: its own, a volume of ours unless it has one.

use std::collections::HashMap;

use contract::{Rich, Violations, rules};

use crate::{
    parts,
    view::{Container, Pod, Volume, VolumeMount},
};

pub(crate) const RUN: &str = "/run";
/// In most images a link to [`RUN`].
const VAR_RUN: &str = "/var/run";

fn is_at_run(mount: &VolumeMount) -> bool {
    matches!(&*mount.path, RUN | VAR_RUN)
}

/// Whether /run is ours to bring: the user mounts nothing there.
pub(crate) fn is_ours(container: &Container) -> bool {
    let is_ours = |name: &str| *name == parts::run_volume_name(&container.name);
    container.mounts().iter().all(|mount| !is_at_run(mount) || is_ours(&mount.name))
}

/// What a user mounts at /run of a rich container must be an emptyDir that no other container
/// mounts. The init removes what is there at its next start, and two inits remove each other's
/// files; in a folder of the node it would remove the node's.
pub(crate) fn check(pod: &Pod, rich: &Rich, chosen: &[usize], violations: &mut Violations) {
    let containers = chosen.iter().filter_map(|i| Some((*i, pod.spec.containers.get(*i)?)));
    let mut users = None;
    for (index, container) in containers.filter(|(_, it)| !is_ours(it)) {
        for (at, mount) in container.mounts().iter().enumerate().filter(|(_, it)| is_at_run(it)) {
            let users = users.get_or_insert_with(|| Users::of(pod));
            let Some(wrong) = users.wrong_with(mount) else {
                continue;
            };
            violations.push(|| {
                let field = format!("spec.containers[{index}].volumeMounts[{at}]");
                let value = format_args!("{} ({wrong})", mount.name);
                let broken = rules::RUN_SHARED.broken_at(&field).with("value", value);
                broken.with("mode", rich.mode.name())
            });
        }
    }
}

/// The volumes of a pod by name, each with how many containers mount it and the last of them.
struct Users<'a>(HashMap<&'a str, (&'a Volume<'a>, usize, usize)>);

impl<'a> Users<'a> {
    fn of(pod: &'a Pod<'a>) -> Self {
        let volumes = pod.volumes().iter();
        let mut volumes: HashMap<&str, _> =
            volumes.map(|volume| (&*volume.name, (volume, 0, usize::MAX))).collect();
        let lists = pod.containers_by_list().into_iter();
        let containers = lists.flat_map(|(_, containers)| containers).enumerate();
        for (number, mount) in
            containers.flat_map(|(n, it)| it.mounts().iter().map(move |m| (n, m)))
        {
            if let Some((_, users, last)) = volumes.get_mut(&*mount.name)
                && *last != number
            {
                *users += 1;
                *last = number;
            }
        }
        Self(volumes)
    }

    /// What stands against a volume at /run. One that the pod lacks is refused by the API server.
    fn wrong_with(&self, mount: &VolumeMount) -> Option<&'static str> {
        let (volume, users, _) = self.0.get(&*mount.name)?;
        if volume.empty_dir.is_none() {
            return Some("no emptyDir");
        }
        (*users > 1).then_some("another container mounts it")
    }
}
