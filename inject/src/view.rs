//! The part of a pod that the rules and the patch need; everything else is passed over unread.

use std::{borrow::Cow, collections::BTreeMap};

use contract::{Mode, names};
use memchr::{memchr, memmem};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny},
};
use serde_json::{Value, value::RawValue};

use crate::{object::objects, path, text::Text};

/// A pod, or a pod template.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", bound(deserialize = "'de: 'a"))]
pub struct Pod<'a> {
    #[serde(default, deserialize_with = "null_as_default")]
    pub(crate) metadata: Metadata<'a>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub(crate) spec: PodSpec<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct Metadata<'a> {
    pub generate_name: Option<Text<'a>>,
    pub annotations: Option<BTreeMap<Text<'a>, Text<'a>>>,
    #[serde(default, deserialize_with = "null_as_default")]
    pub owner_references: Vec<OwnerReference<'a>>,
    /// Who wrote which field, as the API server keeps it; read only where that decides.
    pub managed_fields: Option<&'a RawValue>,
}

/// An object that another belongs to.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub struct OwnerReference<'a> {
    /// The API group and version of its kind.
    pub api_version: Text<'a>,
    /// Its kind.
    pub kind: Text<'a>,
    /// Its name.
    pub name: Text<'a>,
    /// What tells it from all others that ever had its name.
    pub uid: Text<'a>,
    pub(crate) controller: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct PodSpec<'a> {
    #[serde(rename = "hostPID")]
    pub host_pid: Option<bool>,
    pub share_process_namespace: Option<bool>,
    pub termination_grace_period_seconds: Option<i64>,
    pub os: Option<Os<'a>>,
    pub node_selector: Option<BTreeMap<Text<'a>, Text<'a>>>,
    pub affinity: Option<Affinity<'a>>,
    pub image_pull_secrets: Option<Vec<LocalReference<'a>>>,
    pub service_account_name: Option<Text<'a>>,
    pub security_context: Option<SecurityContext>,
    #[serde(deserialize_with = "null_as_default")]
    pub containers: Vec<Container<'a>>,
    pub init_containers: Option<Vec<Container<'a>>>,
    pub ephemeral_containers: Option<Vec<Container<'a>>>,
    pub volumes: Option<Vec<Volume<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", bound(deserialize = "'de: 'a"))]
pub(crate) struct Os<'a> {
    #[serde(default)]
    pub name: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Affinity<'a> {
    pub node_affinity: Option<NodeAffinity<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct NodeAffinity<'a> {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    pub required: Option<NodeSelector<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct NodeSelector<'a> {
    #[serde(deserialize_with = "null_as_default")]
    pub node_selector_terms: Vec<NodeSelectorTerm<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct NodeSelectorTerm<'a> {
    #[serde(deserialize_with = "null_as_default")]
    pub match_expressions: Vec<SelectorRequirement<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct SelectorRequirement<'a> {
    pub key: Text<'a>,
    pub operator: Text<'a>,
    #[serde(deserialize_with = "null_as_default")]
    pub values: Vec<Text<'a>>,
}

/// An object of the pod's namespace, by name.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct LocalReference<'a> {
    pub name: Text<'a>,
}

/// What a pod's and a container's security context have in common, and the container's own.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub(crate) struct SecurityContext {
    pub privileged: Option<bool>,
    pub allow_privilege_escalation: Option<bool>,
    pub run_as_user: Option<i64>,
    pub run_as_non_root: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Container<'a> {
    pub name: Text<'a>,
    pub image: Option<Text<'a>>,
    pub command: Option<Vec<Text<'a>>>,
    pub args: Option<Vec<Text<'a>>>,
    pub env: Option<Env<'a>>,
    pub security_context: Option<SecurityContext>,
    pub lifecycle: Option<Lifecycle<'a>>,
    pub volume_mounts: Option<Vec<VolumeMount<'a>>>,
    pub volume_devices: Option<Vec<VolumeDevice<'a>>>,
    pub resources: Option<Resources<'a>>,
    pub termination_message_path: Option<Text<'a>>,
}

/// The variables that the injection sets, each with its index among all.
#[derive(Debug)]
pub(crate) struct Env<'a>(pub Vec<(usize, EnvVar<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Env<'a> {
    /// A container may have hundreds of variables: only those are read whose text may name one of
    /// ours, and where none does, they are not even told from each other.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        if text.starts_with('[') && !may_name_ours(text) {
            return Ok(Self(Vec::new()));
        }
        let all: Vec<&RawValue> = skim::from_str(text).map_err(D::Error::custom)?;
        let mut ours = Vec::new();
        for (index, text) in all.into_iter().enumerate().filter(|(_, it)| may_name_ours(it.get())) {
            let variable: EnvVar<'_> = skim::from_str(text.get()).map_err(D::Error::custom)?;
            if variable.name == names::ENV_RICH || variable.name == names::ENV_MODE {
                ours.push((index, variable));
            }
        }
        Ok(Self(ours))
    }
}

/// Both names begin with the first, which with an escape in it may be written in many ways.
fn may_name_ours(text: &str) -> bool {
    let text = text.as_bytes();
    memchr(b'\\', text).is_some() || memmem::find(text, names::ENV_RICH.as_bytes()).is_some()
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct EnvVar<'a> {
    pub name: Text<'a>,
    pub value: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Lifecycle<'a> {
    pub pre_stop: Option<Handler<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Handler<'a> {
    pub exec: Option<Exec<'a>>,
    pub sleep: Option<Sleep>,
    pub http_get: Option<IgnoredAny>,
    pub tcp_socket: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Exec<'a> {
    pub command: Option<Vec<Text<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default)]
pub(crate) struct Sleep {
    pub seconds: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct VolumeMount<'a> {
    pub name: Text<'a>,
    pub mount_path: Text<'a>,
    pub read_only: Option<bool>,
    pub sub_path: Option<Text<'a>>,
    pub sub_path_expr: Option<Text<'a>>,
    pub mount_propagation: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct VolumeDevice<'a> {
    pub device_path: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Resources<'a> {
    pub requests: Option<Amounts<'a>>,
    pub limits: Option<Amounts<'a>>,
}

/// The quantities of what every container can be given.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Amounts<'a> {
    pub cpu: Option<Quantity<'a>>,
    pub memory: Option<Quantity<'a>>,
}

/// The API server writes a text; a user may write a number.
#[derive(Debug, Deserialize)]
#[serde(untagged, bound(deserialize = "'de: 'a"))]
pub(crate) enum Quantity<'a> {
    Text(Text<'a>),
    Other(Value),
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct Volume<'a> {
    pub name: Text<'a>,
    pub empty_dir: Option<Value>,
    pub host_path: Option<HostPath<'a>>,
    pub image: Option<ImageVolume<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct HostPath<'a> {
    pub path: Text<'a>,
    #[serde(rename = "type")]
    pub kind: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct ImageVolume<'a> {
    pub reference: Text<'a>,
}

objects! {
    Pod<'a>, Metadata<'a>, OwnerReference<'a>, PodSpec<'a>, Os<'a>, Affinity<'a>, NodeAffinity<'a>,
    NodeSelector<'a>, NodeSelectorTerm<'a>, SelectorRequirement<'a>, LocalReference<'a>,
    SecurityContext, Container<'a>, EnvVar<'a>, Lifecycle<'a>, Handler<'a>, Exec<'a>, Sleep,
    VolumeMount<'a>, VolumeDevice<'a>, Resources<'a>, Amounts<'a>, Volume<'a>, HostPath<'a>,
    ImageVolume<'a>,
}

/// A file may say `containers: null` or leave it out: both are none.
fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl<'a> Metadata<'a> {
    /// The one owner that makes such objects and deletes them again.
    pub(crate) fn controller(&self) -> Option<&OwnerReference<'a>> {
        self.owner_references.iter().find(|owner| owner.controller == Some(true))
    }
}

impl<'a> Pod<'a> {
    /// The mode that it asks for.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        contract::read(self.annotations()).rich.map(|rich| rich.mode)
    }

    /// The object that made it, such as a ReplicaSet or a Job.
    #[must_use]
    pub fn controller(&self) -> Option<&OwnerReference<'a>> {
        self.metadata.controller()
    }

    /// What its name will begin with, where the API server is to make one.
    #[must_use]
    pub fn generate_name(&self) -> Option<&str> {
        self.metadata.generate_name.as_deref()
    }

    pub(crate) fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        self.metadata.annotations.iter().flatten().map(|(name, value)| (&**name, &**value))
    }

    pub(crate) fn annotation(&self, name: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(name).map(|value| &**value)
    }

    pub(crate) fn init_containers(&self) -> &[Container<'a>] {
        self.spec.init_containers.as_deref().unwrap_or_default()
    }

    pub(crate) fn ephemeral_containers(&self) -> &[Container<'a>] {
        self.spec.ephemeral_containers.as_deref().unwrap_or_default()
    }

    /// Every list of containers, with the name of its field.
    pub(crate) fn containers_by_list(&self) -> [(&'static str, &[Container<'a>]); 3] {
        [
            ("initContainers", self.init_containers()),
            ("containers", &self.spec.containers),
            ("ephemeralContainers", self.ephemeral_containers()),
        ]
    }

    pub(crate) fn volumes(&self) -> &[Volume<'a>] {
        self.spec.volumes.as_deref().unwrap_or_default()
    }
}

impl<'a> Container<'a> {
    pub(crate) fn mounts(&self) -> &[VolumeMount<'a>] {
        self.volume_mounts.as_deref().unwrap_or_default()
    }

    pub(crate) fn has_args(&self) -> bool {
        self.args.as_ref().is_some_and(|args| !args.is_empty())
    }

    /// The variables that the injection sets, as they are, by their index among all.
    pub(crate) fn our_env(&self) -> &[(usize, EnvVar<'a>)] {
        self.env.as_ref().map(|env| &*env.0).unwrap_or_default()
    }

    pub(crate) fn privileged(&self) -> Option<bool> {
        self.security_context.as_ref()?.privileged
    }

    pub(crate) fn pre_stop(&self) -> Option<&Handler<'a>> {
        self.lifecycle.as_ref()?.pre_stop.as_ref()
    }

    pub(crate) fn mounts_at(&self, path: &str) -> bool {
        self.mounts().iter().any(|mount| mount.path() == path)
    }
}

impl VolumeMount<'_> {
    /// The mount path in its one spelling.
    pub(crate) fn path(&self) -> Cow<'_, str> {
        path::clean(&self.mount_path)
    }

    /// Whether more than reading comes of it.
    ///
    /// The kubelet makes the folder of a `subPath` that is not there, in a volume that is mounted
    /// read-only as well (`makeMounts` of k8s.io/kubernetes/pkg/kubelet); and what is mounted on a
    /// `Bidirectional` mount is mounted in the volume for everybody.
    pub(crate) fn may_write(&self) -> bool {
        let is_set = |path: &Option<Text<'_>>| path.as_ref().is_some_and(|path| !path.is_empty());
        self.read_only != Some(true)
            || is_set(&self.sub_path)
            || is_set(&self.sub_path_expr)
            || self.mount_propagation.as_deref() == Some("Bidirectional")
    }
}
