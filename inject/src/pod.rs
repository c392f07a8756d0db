//! A pod: what is to be done with it.

use contract::{Key, Reading, Rich, names, shown};

use crate::{
    Binaries, Error, Outcome, Settings, VERSION, check,
    chosen::{self, Creator},
    image::Lookup,
    json::Json::{Bool, Fixed, List, Object, Text, Words},
    known::Known,
    launcher, parts,
    patch::token,
    program::{Program, Programs},
    run::{self, RUN},
    text,
    view::{Container, Pod},
};

/// Where the annotation of that name is, as a JSON pointer.
const STATUS: &str = "/metadata/annotations/rich.pouch~1status";

impl<'a> Pod<'a> {
    /// Reads a pod out of JSON text, which it borrows.
    ///
    /// # Errors
    /// [`Error::Unreadable`] if the text is not a pod.
    pub fn read(object: &'a str) -> Result<Self, Error> {
        skim::from_str(object).map_err(|source| Error::unreadable("Pod", source))
    }

    /// Judges a pod, as [`crate::judge`] does its text.
    #[must_use]
    pub fn judge(&self, settings: &Settings, known: &Known) -> Outcome {
        plan(self, Creator::of_pod(&self.metadata, known), settings, known)
    }
}

/// What is to be done with a pod, by who wrote it.
pub(crate) fn plan(pod: &Pod, creator: Creator<'_>, settings: &Settings, known: &Known) -> Outcome {
    let (outcome, rich) = examine(pod, creator, settings, known);
    let Some(RichPod { rich, chosen, programs }) = rich else {
        return outcome;
    };
    let flags = launcher::flags(&rich, pod.spec.termination_grace_period_seconds);
    let mut injection = Injection { pod, rich: &rich, flags, settings, programs, outcome };
    injection.whole(&chosen);
    injection.outcome
}

/// What would be done with a pod of this template, without the patch: the pods themselves come to
/// be changed, and a patch costs more than all the rest.
pub(crate) fn foresee(
    template: &Pod,
    creator: Creator<'_>,
    settings: &Settings,
    known: &Known,
) -> Outcome {
    examine(template, creator, settings, known).0
}

/// A pod that asks to be rich, and may be.
struct RichPod<'a> {
    rich: Rich,
    /// The containers that are rich, by their place in `spec.containers`.
    chosen: Vec<usize>,
    programs: Programs<'a>,
}

/// Judges a pod and says what the injection means for it; the patch is still to be made.
fn examine<'a>(
    pod: &'a Pod<'a>,
    creator: Creator<'_>,
    settings: &Settings,
    known: &'a Known,
) -> (Outcome, Option<RichPod<'a>>) {
    let Reading { rich, mut violations } = contract::read(pod.annotations());
    violations.push_unlisted(pod.metadata.annotations.as_ref().map_or(0, |it| it.unlisted));
    let Some(rich) = rich else {
        return (Outcome { violations, ..Outcome::default() }, None);
    };

    let (chosen, kept_from) = chosen::choose(pod, &rich, creator);
    violations.append(kept_from);
    let programs = Programs::new(pod, &known.entrypoints);
    let (broken, images) = check::check(pod, &rich, &chosen, settings, known, &programs);
    violations.append(broken);
    if !violations.is_empty() {
        let lookup = Lookup::new(pod, images);
        return (Outcome { violations, lookup, ..Outcome::default() }, None);
    }
    let mut outcome = Outcome::default();
    for index in chosen.iter().copied() {
        let container = pod.spec.containers.get(index);
        if let Some(container) = container.filter(|it| needs_privilege(it, &rich)) {
            outcome.made_privileged.push(index);
            outcome.warnings.push(|| made_privileged(container, &rich));
        }
    }
    let binaries = pod.volumes().iter().find(|volume| volume.name == names::VOLUME);
    outcome.adds_host_path = settings.binaries == Binaries::Node
        && !chosen.is_empty()
        && !binaries.is_some_and(|volume| parts::is_current(volume, settings));
    (outcome, Some(RichPod { rich, chosen, programs }))
}

fn needs_privilege(container: &Container, rich: &Rich) -> bool {
    rich.is_privileged() && container.privileged() != Some(true)
}

/// One line, whatever the name is: only after us the API server looks at it.
fn made_privileged(container: &Container, rich: &Rich) -> String {
    let (mode, name) = (rich.mode.name(), shown(&container.name));
    match rich.privileged {
        Some(_) => format!("rich.pouch/privileged makes container \"{name}\" privileged"),
        None => format!("rich.pouch/mode {mode} makes container \"{name}\" privileged"),
    }
}

struct Injection<'a> {
    pod: &'a Pod<'a>,
    rich: &'a Rich,
    flags: Vec<String>,
    settings: &'a Settings,
    programs: Programs<'a>,
    outcome: Outcome,
}

impl<'a> Injection<'a> {
    fn whole(&mut self, chosen: &[usize]) {
        let containers: Vec<(usize, &'a Container<'a>)> =
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
        let containers: Vec<_> = containers.iter().map(|(_, it)| Text(&it.name)).collect();
        let mut status = String::with_capacity(64);
        Object(&[("containers", List(&containers)), ("version", Fixed(VERSION))])
            .write(&mut status);
        if self.pod.annotation(Key::Status.name()) != Some(&status) {
            // The pod has annotations: one of them asked for rich mode.
            self.outcome.patch.add(&[STATUS], Text(&status));
        }
    }

    fn volumes(&mut self, containers: &[(usize, &Container)]) {
        let known = self.pod.volumes();
        let binaries = known.iter().position(|volume| volume.name == names::VOLUME);
        let is_current = |index: usize| parts::is_current(&known[index], self.settings);
        let patch = &mut self.outcome.patch;
        if let Some(index) = binaries.filter(|index| !is_current(*index)) {
            let place = ["/spec/volumes/", &index.to_string()];
            parts::volume(self.settings, |volume| patch.replace(&place, volume));
        }
        patch.append("/spec", "/volumes", self.pod.spec.volumes.is_some(), |list| {
            if binaries.is_none() {
                parts::volume(self.settings, |volume| list.push(volume));
            }
            if !self.rich.mode.boots_the_image() {
                return;
            }
            for (_, container) in containers.iter().filter(|(_, it)| run::is_ours(it)) {
                let name = parts::run_volume_name(&container.name);
                if known.iter().all(|volume| volume.name != name) {
                    parts::run_volume(&name, |volume| list.push(volume));
                }
            }
        });
    }

    /// What the kubelet may need for our image. Where the pod names none, its ServiceAccount's are
    /// in the pod already: that admission comes first.
    fn pull_secrets(&mut self) {
        if self.settings.binaries == Binaries::Node {
            return;
        }
        let known = self.pod.spec.image_pull_secrets.as_deref();
        self.outcome.patch.append("/spec", "/imagePullSecrets", known.is_some(), |list| {
            let is_there = |name: &str| known.unwrap_or_default().iter().any(|it| it.name == name);
            for name in self.settings.image_pull_secrets.iter().filter(|name| !is_there(name)) {
                list.push(Object(&[("name", Text(name))]));
            }
        });
    }

    /// Only where the node agent has been.
    fn node(&mut self) {
        let labels = self.pod.spec.node_selector.as_ref();
        let ready = labels.and_then(|labels| labels.ready.as_ref());
        if self.settings.binaries != Binaries::Node || ready.is_some_and(|it| *it == VERSION) {
            return;
        }
        let patch = &mut self.outcome.patch;
        if labels.is_some() {
            patch.add(&["/spec/nodeSelector/", &token(names::NODE_READY)], Fixed(VERSION));
        } else {
            patch.add(&["/spec/nodeSelector"], Object(&[(names::NODE_READY, Fixed(VERSION))]));
        }
    }

    fn init_container(&mut self, first: &Container) {
        let known = self.pod.init_containers();
        let there = known.iter().position(|container| container.name == names::INIT_CONTAINER);
        let patch = &mut self.outcome.patch;
        if self.settings.binaries != Binaries::InitContainer {
            if let Some(index) = there {
                patch.remove(&["/spec/initContainers/", &index.to_string()]);
            }
            return;
        }
        match there {
            // Left by an earlier version, in a manifest that was read from a cluster.
            Some(index) if known[index].image.as_deref() != Some(&*self.settings.image) => {
                let place = ["/spec/initContainers/", &index.to_string(), "/image"];
                patch.replace(&place, Text(&self.settings.image));
            }
            Some(_) => {}
            None => parts::init_container(self.settings, first, |container| {
                if self.pod.spec.init_containers.is_some() {
                    patch.add(&["/spec/initContainers/0"], container);
                } else {
                    patch.add(&["/spec/initContainers"], List(&[container]));
                }
            }),
        }
    }

    fn container(&mut self, index: usize, container: &'a Container<'a>) {
        let at = &format!("/spec/containers/{index}");
        self.command(at, container);
        self.env(at, container);
        if needs_privilege(container, self.rich) {
            self.privileged(at, container);
        }
        if self.rich.mode.boots_the_image() {
            self.pre_stop(at, container);
        }
        self.mounts(at, container);
    }

    fn command(&mut self, at: &str, container: &'a Container<'a>) {
        let Program::Known(program) = self.programs.of(container) else {
            return;
        };
        let ours = launcher::command(&self.flags, container);
        let (patch, place) = (&mut self.outcome.patch, [at, "/command"]);
        let program = program.as_ref();
        let is_made = |words: &[text::Text<'_>]| {
            let (first, rest) = words.split_at_checked(ours.len()).unwrap_or_default();
            first.iter().map(|it| &**it).eq(ours.iter().map(|it| &**it)) && rest == program
        };
        match &container.command {
            None => patch.add(&place, Words(&ours, program)),
            Some(words) if is_made(words) => {}
            Some(_) => patch.replace(&place, Words(&ours, program)),
        }
    }

    /// The variables that PouchContainer set. They say what the container is, so that a user's
    /// own of the same name, or one of an earlier pass with another mode, gives way.
    fn env(&mut self, at: &str, container: &Container) {
        let wanted = [(names::ENV_RICH, "true"), (names::ENV_MODE, self.rich.mode.name())];
        let variable = |name, value| [("name", Fixed(name)), ("value", Fixed(value))];
        let patch = &mut self.outcome.patch;
        for (index, other) in container.our_env() {
            let of_its_name = wanted.into_iter().find(|(name, _)| other.name == *name);
            if let Some((name, value)) = of_its_name
                && other.value.as_deref() != Some(value)
            {
                let place = [at, "/env/", &index.to_string()];
                patch.replace(&place, Object(&variable(name, value)));
            }
        }
        patch.append(at, "/env", container.env.is_some(), |list| {
            for (name, value) in wanted {
                if container.our_env().iter().all(|(_, it)| it.name != name) {
                    list.push(Object(&variable(name, value)));
                }
            }
        });
    }

    fn privileged(&mut self, at: &str, container: &Container) {
        let patch = &mut self.outcome.patch;
        if container.security_context.is_some() {
            patch.add(&[at, "/securityContext/privileged"], Bool(true));
        } else {
            patch.add(&[at, "/securityContext"], Object(&[("privileged", Bool(true))]));
        }
    }

    fn pre_stop(&mut self, at: &str, container: &Container) {
        let Some((ours, theirs)) = launcher::stop_command(container) else {
            return;
        };
        let exec = [("command", Words(&ours, theirs))];
        let handler = Object(&[("exec", Object(&exec))]);
        let patch = &mut self.outcome.patch;
        if container.lifecycle.is_some() {
            patch.add(&[at, "/lifecycle/preStop"], handler);
        } else {
            patch.add(&[at, "/lifecycle"], Object(&[("preStop", handler)]));
        }
    }

    fn mounts(&mut self, at: &str, container: &Container) {
        let patch = &mut self.outcome.patch;
        patch.append(at, "/volumeMounts", container.volume_mounts.is_some(), |list| {
            if !container.mounts_at(names::MOUNT) {
                list.push(parts::MOUNT);
            }
            let boots = self.rich.mode.boots_the_image();
            if boots && !container.mounts_at(RUN) && run::is_ours(container) {
                let name = parts::run_volume_name(&container.name);
                list.push(Object(&[("name", Text(&name)), ("mountPath", Fixed(RUN))]));
            }
        });
    }
}
