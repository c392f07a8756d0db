//! The part of a pod that the rules and the patch need; everything else is passed over unread.

use contract::{Mode, limits};
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::{
    annotations::Annotations,
    architectures::Terms,
    env::{Env, EnvVar},
    list,
    object::objects,
    path,
    quantity::Quantity,
    text::Text,
};

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
    pub annotations: Option<Annotations<'a>>,
    /// The one owner that makes such objects and deletes them again.
    #[serde(default, rename = "ownerReferences", deserialize_with = "controller")]
    pub controller: Option<OwnerReference<'a>>,
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
    pub node_selector: Option<NodeLabels<'a>>,
    pub affinity: Option<Affinity>,
    #[serde(deserialize_with = "list::pull_secrets")]
    pub image_pull_secrets: Option<Vec<LocalReference<'a>>>,
    pub service_account_name: Option<Text<'a>>,
    pub security_context: Option<Box<SecurityContext>>,
    #[serde(deserialize_with = "containers")]
    pub containers: Vec<Container<'a>>,
    #[serde(deserialize_with = "list::containers")]
    pub init_containers: Option<Vec<Container<'a>>>,
    #[serde(deserialize_with = "list::containers")]
    pub ephemeral_containers: Option<Vec<Container<'a>>>,
    #[serde(deserialize_with = "list::volumes")]
    pub volumes: Option<Box<[Volume<'a>]>>,
}

#[derive(Debug, Deserialize)]
#[serde(remote = "Self", bound(deserialize = "'de: 'a"))]
pub(crate) struct Os<'a> {
    #[serde(default)]
    pub name: Text<'a>,
}

/// The labels of a node that a pod can ask for and that have a meaning here.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct NodeLabels<'a> {
    #[serde(rename = "kubernetes.io/os")]
    pub os: Option<Text<'a>>,
    #[serde(rename = "kubernetes.io/arch")]
    pub architecture: Option<Text<'a>>,
    /// `contract::names::NODE_READY`.
    #[serde(rename = "rich.pouch/ready")]
    pub ready: Option<Text<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub(crate) struct Affinity {
    pub node_affinity: Option<NodeAffinity>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default)]
pub(crate) struct NodeAffinity {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    pub required: Option<NodeSelector>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub(crate) struct NodeSelector {
    #[serde(deserialize_with = "null_as_default")]
    pub node_selector_terms: Terms,
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

/// A container. A pod may have many of which there is nothing to say, so that what needs much room
/// has a place of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct Container<'a> {
    pub name: Text<'a>,
    pub image: Option<Text<'a>>,
    #[serde(default, deserialize_with = "list::words")]
    pub command: Option<Box<[Text<'a>]>>,
    #[serde(default, rename = "args", deserialize_with = "has_words")]
    pub has_args: bool,
    pub env: Option<Env<'a>>,
    pub security_context: Option<Box<SecurityContext>>,
    pub lifecycle: Option<Box<Lifecycle<'a>>>,
    #[serde(default, deserialize_with = "list::volume_mounts")]
    pub volume_mounts: Option<Box<[VolumeMount<'a>]>>,
    #[serde(default, deserialize_with = "list::volume_devices")]
    pub volume_devices: Option<Box<[VolumeDevice<'a>]>>,
    pub resources: Option<Box<Resources<'a>>>,
    /// In its one spelling, where it is not the usual one.
    #[serde(default, deserialize_with = "termination_message_path")]
    pub termination_message_path: Option<Box<Text<'a>>>,
}

/// Where Kubernetes puts the termination message unless the container says otherwise.
const TERMINATION_LOG: &str = "/dev/termination-log";

fn termination_message_path<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Box<Text<'a>>>, D::Error> {
    let path = Option::<Text<'a>>::deserialize(deserializer)?;
    let path = path.filter(|path| !path.is_empty()).map(|path| path.map(path::clean));
    Ok(path.filter(|path| *path != TERMINATION_LOG).map(Box::new))
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
    #[serde(deserialize_with = "list::words")]
    pub command: Option<Box<[Text<'a>]>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default)]
pub(crate) struct Sleep {
    pub seconds: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct VolumeMount<'a> {
    pub name: Text<'a>,
    /// The mount path in its one spelling.
    #[serde(default, rename = "mountPath", deserialize_with = "clean_path")]
    pub path: Text<'a>,
    pub read_only: Option<bool>,
    /// Whether it names a `subPath`.
    #[serde(default, rename = "subPath", deserialize_with = "has_text")]
    pub has_sub_path: bool,
    /// The same for a `subPathExpr`.
    #[serde(default, rename = "subPathExpr", deserialize_with = "has_text")]
    pub has_sub_path_expr: bool,
    /// Whether its `mountPropagation` is `Bidirectional`.
    #[serde(default, rename = "mountPropagation", deserialize_with = "is_bidirectional")]
    pub is_bidirectional: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct VolumeDevice<'a> {
    #[serde(rename = "devicePath", deserialize_with = "clean_path")]
    pub path: Text<'a>,
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

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct Volume<'a> {
    pub name: Text<'a>,
    pub empty_dir: Option<EmptyDir<'a>>,
    pub host_path: Option<HostPath<'a>>,
    pub image: Option<ImageVolume<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(remote = "Self", default, bound(deserialize = "'de: 'a"))]
pub(crate) struct EmptyDir<'a> {
    pub medium: Option<Text<'a>>,
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
    Pod<'a>, Metadata<'a>, OwnerReference<'a>, PodSpec<'a>, Os<'a>, NodeLabels<'a>, Affinity,
    NodeAffinity, NodeSelector, LocalReference<'a>, SecurityContext, Container<'a>, Lifecycle<'a>,
    Handler<'a>, Exec<'a>, Sleep, VolumeMount<'a>, VolumeDevice<'a>, Resources<'a>, Amounts<'a>,
    Volume<'a>, EmptyDir<'a>, HostPath<'a>, ImageVolume<'a>,
}

/// A file may say `containers: null` or leave it out: both are none.
pub(crate) fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

fn containers<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<Container<'a>>, D::Error> {
    list::containers(deserializer).map(Option::unwrap_or_default)
}

/// Whether a list has words; which they are, and how many, makes no difference.
fn has_words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let words = Option::<Vec<IgnoredAny>>::deserialize(deserializer)?;
    Ok(words.is_some_and(|words| !words.is_empty()))
}

fn clean_path<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Text<'a>, D::Error> {
    Text::deserialize(deserializer).map(|path| path.map(path::clean))
}

fn has_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = Option::<Text<'de>>::deserialize(deserializer)?;
    Ok(text.is_some_and(|text| !text.is_empty()))
}

fn is_bidirectional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = Option::<Text<'de>>::deserialize(deserializer)?;
    Ok(text.is_some_and(|text| text == "Bidirectional"))
}

/// The first owner that controls the object.
fn controller<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<OwnerReference<'a>>, D::Error> {
    let mut controller = None;
    list::each(deserializer, &limits::OWNERS, |owner: OwnerReference<'a>| {
        if controller.is_none() && owner.controller == Some(true) {
            controller = Some(owner);
        }
    })?;
    Ok(controller)
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
        self.metadata.controller.as_ref()
    }

    /// What its name will begin with, where the API server is to make one.
    #[must_use]
    pub fn generate_name(&self) -> Option<&str> {
        self.metadata.generate_name.as_deref()
    }

    pub(crate) fn annotations(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.metadata.annotations.iter().flat_map(Annotations::iter);
        all.map(|(name, value)| (&**name, &**value))
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

    /// The variables that the injection sets, as they are, by their index among all.
    pub(crate) fn our_env(&self) -> &[(usize, EnvVar<'a>)] {
        self.env.as_ref().map(Env::ours).unwrap_or_default()
    }

    pub(crate) fn privileged(&self) -> Option<bool> {
        self.security_context.as_ref()?.privileged
    }

    pub(crate) fn pre_stop(&self) -> Option<&Handler<'a>> {
        self.lifecycle.as_ref()?.pre_stop.as_ref()
    }

    pub(crate) fn mounts_at(&self, path: &str) -> bool {
        self.mounts().iter().any(|mount| mount.path == path)
    }
}

impl VolumeMount<'_> {
    /// Whether more than reading comes of it.
    ///
    /// The kubelet makes the folder of a `subPath` that is not there, in a volume that is mounted
    /// read-only as well (`makeMounts` of k8s.io/kubernetes/pkg/kubelet); and what is mounted on a
    /// `Bidirectional` mount is mounted in the volume for everybody.
    pub(crate) fn may_write(&self) -> bool {
        self.read_only != Some(true)
            || self.has_sub_path
            || self.has_sub_path_expr
            || self.is_bidirectional
    }
}
