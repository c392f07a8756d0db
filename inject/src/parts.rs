//! What the injection adds to a pod as a whole: the init container and the volumes.

use contract::names;
use serde_json::Value;

use crate::{
    Binaries, Settings, VERSION,
    json::{Json, object},
    view::{Container, Volume},
};

/// Two programs of less than 1 MB together, with room to grow.
const VOLUME_SIZE: &str = "8Mi";
/// systemd's runtime state and its volatile journal, of which it takes a tenth.
const RUN_SIZE: &str = "128Mi";
/// A user that is nobody's: the init container needs no more than a writable volume.
const NOBODY: u32 = 65532;

fn install_command() -> [&'static str; 3] {
    [names::LAUNCHER_IN_IMAGE, "install", names::MOUNT]
}

/// The init container that puts the binaries into the volume.
///
/// It passes Pod Security "restricted" whatever the pod's own context says. It asks for what the
/// first rich container asks for: a pod needs the most that any init container or all its
/// containers together ask for, so that this raises nothing, and what admits the pod admits it.
pub(crate) fn init_container(settings: &Settings, first: &Container) -> Json {
    let context = object([
        ("allowPrivilegeEscalation", false.into()),
        ("capabilities", object([("drop", ["ALL"].into())])),
        ("privileged", false.into()),
        ("readOnlyRootFilesystem", true.into()),
        ("runAsGroup", NOBODY.into()),
        ("runAsNonRoot", true.into()),
        ("runAsUser", NOBODY.into()),
        ("seccompProfile", object([("type", "RuntimeDefault".into())])),
    ]);
    let mount = object([("name", names::VOLUME.into()), ("mountPath", names::MOUNT.into())]);
    let mut members = vec![
        ("name", names::INIT_CONTAINER.into()),
        ("image", settings.image.clone().into()),
        ("command", install_command().into()),
        ("securityContext", context),
        ("volumeMounts", [mount].into()),
    ];
    if let Some(policy) = &settings.image_pull_policy {
        members.push(("imagePullPolicy", policy.clone().into()));
    }
    let resources = resources(first);
    if !resources.is_empty() {
        members.push(("resources", Json::Object(resources)));
    }
    Json::Object(members)
}

/// The cpu and memory of a container; no device or storage, which would be taken twice.
fn resources(container: &Container) -> Vec<(&'static str, Json)> {
    let Some(resources) = &container.resources else {
        return Vec::new();
    };
    [("requests", &resources.requests), ("limits", &resources.limits)]
        .into_iter()
        .filter_map(|(name, amounts)| {
            let amounts = amounts.as_ref()?;
            let amounts: Vec<_> = ["cpu", "memory"]
                .into_iter()
                .filter_map(|resource| Some((resource, amounts.get(resource)?.clone().into())))
                .collect();
            (!amounts.is_empty()).then_some((name, Json::Object(amounts)))
        })
        .collect()
}

/// Whether an init container with our name is one that an earlier pass put there.
pub(crate) fn is_our_init_container(container: &Container) -> bool {
    container.command.as_ref().is_some_and(|command| *command == install_command())
}

/// The volume that brings the binaries.
pub(crate) fn volume(settings: &Settings) -> Json {
    let image = || settings.image.clone().into();
    let source = match settings.binaries {
        Binaries::InitContainer => ("emptyDir", object([("sizeLimit", VOLUME_SIZE.into())])),
        Binaries::Image => match &settings.image_pull_policy {
            Some(policy) => {
                let policy = policy.clone().into();
                ("image", object([("reference", image()), ("pullPolicy", policy)]))
            }
            None => ("image", object([("reference", image())])),
        },
        Binaries::Node => {
            let path = node_folder(settings).into();
            ("hostPath", object([("path", path), ("type", "Directory".into())]))
        }
    };
    object([("name", names::VOLUME.into()), source])
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

/// The /run of a container whose init boots the image, with the name that is the container's.
///
/// systemd mounts a tmpfs there itself, but on top of what the kubelet mounted below, such as
/// the token of the service account in /run/secrets.
pub(crate) fn run_volume(name: String) -> Json {
    let source = object([("medium", "Memory".into()), ("sizeLimit", RUN_SIZE.into())]);
    object([("name", name.into()), ("emptyDir", source)])
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
