//! The names and paths that the injection takes for itself in a pod.

/// The volume that brings the binaries, and the init container that fills it.
pub const VOLUME: &str = "rich-pouch";
/// The init container that fills [`VOLUME`].
pub const INIT_CONTAINER: &str = "rich-pouch";
/// What the names of all further volumes of ours begin with.
pub const VOLUME_PREFIX: &str = "rich-pouch-";
/// Where [`VOLUME`] is mounted.
pub const MOUNT: &str = "/.rich";
/// The launcher, as a container sees it.
pub const LAUNCHER: &str = "/.rich/rich";
/// The launcher, as the project's image has it.
pub const LAUNCHER_IN_IMAGE: &str = "/rich";
/// The environment variable that PouchContainer set to `true` in a rich container.
pub const ENV_RICH: &str = "rich_mode";
/// The environment variable in which PouchContainer gave the mode.
pub const ENV_MODE: &str = "rich_mode_launch_manner";
/// Says which container a user means where a pod has several, as kubectl reads it.
pub const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";
/// The node label that holds the version whose binaries the node has.
pub const NODE_READY: &str = "rich.pouch/ready";
