//! The rules about a pod: which of them it breaks.

use std::fmt::Arguments;

use contract::{Key, Rich, Violation, Violations, rules};

use crate::{
    Privileged, Settings,
    image::Image,
    known::Known,
    mounts,
    program::{Program, Programs},
    run,
    view::{Container, Pod},
};

/// Every rule that the pod breaks, for the containers that are to become rich, and the images
/// of which more would have to be known.
pub(crate) fn check(
    pod: &Pod,
    rich: &Rich,
    chosen: &[usize],
    settings: &Settings,
    known: &Known,
    programs: &Programs<'_>,
) -> (Violations, Vec<Image>) {
    let mut violations = Violations::new();
    let mut images = Vec::new();
    pid_one(pod, &mut violations);
    mounts::check(pod, settings, &mut violations);
    let policy = forbidding_policy(settings, known);
    for (index, container) in chosen.iter().filter_map(|i| Some((*i, pod.spec.containers.get(*i)?)))
    {
        let at = format_args!("spec.containers[{index}]");
        let program = programs.of(container);
        program.check(container, at, &mut violations);
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
    if rich.mode.boots_the_image() {
        run::check(pod, rich, chosen, &mut violations);
    }
    (violations, images)
}

/// PID 1 must be the container's own.
fn pid_one(pod: &Pod, violations: &mut Violations) {
    let spec = &pod.spec;
    if spec.host_pid == Some(true) {
        violations.push(|| rules::HOST_PID.broken_at("spec.hostPID"));
    }
    if spec.share_process_namespace == Some(true) {
        violations.push(|| rules::SHARE_PROCESS_NAMESPACE.broken_at("spec.shareProcessNamespace"));
    }
    if spec.os.as_ref().is_some_and(|os| os.name == "windows") {
        violations.push(|| rules::WINDOWS.broken_at("spec.os.name"));
    } else if spec
        .node_selector
        .as_ref()
        .and_then(|labels| labels.os.as_ref())
        .is_some_and(|os| *os == "windows")
    {
        violations.push(|| rules::WINDOWS.broken_at("spec.nodeSelector[kubernetes.io/os]"));
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
    violations: &mut Violations,
) {
    let mode = rich.mode.name();
    let context = container.security_context.as_ref();
    let refused = [
        ("privileged", container.privileged()),
        ("allowPrivilegeEscalation", context.and_then(|it| it.allow_privilege_escalation)),
    ];
    for (field, _) in refused.into_iter().filter(|(_, value)| *value == Some(false)) {
        violations.push(|| {
            rules::NEEDS_PRIVILEGED
                .broken_at(&format!("{at}.securityContext.{field}"))
                .with("mode", mode)
        });
    }
    if let Some(policy) = policy
        && container.privileged().is_none()
    {
        let key = if rich.mode.boots_the_image() { Key::Mode } else { Key::Privileged };
        violations.push(|| {
            rules::POLICY_FORBIDS_PRIVILEGED
                .broken_at(&annotation(key))
                .with("mode", mode)
                .with("policy", policy)
        });
    }
}

/// An init that boots the image starts as root; a container's own context wins over the pod's.
fn root(
    pod: &Pod,
    container: &Container,
    at: Arguments<'_>,
    rich: &Rich,
    violations: &mut Violations,
) {
    let contexts = [
        (at, container.security_context.as_ref()),
        (format_args!("spec"), pod.spec.security_context.as_ref()),
    ];
    let non_root = contexts.iter().find_map(|(at, it)| Some((*at, it.as_ref()?.run_as_non_root?)));
    if let Some((at, true)) = non_root {
        violations.push(|| needs_root(at, "runAsNonRoot", "true", rich));
    }
    let user = contexts.iter().find_map(|(at, it)| Some((*at, it.as_ref()?.run_as_user?)));
    if let Some((at, user @ 1..)) = user {
        violations.push(|| needs_root(at, "runAsUser", &user.to_string(), rich));
    }
}

fn needs_root(at: Arguments<'_>, field: &str, value: &str, rich: &Rich) -> Violation {
    rules::NEEDS_ROOT
        .broken_at(&format!("{at}.securityContext.{field}"))
        .with("value", value)
        .with("mode", rich.mode.name())
}

/// A preStop that the kubelet itself calls could not run before ours.
fn pre_stop(container: &Container, at: Arguments<'_>, rich: &Rich, violations: &mut Violations) {
    let Some(handler) = container.pre_stop() else {
        return;
    };
    let kinds = [("httpGet", &handler.http_get), ("tcpSocket", &handler.tcp_socket)];
    for (kind, _) in kinds.into_iter().filter(|(_, value)| value.is_some()) {
        violations.push(|| {
            rules::PRESTOP_NOT_COMPOSABLE
                .broken_at(&format!("{at}.lifecycle.preStop"))
                .with("value", kind)
                .with("mode", rich.mode.name())
        });
    }
}

pub(crate) fn annotation(key: Key) -> String {
    format!("metadata.annotations[{}]", key.name())
}
