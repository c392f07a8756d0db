//! The agent's own Node: its label and the Events about it.

use k8s_openapi::{
    api::core::v1::{Event, EventSource, Node as NodeObject, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::json;

use contract::names::NODE_READY;

use crate::{VERSION, cluster};

/// Where Events about objects without a namespace are written.
const EVENT_NAMESPACE: &str = "default";
/// The API server takes no longer note.
const LONGEST_NOTE: usize = 1000;
const COMPONENT: &str = "rich-pouch-node-agent";

/// Why the Node could not be labelled or told about.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} Node {node}: {}{}", cluster::sentence(.cause), advice(.cause))]
pub struct NodeError {
    /// What was tried: "label".
    action: &'static str,
    node: String,
    cause: Box<kube::Error>,
}

fn advice(error: &kube::Error) -> &'static str {
    match error {
        kube::Error::Api(status) if status.code == 403 => "; the permission comes with the chart",
        kube::Error::Api(status) if status.code == 404 => "; check --node-name",
        _ => "; it is tried again",
    }
}

/// The Node that this agent runs on.
#[derive(Clone)]
pub struct Node {
    client: Client,
    name: String,
}

impl Node {
    /// The Node of this name.
    #[must_use]
    pub fn new(client: Client, name: String) -> Self {
        Self { client, name }
    }

    /// Sets the label that says that this version's binaries are there, or takes it off.
    ///
    /// Taken off is the label of another version too: nobody verifies its binaries any more. A
    /// patch that changes nothing costs the API server little, and asks for fewer rights than
    /// looking first.
    pub async fn set_ready(&self, ready: bool) -> Result<(), NodeError> {
        let value = ready.then_some(VERSION);
        let patch = Patch::Merge(json!({"metadata": {"labels": {NODE_READY: value}}}));
        let by =
            PatchParams { field_manager: Some(COMPONENT.to_owned()), ..PatchParams::default() };
        Api::<NodeObject>::all(self.client.clone())
            .patch_metadata(&self.name, &by, &patch)
            .await
            .map(|_| ())
            .map_err(|cause| self.failed("label", cause))
    }

    /// Writes an Event about the Node; a warning, or that all is well again.
    pub async fn event(&self, warning: bool, reason: &str, note: &str) -> Result<(), NodeError> {
        let now = || Some(Time(Timestamp::now()));
        let event = Event {
            metadata: ObjectMeta {
                generate_name: Some(format!("{COMPONENT}.")),
                namespace: Some(EVENT_NAMESPACE.to_owned()),
                ..ObjectMeta::default()
            },
            involved_object: ObjectReference {
                api_version: Some("v1".to_owned()),
                kind: Some("Node".to_owned()),
                name: Some(self.name.clone()),
                // The kubelet writes a node's name here too, and `kubectl describe node` looks
                // for it: it spares the agent a question.
                uid: Some(self.name.clone()),
                ..ObjectReference::default()
            },
            type_: Some(if warning { "Warning" } else { "Normal" }.to_owned()),
            reason: Some(reason.to_owned()),
            message: Some(note.chars().take(LONGEST_NOTE).collect()),
            source: Some(EventSource {
                component: Some(COMPONENT.to_owned()),
                host: Some(self.name.clone()),
            }),
            reporting_component: Some(COMPONENT.to_owned()),
            reporting_instance: Some(self.name.clone()),
            first_timestamp: now(),
            last_timestamp: now(),
            count: Some(1),
            ..Event::default()
        };
        Api::<Event>::namespaced(self.client.clone(), EVENT_NAMESPACE)
            .create(&PostParams::default(), &event)
            .await
            .map(|_| ())
            .map_err(|cause| self.failed("write an Event about", cause))
    }

    fn failed(&self, action: &'static str, cause: kube::Error) -> NodeError {
        NodeError { action, node: self.name.clone(), cause: Box::new(cause) }
    }
}

#[cfg(test)]
mod tests {
    use crate::VERSION;

    #[test]
    fn the_version_can_be_the_value_of_a_label() {
        let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        assert!(VERSION.len() <= 63 && VERSION.chars().all(inner));
        assert!(VERSION.starts_with(|c: char| c.is_ascii_alphanumeric()));
        assert!(VERSION.ends_with(|c: char| c.is_ascii_alphanumeric()));
    }
}
