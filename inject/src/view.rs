//! The part of a pod that the rules and the patch need; everything else is passed over unread.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A pod, or a pod template.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Pod {
    #[serde(default, deserialize_with = "null_as_default")]
    pub metadata: Metadata,
    #[serde(default, deserialize_with = "null_as_default")]
    pub spec: PodSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub annotations: Option<BTreeMap<String, String>>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub owner_references: Vec<OwnerReference>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct OwnerReference {
    #[serde(default)]
    pub controller: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct PodSpec {
    #[serde(rename = "hostPID")]
    pub host_pid: Option<bool>,
    pub share_process_namespace: Option<bool>,
    pub termination_grace_period_seconds: Option<i64>,
    pub os: Option<Os>,
    pub node_selector: Option<BTreeMap<String, String>>,
    pub affinity: Option<Affinity>,
    pub image_pull_secrets: Option<Vec<LocalReference>>,
    pub service_account_name: Option<String>,
    pub security_context: Option<SecurityContext>,
    #[serde(deserialize_with = "null_as_default")]
    pub containers: Vec<Container>,
    pub init_containers: Option<Vec<Container>>,
    pub volumes: Option<Vec<Volume>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Os {
    #[serde(default)]
    pub name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Affinity {
    pub node_affinity: Option<NodeAffinity>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NodeAffinity {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    pub required: Option<NodeSelector>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NodeSelector {
    #[serde(deserialize_with = "null_as_default")]
    pub node_selector_terms: Vec<NodeSelectorTerm>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct NodeSelectorTerm {
    #[serde(deserialize_with = "null_as_default")]
    pub match_expressions: Vec<SelectorRequirement>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SelectorRequirement {
    pub key: String,
    pub operator: String,
    #[serde(deserialize_with = "null_as_default")]
    pub values: Vec<String>,
}

/// An object of the pod's namespace, by name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LocalReference {
    pub name: String,
}

/// What a pod's and a container's security context have in common, and the container's own.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SecurityContext {
    pub privileged: Option<bool>,
    pub allow_privilege_escalation: Option<bool>,
    pub run_as_user: Option<i64>,
    pub run_as_non_root: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Container {
    pub name: String,
    pub image: Option<String>,
    pub command: Option<Vec<String>>,
    pub args: Option<Vec<String>>,
    pub env: Option<Vec<EnvVar>>,
    pub security_context: Option<SecurityContext>,
    pub lifecycle: Option<Lifecycle>,
    pub volume_mounts: Option<Vec<VolumeMount>>,
    pub resources: Option<Resources>,
    pub termination_message_path: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EnvVar {
    pub name: String,
    pub value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Lifecycle {
    pub pre_stop: Option<Handler>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Handler {
    pub exec: Option<Exec>,
    pub sleep: Option<Sleep>,
    pub http_get: Option<Value>,
    pub tcp_socket: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Exec {
    pub command: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sleep {
    pub seconds: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct VolumeMount {
    pub name: String,
    pub mount_path: String,
    pub read_only: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Resources {
    pub requests: Option<BTreeMap<String, Value>>,
    pub limits: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Volume {
    pub name: String,
    pub empty_dir: Option<Value>,
    pub host_path: Option<HostPath>,
    pub image: Option<ImageVolume>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HostPath {
    pub path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ImageVolume {
    pub reference: String,
}

/// A file may say `containers: null` or leave it out: both are none.
fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Pod {
    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(name).map(String::as_str)
    }

    pub(crate) fn init_containers(&self) -> &[Container] {
        self.spec.init_containers.as_deref().unwrap_or_default()
    }

    pub(crate) fn volumes(&self) -> &[Volume] {
        self.spec.volumes.as_deref().unwrap_or_default()
    }
}

impl Container {
    pub(crate) fn mounts(&self) -> &[VolumeMount] {
        self.volume_mounts.as_deref().unwrap_or_default()
    }

    pub(crate) fn has_args(&self) -> bool {
        self.args.as_ref().is_some_and(|args| !args.is_empty())
    }

    pub(crate) fn env(&self) -> &[EnvVar] {
        self.env.as_deref().unwrap_or_default()
    }

    pub(crate) fn privileged(&self) -> Option<bool> {
        self.security_context.as_ref()?.privileged
    }

    pub(crate) fn pre_stop(&self) -> Option<&Handler> {
        self.lifecycle.as_ref()?.pre_stop.as_ref()
    }

    pub(crate) fn mounts_at(&self, path: &str) -> bool {
        self.mounts().iter().any(|mount| mount.path() == path)
    }
}

impl VolumeMount {
    /// The mount path without the slashes that mean nothing at its end.
    pub(crate) fn path(&self) -> &str {
        self.mount_path.trim_end_matches('/')
    }
}
