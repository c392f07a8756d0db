//! The images whose entrypoint must be known, and what has been found out about them.
//!
//! Whoever can ask a registry does so; here it is only said what to ask for.

use std::collections::BTreeMap;

use contract::limits;

use crate::{architectures::Architectures, view::Pod};

/// What must be found out before an object can be judged for good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// The images whose entrypoint decides.
    pub images: Vec<Image>,
    /// The Secrets that the pod gives for pulling them, the first of them.
    pub pull_secrets: Vec<String>,
    /// The ServiceAccount whose pull secrets count where the pod gives none.
    pub service_account: Option<String>,
}

/// An image as a pod names it, on the nodes that the pod may come to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Image {
    /// Its name, as it stands in the pod.
    pub name: String,
    /// The architectures of those nodes.
    pub architectures: Architectures,
}

/// What an image runs where a pod does not say it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entrypoint {
    /// What stands before the pod's `args`.
    pub entrypoint: Vec<String>,
    /// What stands in their place where there are none.
    pub cmd: Vec<String>,
}

/// What has been found out: the entrypoint of each image, or why it is not known.
pub type Entrypoints = BTreeMap<Image, Result<Entrypoint, String>>;

impl Lookup {
    /// What is to be found out for a pod that runs these images.
    pub(crate) fn new(pod: &Pod, mut images: Vec<Image>) -> Self {
        if images.is_empty() {
            return Self::default();
        }
        images.sort_unstable();
        images.dedup();
        let secrets = pod.spec.image_pull_secrets.iter().flatten().take(limits::SECRETS_ASKED);
        Self {
            images,
            pull_secrets: secrets.map(|secret| secret.name.to_string()).collect(),
            service_account: pod.spec.service_account_name.as_ref().map(ToString::to_string),
        }
    }

    /// Whether nothing is missing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }
}
