//! What the injection adds to a pod as a whole: the init container and the volumes.

use contract::names;
use serde_json::Value;

use crate::{
    Binaries, Settings, VERSION,
    json::Json::{self, Fixed, Given, List, Object, Text, Written},
    view::{Amounts, Container, Volume},
};

/// Two programs of less than 1 MB together, with room to grow.
const VOLUME_SIZE: &str = "8Mi";
/// systemd's runtime state and its volatile journal, of which it takes a tenth.
const RUN_SIZE: &str = "128Mi";
/// What the init container needs is a writable volume, and nobody's user and group will do.
const SECURITY_CONTEXT: Json<'_> = Written(concat!(
    r#"{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"privileged":false,"#,
    r#""readOnlyRootFilesystem":true,"runAsGroup":65532,"runAsNonRoot":true,"runAsUser":65532,"#,
    r#""seccompProfile":{"type":"RuntimeDefault"}}"#,
));

const INSTALL: [&str; 3] = [names::LAUNCHER_IN_IMAGE, "install", names::MOUNT];

/// Gives the init container that puts the binaries into the volume.
///
/// It passes Pod Security "restricted" whatever the pod's own context says. It asks for what the
/// first rich container asks for: a pod needs the most that any init container or all its
/// containers together ask for, so that this raises nothing, and what admits the pod admits it.
pub(crate) fn init_container(settings: &Settings, first: &Container, give: impl FnOnce(Json<'_>)) {
    let mount = [("name", Fixed(names::VOLUME)), ("mountPath", Fixed(names::MOUNT))];
    let (mounts, command) = ([Object(&mount)], INSTALL.map(Fixed));
    let mut members = vec![
        ("name", Fixed(names::INIT_CONTAINER)),
        ("image", Text(&settings.image)),
        ("command", List(&command)),
        ("securityContext", SECURITY_CONTEXT),
        ("volumeMounts", List(&mounts)),
    ];
    if let Some(policy) = &settings.image_pull_policy {
        members.push(("imagePullPolicy", Text(policy)));
    }
    let resources = first.resources.as_ref();
    let requests = amounts(resources.and_then(|it| it.requests.as_ref()));
    let limits = amounts(resources.and_then(|it| it.limits.as_ref()));
    let resources = [("requests", Object(&requests)), ("limits", Object(&limits))];
    let resources = match (requests.is_empty(), limits.is_empty()) {
        (true, true) => &[],
        (false, true) => &resources[..1],
        (true, false) => &resources[1..],
        (false, false) => &resources[..],
    };
    if !resources.is_empty() {
        members.push(("resources", Object(resources)));
    }
    give(Object(&members));
}

/// The cpu and memory of a container; no device or storage, which would be taken twice.
fn amounts(all: Option<&Amounts>) -> Vec<(&'static str, Json<'_>)> {
    let Some(all) = all else {
        return Vec::new();
    };
    let all = [("cpu", &all.cpu), ("memory", &all.memory)];
    all.into_iter().filter_map(|(name, it)| Some((name, Given(it.as_ref()?)))).collect()
}

/// Whether an init container with our name is one that an earlier pass put there.
pub(crate) fn is_our_init_container(container: &Container) -> bool {
    container.command.as_ref().is_some_and(|command| *command == INSTALL)
}

/// Gives the volume that brings the binaries.
pub(crate) fn volume(settings: &Settings, give: impl FnOnce(Json<'_>)) {
    let from = |source| give(Object(&[("name", Fixed(names::VOLUME)), source]));
    match settings.binaries {
        Binaries::InitContainer => {
            from(("emptyDir", Object(&[("sizeLimit", Fixed(VOLUME_SIZE))])));
        }
        Binaries::Image => {
            let policy = settings.image_pull_policy.as_deref();
            let policy = policy.map(|policy| ("pullPolicy", Text(policy)));
            let reference = ("reference", Text(&settings.image));
            let members: Vec<_> = [reference].into_iter().chain(policy).collect();
            from(("image", Object(&members)));
        }
        Binaries::Node => {
            let path = node_folder(settings);
            from(("hostPath", Object(&[("path", Text(&path)), ("type", Fixed("Directory"))])));
        }
    }
}

fn node_folder(settings: &Settings) -> String {
    format!("{}/{VERSION}", settings.node_folder.trim_end_matches('/'))
}

/// Whether the volume with the binaries is as this version makes it.
pub(crate) fn is_current(volume: &Volume, settings: &Settings) -> bool {
    match settings.binaries {
        Binaries::InitContainer => volume.empty_dir.is_some(),
        Binaries::Image => volume.image.as_ref().is_some_and(|it| it.reference == settings.image),
        Binaries::Node => {
            volume.host_path.as_ref().is_some_and(|it| it.path == node_folder(settings))
        }
    }
}

/// Gives the /run of a container whose init boots the image, with the name that is the
/// container's.
///
/// systemd mounts a tmpfs there itself, but on top of what the kubelet mounted below, such as
/// the token of the service account in /run/secrets.
pub(crate) fn run_volume(name: &str, give: impl FnOnce(Json<'_>)) {
    let source = [("medium", Fixed("Memory")), ("sizeLimit", Fixed(RUN_SIZE))];
    give(Object(&[("name", Text(name)), ("emptyDir", Object(&source))]));
}

/// The name of a container's /run volume, which like every name is no longer than 63 characters.
pub(crate) fn run_volume_name(container: &str) -> String {
    const LONGEST: usize = 63;
    let name = [names::VOLUME_PREFIX, "run-", container].concat();
    if name.len() <= LONGEST {
        return name;
    }
    // FNV-1a: stable over versions, so that a second pass finds the same name.
    let hash = container.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let kept: String = name.chars().take(LONGEST - 17).collect();
    format!("{kept}-{hash:016x}")
}

/// Whether a volume with one of our names is one that an earlier pass put there, be it with other
/// settings.
pub(crate) fn is_our_volume(volume: &Volume, settings: &Settings) -> bool {
    let memory = volume.empty_dir.as_ref().and_then(|it| it.get("medium")).and_then(Value::as_str);
    let has_binaries = volume.name == names::VOLUME;
    match volume {
        Volume { empty_dir: Some(_), .. } if has_binaries => memory.is_none_or(str::is_empty),
        Volume { empty_dir: Some(_), .. } => memory == Some("Memory"),
        Volume { host_path: Some(host), .. } => {
            let version = host.path.strip_prefix(settings.node_folder.trim_end_matches('/'));
            has_binaries && version.is_some_and(|it| it.starts_with('/'))
        }
        Volume { image, .. } => has_binaries && image.is_some(),
    }
}
