//! What the injection adds to a pod as a whole: the init container and the volumes.

use contract::names;

use crate::{
    Binaries, Settings, VERSION,
    json::Json::{self, Fixed, Number, Object, Text, Written},
    path,
    quantity::Quantity,
    view::{Amounts, Container, Volume},
};

/// Of a hostPath: it must be there, and the kubelet makes none.
const DIRECTORY: &str = "Directory";
const INSTALL: [&str; 3] = [names::LAUNCHER_IN_IMAGE, "install", names::MOUNT];

// What is the same in every patch is written down as it is sent; a test holds it to `names`.
const COMMAND: Json<'_> = Written(r#"["/rich","install","/.rich"]"#);
/// What the init container needs is a writable volume, and nobody's user and group will do.
const SECURITY_CONTEXT: Json<'_> = Written(concat!(
    r#"{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"privileged":false,"#,
    r#""readOnlyRootFilesystem":true,"runAsGroup":65532,"runAsNonRoot":true,"runAsUser":65532,"#,
    r#""seccompProfile":{"type":"RuntimeDefault"}}"#,
));
const INIT_CONTAINER_MOUNTS: Json<'_> = Written(r#"[{"name":"rich-pouch","mountPath":"/.rich"}]"#);
/// The mount of the volume with the binaries in a rich container.
pub(crate) const MOUNT: Json<'_> =
    Written(r#"{"name":"rich-pouch","mountPath":"/.rich","readOnly":true}"#);
/// The volume for the init container to fill: two programs of less than 1 MB together, with room
/// to grow.
const EMPTY_VOLUME: Json<'_> = Written(r#"{"name":"rich-pouch","emptyDir":{"sizeLimit":"8Mi"}}"#);
/// systemd's runtime state and its volatile journal, of which it takes a tenth.
const RUN_SOURCE: Json<'_> = Written(r#"{"medium":"Memory","sizeLimit":"128Mi"}"#);

/// Gives the init container that puts the binaries into the volume.
///
/// It passes Pod Security "restricted" whatever the pod's own context says. It asks for what the
/// first rich container asks for: a pod needs the most that any init container or all its
/// containers together ask for, so that this raises nothing, and what admits the pod admits it.
pub(crate) fn init_container(settings: &Settings, first: &Container, give: impl FnOnce(Json<'_>)) {
    let mut members = vec![
        ("name", Fixed(names::INIT_CONTAINER)),
        ("image", Text(&settings.image)),
        ("command", COMMAND),
        ("securityContext", SECURITY_CONTEXT),
        ("volumeMounts", INIT_CONTAINER_MOUNTS),
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
fn amounts<'a>(all: Option<&'a Amounts<'_>>) -> Vec<(&'static str, Json<'a>)> {
    let Some(all) = all else {
        return Vec::new();
    };
    let all = [("cpu", &all.cpu), ("memory", &all.memory)];
    let json = |it: &'a Quantity<'_>| match it {
        Quantity::Text(text) => Text(text),
        Quantity::Number(number) => Number(number),
    };
    all.into_iter().filter_map(|(name, it)| Some((name, json(it.as_ref()?)))).collect()
}

/// Whether an init container is the one that an earlier pass put there. Its image may be that of
/// another version, which the patch replaces: with any but the settings' image a pod is not as it
/// should be.
pub(crate) fn is_our_init_container(container: &Container) -> bool {
    container.name == names::INIT_CONTAINER
        && container.command.as_ref().is_some_and(|command| **command == INSTALL)
}

/// Gives the volume that brings the binaries.
pub(crate) fn volume(settings: &Settings, give: impl FnOnce(Json<'_>)) {
    let name = ("name", Fixed(names::VOLUME));
    match settings.binaries {
        Binaries::InitContainer => give(EMPTY_VOLUME),
        Binaries::Image => {
            let policy = settings.image_pull_policy.as_deref();
            let policy = policy.map(|policy| ("pullPolicy", Text(policy)));
            let reference = ("reference", Text(&settings.image));
            let members: Vec<_> = [reference].into_iter().chain(policy).collect();
            give(Object(&[name, ("image", Object(&members))]));
        }
        Binaries::Node => {
            let path = node_folder(settings);
            let source = [("path", Text(&path)), ("type", Fixed(DIRECTORY))];
            give(Object(&[name, ("hostPath", Object(&source))]));
        }
    }
}

/// This version's folder on the node.
fn node_folder(settings: &Settings) -> String {
    format!("{}/{VERSION}", settings.node_folder.trim_end_matches('/'))
}

/// Whether the volume with the binaries is as this version makes it.
pub(crate) fn is_current(volume: &Volume, settings: &Settings) -> bool {
    match settings.binaries {
        Binaries::InitContainer => volume.empty_dir.is_some(),
        Binaries::Image => volume.image.as_ref().is_some_and(|it| it.reference == settings.image),
        Binaries::Node => {
            let is_folder = |kind: &Option<_>| kind.as_deref() == Some(DIRECTORY);
            let host = volume.host_path.as_ref().filter(|it| is_folder(&it.kind));
            host.is_some_and(|it| it.path == node_folder(settings))
        }
    }
}

/// Gives the /run of a container whose init boots the image, with the name that is the
/// container's.
///
/// systemd mounts a tmpfs there itself, but on top of what the kubelet mounted below, such as
/// the token of the service account in /run/secrets.
pub(crate) fn run_volume(name: &str, give: impl FnOnce(Json<'_>)) {
    give(Object(&[("name", Text(name)), ("emptyDir", RUN_SOURCE)]));
}

/// The name of a container's /run volume, which like every name is no longer than 63 characters.
pub(crate) fn run_volume_name(container: &str) -> String {
    const LONGEST: usize = 63;
    // The API server takes no container with a longer name, and one may be long for each mount.
    let container = &container[..container.floor_char_boundary(LONGEST)];
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
    let memory = volume.empty_dir.as_ref().and_then(|it| it.medium.as_deref());
    let has_binaries = volume.name == names::VOLUME;
    match volume {
        Volume { empty_dir: Some(_), .. } if has_binaries => memory.is_none_or(str::is_empty),
        Volume { empty_dir: Some(_), .. } => memory == Some("Memory"),
        Volume { host_path: Some(host), .. } => {
            let (path, folder) = (path::clean(&host.path), path::clean(&settings.node_folder));
            has_binaries && path != folder && path::is_within(&path, &folder)
        }
        Volume { image, .. } => has_binaries && image.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_is_written_down_says_what_names_say() {
        let mount = json!({"name": names::VOLUME, "mountPath": names::MOUNT});
        let mut read_only = mount.clone();
        read_only["readOnly"] = true.into();
        for (written, meant) in [
            (COMMAND, json!(INSTALL)),
            (INIT_CONTAINER_MOUNTS, json!([mount])),
            (MOUNT, read_only),
            (EMPTY_VOLUME, json!({"name": names::VOLUME, "emptyDir": {"sizeLimit": "8Mi"}})),
        ] {
            let mut text = String::new();
            written.write(&mut text);
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), meant);
        }
    }
}
