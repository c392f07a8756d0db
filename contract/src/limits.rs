//! What an object may hold, and how much is said about it.
//!
//! Everybody in a namespace may write an object, and everybody else waits while it is judged. So
//! what the judgement costs must follow from the object's size alone: a list whose elements take
//! many times their text is bounded before memory is taken for it, and what is said is bounded
//! whatever is wrong. `fuzz/targets/cost.rs` measures it.
//!
//! Kubernetes itself bounds hardly any of these lists. What bounds them there is etcd, which takes
//! 1.5 MiB for an object (`--max-request-bytes`), and the API server, which takes 3 MiB for a
//! request (`MaxRequestBodyBytes` of k8s.io/apiserver). No pod that a kubelet could run comes near
//! the numbers here.

/// How many violations or warnings of an object are put into words. The others are counted.
///
/// An answer has each sentence twice, and two questions are asked: more of them would make a short
/// object dearer than a usual pod of many times its size.
pub const LISTED: usize = 5;

/// How many names a sentence lists. The others are counted.
pub const NAMES: usize = 10;

/// How many characters of a user's value a sentence shows.
pub const SHOWN: usize = 120;

/// How many names in `rich.pouch/containers` are looked up.
pub const NAMED: usize = 16;

/// How many managers of fields are asked which containers they wrote. The API server itself keeps
/// ten that update, and one for each that applies.
pub const MANAGERS: usize = 20;

/// How many Secrets of a pod are asked for when its images are looked up.
pub const SECRETS_ASKED: usize = 16;

/// How many bytes the annotations may add to the commands of several containers together. Each of
/// them has the initscript, so that one byte of an annotation would be many of the patch.
pub const REPEATED: usize = 2 * 1024;

/// How long a list in an object may be.
#[derive(Debug, PartialEq, Eq)]
pub struct Limit {
    /// The list, as a sentence calls it.
    pub list: &'static str,
    /// The number of elements that it may have.
    pub most: usize,
}

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $list:literal, $most:literal;)*) => {
        $($(#[$doc])* pub static $name: Limit = Limit { list: $list, most: $most };)*

        /// Every limit of a list.
        pub static ALL: &[&Limit] = &[$(&$name),*];
    };
}

limits! {
    /// The containers of a pod, and apart from them its init containers.
    CONTAINERS: "containers", 64;
    /// The containers of a pod that become rich: each of them is a machine, and the patch has the
    /// initscript once for each.
    RICH_CONTAINERS: "rich containers", 4;
    /// The volumes of a pod.
    VOLUMES: "volumes", 256;
    /// The mounts of a container.
    VOLUME_MOUNTS: "volumeMounts", 256;
    /// The block devices of a container.
    VOLUME_DEVICES: "volumeDevices", 256;
    /// The words of a container's `command`, or of the command of its preStop.
    WORDS: "words of a command", 256;
    /// The variables of a container that have one of the names that the injection sets.
    VARIABLES: "variables named rich_mode or rich_mode_launch_manner", 16;
    /// The owners of an object.
    OWNERS: "ownerReferences", 64;
    /// The Secrets that a pod names for pulling its images.
    PULL_SECRETS: "imagePullSecrets", 64;
    /// The terms of the required node affinity.
    TERMS: "nodeSelectorTerms", 64;
    /// The expressions of all these terms.
    EXPRESSIONS: "matchExpressions", 128;
    /// The architectures that all these expressions name.
    ARCHITECTURES: "values of kubernetes.io/arch", 64;
}
