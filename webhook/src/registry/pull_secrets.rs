//! The pull secrets of a pod, as the kubelet finds them: its own, else its ServiceAccount's.

use inject::Lookup;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::{Api, Client};

use super::{credentials::DockerConfig, error::Error};
use crate::cluster::{Failure, is_name};

/// The ServiceAccount of a pod that names none.
const DEFAULT: &str = "default";
/// Where Secrets of the two types keep their docker config.
const KEYS: [&str; 2] = [".dockerconfigjson", ".dockercfg"];

/// Reads pull secrets from the API server.
pub struct PullSecrets {
    client: Client,
}

impl PullSecrets {
    /// With a client that may get Secrets and ServiceAccounts.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The docker configs of a pod's pull secrets, in their order. One that does not exist, or
    /// is of another type, is passed over.
    pub(super) async fn read(
        &self,
        namespace: &str,
        lookup: &Lookup,
    ) -> Result<Vec<DockerConfig>, Error> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let mut configs = Vec::new();
        for name in self.names(namespace, lookup).await?.into_iter().filter(|it| is_name(it)) {
            let secret = secrets.get_opt(&name).await.map_err(Failure::from)?;
            let mut data = secret.and_then(|secret| secret.data).unwrap_or_default();
            let json = KEYS.iter().find_map(|key| data.remove(*key));
            configs.extend(json.and_then(|json| DockerConfig::read(&json.0).ok()));
        }
        Ok(configs)
    }

    async fn names(&self, namespace: &str, lookup: &Lookup) -> Result<Vec<String>, Error> {
        if !lookup.pull_secrets.is_empty() {
            return Ok(lookup.pull_secrets.clone());
        }
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let name = lookup.service_account.as_deref().filter(|name| is_name(name));
        let account = accounts.get_opt(name.unwrap_or(DEFAULT)).await.map_err(Failure::from)?;
        let secrets = account.and_then(|account| account.image_pull_secrets).unwrap_or_default();
        Ok(secrets.into_iter().map(|secret| secret.name).collect())
    }
}
