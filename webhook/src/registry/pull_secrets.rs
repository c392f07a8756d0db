//! The pull secrets of a pod, as the kubelet finds them: its own, else its ServiceAccount's.

use contract::limits::SECRETS_ASKED;
use inject::Lookup;
use k8s_openapi::{
    ByteString,
    api::core::v1::{Secret, ServiceAccount},
};
use kube::{Client, Resource, api::GetParams, core::Request};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, SeqAccess, Visitor},
};
use tokio::sync::Semaphore;

use super::{credentials::DockerConfig, error::Error, places::Places};
use crate::cluster::{Failure, is_name};

/// The ServiceAccount of a pod that names none.
const DEFAULT: &str = "default";
/// How many objects are read at once, of one namespace and of all: each may have 1.5 MiB.
const AT_ONCE_OF_ONE: usize = 1;
const AT_ONCE: usize = 4;

/// Reads pull secrets from the API server.
pub struct PullSecrets {
    client: Client,
    namespaces: Places,
    at_once: Semaphore,
}

/// What counts of a Secret.
#[derive(Deserialize)]
struct Keys {
    data: Option<Data>,
}

/// Where Secrets of the two types keep their docker config.
#[derive(Deserialize)]
struct Data {
    #[serde(rename = ".dockerconfigjson")]
    config: Option<ByteString>,
    #[serde(rename = ".dockercfg")]
    elder: Option<ByteString>,
}

/// What counts of a ServiceAccount.
#[derive(Deserialize)]
struct Account {
    #[serde(default, rename = "imagePullSecrets")]
    secrets: Option<Names>,
}

/// The first names of a list.
struct Names(Vec<String>);

#[derive(Deserialize)]
struct Name {
    #[serde(default)]
    name: String,
}

impl PullSecrets {
    /// With a client that may get Secrets and ServiceAccounts.
    #[must_use]
    pub fn new(client: Client) -> Self {
        let namespaces = Places::new(AT_ONCE_OF_ONE);
        Self { client, namespaces, at_once: Semaphore::new(AT_ONCE) }
    }

    /// The names of a pod's pull secrets, in their order; the first of them, where there are many.
    /// None of them has been looked at: they come from a review, or from an object of a tenant's.
    pub(super) async fn names(
        &self,
        namespace: &str,
        lookup: &Lookup,
    ) -> Result<Vec<String>, Error> {
        if !lookup.pull_secrets.is_empty() {
            return Ok(lookup.pull_secrets.iter().take(SECRETS_ASKED).cloned().collect());
        }
        let name = lookup.service_account.as_deref().unwrap_or(DEFAULT);
        let account: Option<Account> = self.get::<ServiceAccount, _>(namespace, name).await?;
        Ok(account.and_then(|account| account.secrets).map(|names| names.0).unwrap_or_default())
    }

    /// The docker config of a Secret; none where it does not exist, or is of another type.
    pub(super) async fn read(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<DockerConfig>, Error> {
        let keys: Option<Keys> = self.get::<Secret, _>(namespace, name).await?;
        let data = keys.and_then(|keys| keys.data);
        let json = data.and_then(|data| data.config.or(data.elder));
        Ok(json.and_then(|json| DockerConfig::read(&json.0)))
    }

    /// What counts of an object, where there is one, and where it can have such a name.
    async fn get<K: Resource<DynamicType = ()>, T: DeserializeOwned>(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<T>, Error> {
        if !(is_name(namespace) && is_name(name)) {
            return Ok(None);
        }
        // The semaphores are never closed.
        let busy = |_| Error::PullSecrets("too many are read at once".to_owned());
        let _own = self.namespaces.take(namespace).await.map_err(busy)?;
        let _turn = self.at_once.acquire().await.map_err(busy)?;
        let request = Request::new(K::url_path(&(), Some(namespace)));
        let request = request.get(name, &GetParams::default());
        let request = request.map_err(|error| Error::PullSecrets(error.to_string()))?;
        match self.client.request(request).await.map_err(Failure::from) {
            Ok(object) => Ok(Some(object)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Names;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of names")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while names.len() < SECRETS_ASKED
                    && let Some(Name { name }) = list.next_element()?
                {
                    names.push(name);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Names(names))
            }
        }
        deserializer.deserialize_seq(List)
    }
}
