//! The table of rules: everything that is refused, and the sentence that says so.
//!
//! A new rule is one entry here; whoever finds it broken says where and gives the values.
//! `{field}` is the path in the object; other names in braces are values.

use crate::Rule;

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident: $code:literal, $message:literal, $example:literal;)*) => {
        $($(#[$doc])*
        pub static $name: Rule = Rule { code: $code, message: $message, example: $example };)*

        /// Every rule, in the order of the documentation.
        pub static ALL: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    /// An annotation that only means something in rich mode.
    NEEDS_RICH: "needs-rich",
        "{key} can only be used along with rich mode: set rich.pouch/mode to dumb-init, systemd or sbin-init",
        "rich.pouch/initscript: /opt/prepare.sh";
    /// A mode where rich mode is switched off.
    MODE_NEEDS_RICH: "mode-needs-rich",
        "rich.pouch/mode is set but rich.pouch/rich is \"false\": must first enable rich mode, then specify a rich mode type",
        "rich.pouch/rich: \"false\", rich.pouch/mode: systemd";
    /// A mode that does not exist.
    UNKNOWN_MODE: "unknown-mode",
        "rich.pouch/mode: not supported rich mode: {value}; use dumb-init, systemd or sbin-init",
        "rich.pouch/mode: upstart";
    /// A key under our prefix that does not exist.
    UNKNOWN_KEY: "unknown-key",
        "{key} is not an annotation of Rich Pouch: did you mean {nearest}?",
        "rich.pouch/init-script: /opt/prepare.sh";
    /// A value that is not of its key's form.
    BAD_VALUE: "bad-value",
        "{key} is \"{value}\": write {expected}",
        "rich.pouch/initscript-timeout: 30";
    /// A script that is not named by its absolute path.
    PATH_NOT_ABSOLUTE: "path-not-absolute",
        "{key} is \"{value}\": write the absolute path of a file in the container, then its arguments",
        "rich.pouch/mode: dumb-init, rich.pouch/initscript: prepare.sh";
    /// A path or command that no program could be given.
    PATH_WITH_BREAK: "path-with-break",
        "{key} holds a NUL or a line break: write one line, and put more into a script",
        "rich.pouch/mode: dumb-init, rich.pouch/initscript: \"/opt/a\\n/opt/b\"";
    /// Two things to run first.
    INITSCRIPT_AND_INITCMD: "initscript-and-initcmd",
        "rich.pouch/initscript and rich.pouch/initcmd exclude each other: keep one of them",
        "rich.pouch/mode: dumb-init, rich.pouch/initscript: /opt/a, rich.pouch/initcmd: echo";
    /// Restarting in place needs systemd.
    RESTART_NEEDS_SYSTEMD: "restart-needs-systemd",
        "rich.pouch/restart is \"service\", which only systemd can do: set rich.pouch/mode to systemd, or leave restart out",
        "rich.pouch/mode: dumb-init, rich.pouch/restart: service";
    /// A container that the pod lacks.
    UNKNOWN_CONTAINER: "unknown-container",
        "rich.pouch/containers names {value}, which the pod lacks: it has {known}",
        "rich.pouch/mode: dumb-init, rich.pouch/containers: web";
    /// Privilege is for the containers that the pod's creator wrote.
    WHICH_CONTAINER: "which-container",
        "{field} has {known}, and it cannot be told which of them the creator wrote and which another webhook has added: name those that are to be rich in rich.pouch/containers",
        "rich.pouch/mode: dumb-init, two containers, and metadata.managedFields was taken out by another webhook";
    /// More machines than a pod may be.
    TOO_MANY_RICH: "too-many-rich",
        "{field} asks for {count} rich containers, and no more than {most} are taken: name fewer",
        "rich.pouch/mode: dumb-init, rich.pouch/containers: \"*\", and a pod of 9 containers";
    /// A long initscript, many times.
    REPEATED_TOO_OFTEN: "repeated-too-often",
        "{field}: what the annotations say is {bytes} bytes long in each of {count} rich containers, and several have no more than {most} together: put it into a script of the image, or name fewer containers",
        "rich.pouch/mode: dumb-init, rich.pouch/containers: \"*\", rich.pouch/initcmd of 2000 characters, and a pod of 2 containers";
    /// An init that boots the image must be privileged.
    NEEDS_PRIVILEGED: "needs-privileged",
        "{field} is false: must using privileged mode when create {mode} rich container; take it out, or set rich.pouch/mode to dumb-init",
        "rich.pouch/mode: systemd, rich.pouch/privileged: \"false\"";
    /// The administrator lets no annotation add privilege.
    POLICY_FORBIDS_PRIVILEGED: "policy-forbids-privileged",
        "{field}: must using privileged mode when create {mode} rich container, and this cluster's Rich Pouch policy does not let an annotation add it (privileged: {policy}); ask the cluster's administrator, or set rich.pouch/mode to dumb-init",
        "rich.pouch/mode: systemd";
    /// Pod Security would refuse every pod of the workload.
    POD_SECURITY: "pod-security",
        "{field}: the rich container must be privileged, which Pod Security refuses in this namespace (pod-security.kubernetes.io/enforce: {level}); use a namespace whose level is privileged, or set rich.pouch/mode to dumb-init",
        "rich.pouch/mode: systemd, in a namespace with pod-security.kubernetes.io/enforce: baseline";
    /// Pod Security would refuse every pod of the workload, for where the binaries come from.
    POD_SECURITY_HOST_PATH: "pod-security-host-path",
        "{field}: the binaries come from the node by a hostPath volume here, which Pod Security refuses in this namespace (pod-security.kubernetes.io/enforce: {level}); use a namespace whose level is privileged, or ask the cluster's administrator to set binaries to init-container or image",
        "rich.pouch/mode: dumb-init, where the administrator has set binaries: node, in a namespace with pod-security.kubernetes.io/enforce: baseline";
    /// The host's PID 1 would be PID 1.
    HOST_PID: "host-pid",
        "{field} is true, so PID 1 would be the host's and not the rich container's init: take it out",
        "rich.pouch/mode: dumb-init, spec.hostPID: true";
    /// The sandbox's pause would be PID 1.
    SHARE_PROCESS_NAMESPACE: "share-process-namespace",
        "{field} is true, so PID 1 would be the pod's sandbox and not the rich container's init: take it out",
        "rich.pouch/mode: dumb-init, spec.shareProcessNamespace: true";
    /// There is no init for Windows.
    WINDOWS: "windows",
        "{field} is windows: rich mode is for Linux pods only",
        "rich.pouch/mode: dumb-init, spec.os.name: windows";
    /// An init that boots the image must be root.
    NEEDS_ROOT: "needs-root",
        "{field} is {value}, but {mode} must start as root: take it out, or set rich.pouch/mode to dumb-init",
        "rich.pouch/mode: systemd, spec.securityContext.runAsNonRoot: true";
    /// Our preStop must run first, and cannot run a network call of the kubelet.
    PRESTOP_NOT_COMPOSABLE: "prestop-not-composable",
        "{field} is {value}, which cannot be joined with the graceful stop of {mode}: use exec or sleep",
        "rich.pouch/mode: systemd, lifecycle.preStop.httpGet";
    /// A name or a path that the injection needs.
    RESERVED: "reserved",
        "{field} takes {value}, which is reserved for Rich Pouch: give yours another",
        "rich.pouch/mode: dumb-init, spec.volumes[0].name: rich-pouch";
    /// The programs that every rich container starts as are read by all and written by none.
    BINARIES_WRITABLE: "binaries-writable",
        "{field} can write to {value}, which holds the programs of rich containers: set readOnly: true, without subPath and without mountPropagation Bidirectional, or take it out",
        "rich.pouch/mode: dumb-init, spec.containers[0].volumeMounts[0]: {name: rich-pouch, mountPath: /x}";
    /// Two systems in one /run remove each other's files.
    RUN_SHARED: "run-shared",
        "{field} mounts the volume {value} at /run, which {mode} needs for itself alone: mount an emptyDir there that no other container mounts, or nothing",
        "rich.pouch/mode: systemd, spec.containers[0].volumeMounts[0].mountPath: /run, of a hostPath volume";
    /// The entrypoint of the image is not known to Kubernetes.
    NO_COMMAND: "no-command",
        "{field} is empty, and the image's own entrypoint is not known at this point: write the command that the container runs",
        "rich.pouch/mode: dumb-init, no command";
    /// The registry was asked for the image's entrypoint, without success.
    ENTRYPOINT_UNKNOWN: "entrypoint-unknown",
        "{field} is empty, and what the image {image} runs cannot be found out: {reason}; write the command that the container runs",
        "rich.pouch/mode: dumb-init, no command, an image that its registry does not have";
    /// The object went past the mutating webhook, or was changed after it.
    NOT_INJECTED: "not-injected",
        "{field}: the pod asks for rich mode but is not as Rich Pouch makes it: another webhook changed it afterwards, or the mutating webhook did not run",
        "a mutating webhook that takes out the volume rich-pouch";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_code_of_its_own_and_one_sentence() {
        for (index, rule) in ALL.iter().enumerate() {
            assert!(ALL[..index].iter().all(|other| other.code != rule.code), "{}", rule.code);
            assert!(!rule.message.contains('\n') && !rule.message.ends_with('.'), "{}", rule.code);
            assert_eq!(
                rule.message.matches('{').count(),
                rule.message.matches('}').count(),
                "{}",
                rule.code
            );
        }
    }
}
