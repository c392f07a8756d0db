//! The names and paths that the injection takes for itself, and the binaries that no container may
//! write.

use std::{collections::BTreeSet, fmt::Arguments};

use contract::{Violation, Violations, names, rules};

use crate::{
    Binaries, Settings, parts, path,
    view::{Container, Pod, VolumeMount},
};

/// Our names and paths must be free, or ours already, and the binaries are read only.
pub(crate) fn check(pod: &Pod, settings: &Settings, violations: &mut Violations) {
    for (index, volume) in pod.volumes().iter().enumerate() {
        let is_reserved =
            volume.name == names::VOLUME || volume.name.starts_with(names::VOLUME_PREFIX);
        if is_reserved && !parts::is_our_volume(volume, settings) {
            violations
                .push(|| taken(format_args!("spec.volumes[{index}].name"), "name", &volume.name));
        }
    }
    let rules = Rules::of(pod, settings);
    for (list, containers) in pod.containers_by_list() {
        let is_init = list == "initContainers";
        for (index, container) in containers.iter().enumerate() {
            let at = format_args!("spec.{list}[{index}]");
            let is_ours = is_init && parts::is_our_init_container(container);
            if is_init && container.name == names::INIT_CONTAINER && !is_ours {
                violations.push(|| taken(format_args!("{at}.name"), "name", &container.name));
            }
            // It is taken out where the binaries do not come from it.
            rules.check(container, is_ours, at, violations);
        }
    }
}

/// What no container of the user's may do in this pod.
pub(crate) struct Rules<'a> {
    /// The volumes by which the node's folder of binaries could be written, by their names.
    over_binaries: BTreeSet<&'a str>,
}

impl<'a> Rules<'a> {
    pub(crate) fn of(pod: &'a Pod<'_>, settings: &Settings) -> Self {
        if settings.binaries != Binaries::Node {
            return Self { over_binaries: BTreeSet::new() };
        }
        let folder = path::clean(&settings.node_folder);
        let is_over = |host: &str| {
            let host = path::clean(host);
            path::is_within(&host, &folder) || path::is_within(&folder, &host)
        };
        let volumes = pod.volumes().iter();
        let over = volumes.filter(|it| it.host_path.as_ref().is_some_and(|it| is_over(&it.path)));
        Self { over_binaries: over.map(|volume| &*volume.name).collect() }
    }

    /// Checks a container, which is at `at`; the one that installs the binaries may write them.
    pub(crate) fn check(
        &self,
        container: &Container,
        installs: bool,
        at: Arguments<'_>,
        violations: &mut Violations,
    ) {
        for (index, mount) in container.mounts().iter().enumerate() {
            let at = format_args!("{at}.volumeMounts[{index}]");
            if mount.name != names::VOLUME && is_reserved(&mount.path) {
                violations.push(|| taken(format_args!("{at}.mountPath"), "path", &mount.path));
            }
            if mount.name.starts_with(names::VOLUME_PREFIX)
                && mount.name != parts::run_volume_name(&container.name)
            {
                violations.push(|| taken(format_args!("{at}.name"), "name", &mount.name));
            }
            if !installs && self.has_binaries(mount) && mount.may_write() {
                violations.push(|| {
                    let broken = rules::BINARIES_WRITABLE.broken_at(&at.to_string());
                    broken.with("value", format_args!("the volume {}", mount.name))
                });
            }
        }
        let log = container.termination_message_path.as_ref();
        if let Some(log) = log.filter(|log| is_reserved(log)) {
            violations.push(|| taken(format_args!("{at}.terminationMessagePath"), "path", log));
        }
        for (index, device) in container.volume_devices.iter().flatten().enumerate() {
            if is_reserved(&device.path) {
                violations.push(|| {
                    let field = format_args!("{at}.volumeDevices[{index}].devicePath");
                    taken(field, "path", &device.path)
                });
            }
        }
    }

    fn has_binaries(&self, mount: &VolumeMount) -> bool {
        mount.name == names::VOLUME || self.over_binaries.contains(&*mount.name)
    }
}

fn is_reserved(path: &str) -> bool {
    path::is_within(path, names::MOUNT)
}

fn taken(field: Arguments<'_>, what: &str, value: &str) -> Violation {
    let broken = rules::RESERVED.broken_at(&field.to_string());
    broken.with("value", format_args!("the {what} {value}"))
}
