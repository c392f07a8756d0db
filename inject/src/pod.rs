//! A pod: what is to be done with it.

use contract::{Key, Reading, Rich, names};
use serde::Serialize;

use crate::{
    Binaries, Error, Operation, Outcome, Settings, VERSION, check,
    image::Lookup,
    json::{Json, object},
    known::Known,
    launcher,
    operation::token,
    parts,
    program::Program,
    view::{Container, Pod},
};

const RUN: &str = "/run";

pub(crate) fn judge(object: &str, settings: &Settings, known: &Known) -> Result<Outcome, Error> {
    let pod: Pod<'_> = skim::from_str(object)
        .map_err(|source| Error::Unreadable { kind: "Pod".to_owned(), source })?;
    Ok(plan(&pod, settings, known))
}

/// What is to be done with a pod, or would be with a pod of this template.
pub(crate) fn plan(pod: &Pod, settings: &Settings, known: &Known) -> Outcome {
    let annotations = pod.metadata.annotations.iter().flatten();
    let Reading { rich, mut violations } =
        contract::read(annotations.map(|(name, value)| (&**name, &**value)));
    let Some(rich) = rich else {
        return Outcome { violations, ..Outcome::default() };
    };

    let (chosen, unknown) = check::choose(pod, &rich);
    violations.extend(unknown);
    let (broken, images) = check::check(pod, &rich, &chosen, settings, known);
    violations.extend(broken);
    if !violations.is_empty() {
        let lookup = Lookup::new(pod, images);
        return Outcome { violations, lookup, ..Outcome::default() };
    }
    let mut patch = Patch { pod, rich: &rich, settings, known, outcome: Outcome::default() };
    patch.whole(&chosen);
    patch.outcome
}

struct Patch<'a> {
    pod: &'a Pod<'a>,
    rich: &'a Rich,
    settings: &'a Settings,
    known: &'a Known,
    outcome: Outcome,
}

impl Patch<'_> {
    fn whole(&mut self, chosen: &[usize]) {
        let containers: Vec<(usize, &Container)> =
            chosen.iter().filter_map(|i| Some((*i, self.pod.spec.containers.get(*i)?))).collect();
        let Some((_, first)) = containers.first() else {
            return;
        };
        self.status(&containers);
        self.volumes(&containers);
        self.node();
        self.pull_secrets();
        self.init_container(first);
        for (index, container) in containers {
            self.container(index, container);
        }
    }

    fn status(&mut self, containers: &[(usize, &Container)]) {
        #[derive(Serialize)]
        struct Status<'a> {
            containers: Vec<&'a str>,
            version: &'a str,
        }
        let containers = containers.iter().map(|(_, it)| &*it.name).collect();
        let status = Status { containers, version: VERSION };
        // Strings can always be written as JSON.
        let status = serde_json::to_string(&status).unwrap_or_default();
        if self.pod.annotation(Key::Status.name()) != Some(&status) {
            // The pod has annotations: one of them asked for rich mode.
            self.add(["/metadata/annotations/", &token(Key::Status.name())].concat(), status);
        }
    }

    fn volumes(&mut self, containers: &[(usize, &Container)]) {
        let known = self.pod.volumes();
        let is_missing = |name: &str| known.iter().all(|volume| volume.name != *name);
        let binaries = known.iter().position(|volume| volume.name == names::VOLUME);
        let is_current = |index: usize| parts::is_current(&known[index], self.settings);
        let mut missing = Vec::new();
        match binaries {
            None => missing.push(parts::volume(self.settings)),
            Some(index) if is_current(index) => {}
            Some(index) => {
                let volume = parts::volume(self.settings);
                let path = format!("/spec/volumes/{index}");
                self.outcome.operations.push(Operation::replace(path, volume));
            }
        }
        let from_node = self.settings.binaries == Binaries::Node;
        self.outcome.adds_host_path = from_node && !binaries.is_some_and(is_current);
        if self.rich.mode.boots_the_image() {
            let without = containers.iter().filter(|(_, container)| needs_run(container));
            let names = without.map(|(_, container)| parts::run_volume_name(&container.name));
            missing.extend(names.filter(|name| is_missing(name)).map(parts::run_volume));
        }
        let is_there = self.pod.spec.volumes.is_some();
        self.append("/spec/volumes", is_there, missing);
    }

    /// What the kubelet may need for our image. Where the pod names none, its ServiceAccount's are
    /// in the pod already: that admission comes first.
    fn pull_secrets(&mut self) {
        if self.settings.binaries == Binaries::Node {
            return;
        }
        let known = self.pod.spec.image_pull_secrets.as_deref().unwrap_or_default();
        let wanted = self.settings.image_pull_secrets.iter();
        let missing = wanted.filter(|name| known.iter().all(|it| it.name != **name));
        let missing = missing.map(|name| object([("name", name.clone().into())])).collect();
        let is_there = self.pod.spec.image_pull_secrets.is_some();
        self.append("/spec/imagePullSecrets", is_there, missing);
    }

    /// Only where the node agent has been.
    fn node(&mut self) {
        let labels = self.pod.spec.node_selector.as_ref();
        let ready = labels.and_then(|labels| labels.get(names::NODE_READY));
        if self.settings.binaries != Binaries::Node || ready.is_some_and(|it| *it == VERSION) {
            return;
        }
        if labels.is_some() {
            self.add(format!("/spec/nodeSelector/{}", token(names::NODE_READY)), VERSION);
        } else {
            self.add(
                "/spec/nodeSelector".to_owned(),
                object([(names::NODE_READY, VERSION.into())]),
            );
        }
    }

    fn init_container(&mut self, first: &Container) {
        let known = self.pod.init_containers();
        let there = known.iter().position(|container| container.name == names::INIT_CONTAINER);
        if self.settings.binaries != Binaries::InitContainer {
            if let Some(index) = there {
                let path = format!("/spec/initContainers/{index}");
                self.outcome.operations.push(Operation::Remove { path });
            }
            return;
        }
        match there {
            // Left by an earlier version, in a manifest that was read from a cluster.
            Some(index) if known[index].image.as_deref() != Some(&*self.settings.image) => {
                let path = format!("/spec/initContainers/{index}/image");
                let image = self.settings.image.clone();
                self.outcome.operations.push(Operation::replace(path, image));
            }
            Some(_) => {}
            None => {
                let container = parts::init_container(self.settings, first);
                if self.pod.spec.init_containers.is_some() {
                    self.add("/spec/initContainers/0".to_owned(), container);
                } else {
                    self.add("/spec/initContainers".to_owned(), [container]);
                }
            }
        }
    }

    fn container(&mut self, index: usize, container: &Container) {
        let at = &format!("/spec/containers/{index}");
        self.command(at, container);
        self.env(at, container);
        if self.rich.is_privileged() && container.privileged() != Some(true) {
            self.privileged(at, container);
            self.outcome.made_privileged.push(index);
        }
        if self.rich.mode.boots_the_image() {
            self.pre_stop(at, container);
        }
        self.mounts(at, container);
    }

    fn command(&mut self, at: &str, container: &Container) {
        let Program::Known(program) = Program::of(self.pod, container, &self.known.entrypoints)
        else {
            return;
        };
        let grace = self.pod.spec.termination_grace_period_seconds;
        let command = launcher::command(self.rich, container, &program, grace);
        let path = [at, "/command"].concat();
        match &container.command {
            None => self.add(path, command),
            Some(words) if *words == command => {}
            Some(_) => self.outcome.operations.push(Operation::replace(path, command)),
        }
    }

    /// The variables that PouchContainer set. They say what the container is, so that a user's
    /// own of the same name, or one of an earlier pass with another mode, gives way.
    fn env(&mut self, at: &str, container: &Container) {
        let mut missing = Vec::new();
        for (name, value) in [(names::ENV_RICH, "true"), (names::ENV_MODE, self.rich.mode.name())] {
            let variable = object([("name", name.into()), ("value", value.into())]);
            let known = container.our_env().iter().filter(|(_, it)| it.name == name);
            let mut is_there = false;
            for (index, other) in known {
                is_there = true;
                if other.value.as_deref() != Some(value) {
                    let path = format!("{at}/env/{index}");
                    self.outcome.operations.push(Operation::replace(path, variable.clone()));
                }
            }
            if !is_there {
                missing.push(variable);
            }
        }
        self.append(&[at, "/env"].concat(), container.env.is_some(), missing);
    }

    fn privileged(&mut self, at: &str, container: &Container) {
        if container.security_context.is_some() {
            self.add([at, "/securityContext/privileged"].concat(), true);
        } else {
            self.add([at, "/securityContext"].concat(), object([("privileged", true.into())]));
        }
        let (mode, name) = (self.rich.mode.name(), &container.name);
        self.outcome.warnings.push(match self.rich.privileged {
            Some(_) => format!("rich.pouch/privileged makes container \"{name}\" privileged"),
            None => format!("rich.pouch/mode {mode} makes container \"{name}\" privileged"),
        });
    }

    fn pre_stop(&mut self, at: &str, container: &Container) {
        let Some(command) = launcher::stop_command(container) else {
            return;
        };
        let handler = object([("exec", object([("command", command.into())]))]);
        if container.lifecycle.is_some() {
            self.add([at, "/lifecycle/preStop"].concat(), handler);
        } else {
            self.add([at, "/lifecycle"].concat(), object([("preStop", handler)]));
        }
    }

    fn mounts(&mut self, at: &str, container: &Container) {
        let mut missing = Vec::new();
        if !container.mounts_at(names::MOUNT) {
            missing.push(object([
                ("name", names::VOLUME.into()),
                ("mountPath", names::MOUNT.into()),
                ("readOnly", true.into()),
            ]));
        }
        if self.rich.mode.boots_the_image() && !container.mounts_at(RUN) && needs_run(container) {
            let name = parts::run_volume_name(&container.name);
            missing.push(object([("name", name.into()), ("mountPath", RUN.into())]));
        }
        self.append(&[at, "/volumeMounts"].concat(), container.volume_mounts.is_some(), missing);
    }

    fn add(&mut self, path: String, value: impl Into<Json>) {
        self.outcome.operations.push(Operation::add(path, value));
    }

    /// Adds values at the end of a list that may not be there yet.
    fn append(&mut self, list: &str, is_there: bool, values: Vec<Json>) {
        if is_there {
            for value in values {
                self.add([list, "/-"].concat(), value);
            }
        } else if !values.is_empty() {
            self.add(list.to_owned(), values);
        }
    }
}

/// Whether /run is ours to bring: the user mounts nothing there (/var/run is a link to it).
fn needs_run(container: &Container) -> bool {
    let ours = parts::run_volume_name(&container.name);
    container
        .mounts()
        .iter()
        .all(|mount| mount.name == ours || !matches!(mount.path(), RUN | "/var/run"))
}
