//! What the administrator decides.

use serde::Deserialize;

use crate::Workload;

/// The settings of an injection, as the configuration file holds them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// The project's image: what the init container runs.
    pub image: String,
    /// When the kubelet pulls it; Kubernetes' default where it is not set.
    #[serde(default)]
    pub image_pull_policy: Option<String>,
    /// Secrets of the pod's namespace to pull it with, beside the pod's own.
    #[serde(default)]
    pub image_pull_secrets: Vec<String>,
    /// Where rich pods get the binaries from.
    #[serde(default)]
    pub binaries: Binaries,
    /// Where the node agent puts the binaries on every node, in a folder for each version.
    #[serde(default = "node_folder")]
    pub node_folder: String,
    /// Whether an annotation may make a container privileged.
    #[serde(default)]
    pub privileged: Privileged,
    /// Whether a workload is refused where Pod Security would refuse its pods for what the
    /// injection adds. It goes by the namespace's label, and knows of no exemptions.
    #[serde(default = "yes")]
    pub pod_security: bool,
    /// Kinds with a pod template beside those of Kubernetes itself.
    #[serde(default)]
    pub workloads: Vec<Workload>,
}

impl Settings {
    /// What holds where nothing but the image is set.
    #[must_use]
    pub fn new(image: &str) -> Self {
        Self {
            image: image.to_owned(),
            image_pull_policy: None,
            image_pull_secrets: Vec::new(),
            binaries: Binaries::default(),
            node_folder: node_folder(),
            privileged: Privileged::default(),
            pod_security: yes(),
            workloads: Vec::new(),
        }
    }

    /// Whether what namespaces say makes a difference.
    #[must_use]
    pub fn asks_for_namespaces(&self) -> bool {
        self.pod_security || self.privileged == Privileged::Labelled
    }
}

fn node_folder() -> String {
    "/opt/rich-pouch".to_owned()
}

/// Where rich pods get the binaries from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Binaries {
    /// An init container copies them out of the project's image into an emptyDir.
    #[default]
    InitContainer,
    /// The project's image is mounted as a volume: Kubernetes 1.36, KEP-4639.
    Image,
    /// A read-only hostPath to what the node agent has provisioned; only nodes that it has
    /// labelled as ready are chosen.
    Node,
}

const fn yes() -> bool {
    true
}

/// Whether an annotation may make a container privileged.
///
/// Pod Security, quotas and every other admission judge the pod after the injection all the
/// same, so that "allow" gives a user who may create pods none that they could not have written
/// themselves. It gives privilege to a user who may set a pod's annotations only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Privileged {
    /// Yes; a warning says so.
    #[default]
    Allow,
    /// Only in namespaces that an administrator has given the label
    /// `rich.pouch/allow-privileged=true`.
    Labelled,
    /// No: systemd and sbin-init only where the container says `privileged: true` itself.
    Never,
}
