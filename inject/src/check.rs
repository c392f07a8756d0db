//! The rules about a pod: which of them it breaks.

use std::fmt::Arguments;

use contract::{Containers, Key, Rich, Violation, names, rules};

use crate::{
    Privileged, Settings,
    image::Image,
    known::Known,
    parts,
    program::Program,
    view::{Container, Pod},
};

/// The indices in `spec.containers` of the containers that become rich, and the names that the
/// pod lacks.
pub(crate) fn choose(pod: &Pod, rich: &Rich) -> (Vec<usize>, Vec<Violation>) {
    let containers = &pod.spec.containers;
    let find = |name: &str| containers.iter().position(|container| container.name == *name);
    match &rich.containers {
        Containers::All => ((0..containers.len()).collect(), Vec::new()),
        Containers::Default => {
            let named = pod.annotation(names::DEFAULT_CONTAINER).and_then(find);
            let first = (!containers.is_empty()).then_some(0);
            (named.or(first).into_iter().collect(), Vec::new())
        }
        Containers::Named(wanted) => {
            let known: Vec<&str> = containers.iter().map(|it| &*it.name).collect();
            let mut chosen = Vec::new();
            let mut violations = Vec::new();
            for name in wanted {
                match find(name) {
                    Some(index) => chosen.push(index),
                    None => violations.push(
                        rules::UNKNOWN_CONTAINER
                            .broken_at(&annotation(Key::Containers))
                            .with("value", name)
                            .with("known", known.join(", ")),
                    ),
                }
            }
            chosen.sort_unstable();
            chosen.dedup();
            (chosen, violations)
        }
    }
}

/// Every rule that the pod breaks, for the containers that are to become rich, and the images
/// of which more would have to be known.
pub(crate) fn check(
    pod: &Pod,
    rich: &Rich,
    chosen: &[usize],
    settings: &Settings,
    known: &Known,
) -> (Vec<Violation>, Vec<Image>) {
    let mut violations = Vec::new();
    let mut images = Vec::new();
    pid_one(pod, &mut violations);
    reserved(pod, settings, &mut violations);
    let policy = forbidding_policy(settings, known);
    for (index, container) in chosen.iter().filter_map(|i| Some((*i, pod.spec.containers.get(*i)?)))
    {
        let at = format_args!("spec.containers[{index}]");
        let program = Program::of(pod, container, &known.entrypoints);
        violations.extend(program.violation(container, at));
        if let Program::OfImage(image) = program {
            images.push(image);
        }
        if rich.is_privileged() {
            privileged(container, at, rich, policy, &mut violations);
        }
        if rich.mode.boots_the_image() {
            root(pod, container, at, rich, &mut violations);
            pre_stop(container, at, rich, &mut violations);
        }
    }
    (violations, images)
}

/// PID 1 must be the container's own.
fn pid_one(pod: &Pod, violations: &mut Vec<Violation>) {
    let spec = &pod.spec;
    if spec.host_pid == Some(true) {
        violations.push(rules::HOST_PID.broken_at("spec.hostPID"));
    }
    if spec.share_process_namespace == Some(true) {
        violations.push(rules::SHARE_PROCESS_NAMESPACE.broken_at("spec.shareProcessNamespace"));
    }
    if spec.os.as_ref().is_some_and(|os| os.name == "windows") {
        violations.push(rules::WINDOWS.broken_at("spec.os.name"));
    } else if spec
        .node_selector
        .as_ref()
        .and_then(|labels| labels.get("kubernetes.io/os"))
        .is_some_and(|os| *os == "windows")
    {
        violations.push(rules::WINDOWS.broken_at("spec.nodeSelector[kubernetes.io/os]"));
    }
}

/// Our names and paths must be free, or ours already.
fn reserved(pod: &Pod, settings: &Settings, violations: &mut Vec<Violation>) {
    let taken = |field: String, value: &str| rules::RESERVED.broken_at(&field).with("value", value);
    let ours = |name: &str| name == names::VOLUME || name.starts_with(names::VOLUME_PREFIX);
    for (index, volume) in pod.volumes().iter().enumerate() {
        if ours(&volume.name) && !parts::is_our_volume(volume, settings) {
            let field = format!("spec.volumes[{index}].name");
            violations.push(taken(field, &format!("the name {}", volume.name)));
        }
    }
    for (index, container) in pod.init_containers().iter().enumerate() {
        if container.name == names::INIT_CONTAINER && !parts::is_our_init_container(container) {
            let field = format!("spec.initContainers[{index}].name");
            violations.push(taken(field, &format!("the name {}", container.name)));
        }
    }
    let lists = [("initContainers", pod.init_containers()), ("containers", &pod.spec.containers)];
    for (list, containers) in lists {
        for (at, container) in containers.iter().enumerate() {
            for (index, mount) in container.mounts().iter().enumerate() {
                let path = mount.path();
                let inside = path == names::MOUNT || path.starts_with("/.rich/");
                let field = |name| format!("spec.{list}[{at}].volumeMounts[{index}].{name}");
                if inside && mount.name != names::VOLUME {
                    violations.push(taken(field("mountPath"), &format!("the path {path}")));
                }
                // The folder on the node, for example, is not theirs to write to.
                let ours = mount.read_only == Some(true) || parts::is_our_init_container(container);
                if mount.name == names::VOLUME && !ours {
                    violations.push(taken(field("name"), &format!("the name {}", mount.name)));
                }
            }
        }
    }
}

/// The administrator's policy, in words, where it lets no annotation add privilege here.
fn forbidding_policy(settings: &Settings, known: &Known) -> Option<&'static str> {
    match settings.privileged {
        Privileged::Allow => None,
        Privileged::Labelled if known.namespace.allows_privileged => None,
        Privileged::Labelled if known.namespace.is_unreadable => {
            Some("labelled, and the namespace's labels cannot be read now: try again")
        }
        Privileged::Labelled => {
            Some("labelled, and the namespace lacks the label rich.pouch/allow-privileged=true")
        }
        Privileged::Never => Some("never"),
    }
}

/// A container that must be privileged may neither refuse it itself nor be refused it.
fn privileged(
    container: &Container,
    at: Arguments<'_>,
    rich: &Rich,
    policy: Option<&str>,
    violations: &mut Vec<Violation>,
) {
    let mode = rich.mode.name();
    let context = container.security_context.as_ref();
    let refused = [
        ("privileged", container.privileged()),
        ("allowPrivilegeEscalation", context.and_then(|it| it.allow_privilege_escalation)),
    ];
    for (field, _) in refused.into_iter().filter(|(_, value)| *value == Some(false)) {
        violations.push(
            rules::NEEDS_PRIVILEGED
                .broken_at(&format!("{at}.securityContext.{field}"))
                .with("mode", mode),
        );
    }
    if let Some(policy) = policy
        && container.privileged().is_none()
    {
        let key = if rich.mode.boots_the_image() { Key::Mode } else { Key::Privileged };
        violations.push(
            rules::POLICY_FORBIDS_PRIVILEGED
                .broken_at(&annotation(key))
                .with("mode", mode)
                .with("policy", policy),
        );
    }
}

/// An init that boots the image starts as root; a container's own context wins over the pod's.
fn root(
    pod: &Pod,
    container: &Container,
    at: Arguments<'_>,
    rich: &Rich,
    violations: &mut Vec<Violation>,
) {
    let contexts = [
        (at, container.security_context.as_ref()),
        (format_args!("spec"), pod.spec.security_context.as_ref()),
    ];
    let non_root = contexts.iter().find_map(|(at, it)| Some((*at, it.as_ref()?.run_as_non_root?)));
    if let Some((at, true)) = non_root {
        violations.push(needs_root(at, "runAsNonRoot", "true", rich));
    }
    let user = contexts.iter().find_map(|(at, it)| Some((*at, it.as_ref()?.run_as_user?)));
    if let Some((at, user @ 1..)) = user {
        violations.push(needs_root(at, "runAsUser", &user.to_string(), rich));
    }
}

fn needs_root(at: Arguments<'_>, field: &str, value: &str, rich: &Rich) -> Violation {
    rules::NEEDS_ROOT
        .broken_at(&format!("{at}.securityContext.{field}"))
        .with("value", value)
        .with("mode", rich.mode.name())
}

/// A preStop that the kubelet itself calls could not run before ours.
fn pre_stop(
    container: &Container,
    at: Arguments<'_>,
    rich: &Rich,
    violations: &mut Vec<Violation>,
) {
    let Some(handler) = container.pre_stop() else {
        return;
    };
    let kinds = [("httpGet", &handler.http_get), ("tcpSocket", &handler.tcp_socket)];
    for (kind, _) in kinds.into_iter().filter(|(_, value)| value.is_some()) {
        violations.push(
            rules::PRESTOP_NOT_COMPOSABLE
                .broken_at(&format!("{at}.lifecycle.preStop"))
                .with("value", kind)
                .with("mode", rich.mode.name()),
        );
    }
}

fn annotation(key: Key) -> String {
    format!("metadata.annotations[{}]", key.name())
}
