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
    /// Whether what namespaces say makes a difference.
    #[must_use]
    pub fn asks_for_namespaces(&self) -> bool {
        self.pod_security || self.privileged == Privileged::Labelled
    }
}

const fn yes() -> bool {
    true
}

/// Whether an annotation may make a container privileged.
///
/// Pod Security, quotas and every other admission judge the pod after the injection all the
/// same, so that "allow" gives nobody a pod that they could not have written themselves.
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
