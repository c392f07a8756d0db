//! The Secret in which every replica finds the same CA and serving certificate.

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use rustls::crypto::CryptoProvider;
use serde_json::json;

use super::{Pair, authority::Material};
use crate::cluster::{FIELD_MANAGER, Failure};

const AUTHORITY: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const SERVING: &str = "tls.crt";
const SERVING_KEY: &str = "tls.key";
/// Each try that is lost was won by another replica, whose certificates are then read.
const TRIES: u32 = 5;

/// Why the Secret does not give certificates.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server did not give it.
    #[error("cannot read the Secret {secret}: {source}")]
    Read {
        /// Namespace and name.
        secret: String,
        /// What went wrong.
        source: Failure,
    },
    /// The API server did not take it.
    #[error("cannot write the Secret {secret}: {source}")]
    Write {
        /// Namespace and name.
        secret: String,
        /// What went wrong.
        source: Failure,
    },
    /// Certificates cannot be made.
    #[error("cannot make a certificate for {name}: {source}; give another --service-name")]
    Make {
        /// The name that it is for.
        name: String,
        /// What is wrong.
        source: rcgen::Error,
    },
    /// Other replicas are always faster.
    #[error("the Secret {0} changes at every try to write it: look for what else writes it")]
    Contended(String),
}

impl Error {
    /// Whether no API server answered at all.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => source.is_silence(),
            Self::Make { .. } | Self::Contended(_) => false,
        }
    }
}

/// A Secret of ours, by name. The Secret itself comes with the installation.
#[derive(Debug)]
pub struct Store {
    api: Api<Secret>,
    secret: String,
    name: String,
    names: Vec<String>,
    provider: Arc<CryptoProvider>,
}

impl Store {
    /// The Secret `name` in `namespace`, for the Service `service` of the same namespace.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        service: &str,
        provider: Arc<CryptoProvider>,
    ) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            secret: format!("{namespace}/{name}"),
            name: name.to_owned(),
            names: vec![
                format!("{service}.{namespace}.svc"),
                format!("{service}.{namespace}.svc.cluster.local"),
            ],
            provider,
        }
    }

    /// Reads the Secret and makes what is missing or due in it.
    ///
    /// Replicas do not agree on who writes: the API server takes the first and gives the others
    /// a conflict, and they read again.
    pub async fn current(&self, now: SystemTime) -> Result<(Material, Pair), Error> {
        for _ in 0..TRIES {
            let secret = self.get().await?;
            let material = material(secret.data.unwrap_or_default());
            let defect = match material.examine(&self.names, now, &self.provider) {
                Ok(pair) => return Ok((material, pair)),
                Err(defect) => defect,
            };
            tracing::info!(secret = self.secret, "{defect}");
            let mended = material.mended(&defect, &self.names, now).map_err(|source| {
                Error::Make { name: self.names.first().cloned().unwrap_or_default(), source }
            })?;
            match self.write(&mended, secret.metadata.resource_version).await {
                Ok(_) => tracing::info!(secret = self.secret, "wrote new certificates"),
                Err(kube::Error::Api(status)) if status.is_conflict() => {}
                Err(error) => {
                    return Err(Error::Write { secret: self.secret.clone(), source: error.into() });
                }
            }
        }
        Err(Error::Contended(self.secret.clone()))
    }

    async fn write(
        &self,
        material: &Material,
        resource_version: Option<String>,
    ) -> Result<Secret, kube::Error> {
        let data = [
            (AUTHORITY, &material.authority),
            (AUTHORITY_KEY, &material.authority_key),
            (SERVING, &material.serving),
            (SERVING_KEY, &material.serving_key),
        ]
        .map(|(key, pem)| (key, ByteString(pem.clone().into_bytes())));
        let patch = json!({
            "metadata": {"resourceVersion": resource_version},
            "data": BTreeMap::from(data),
        });
        self.api.patch(&self.name, &PatchParams::apply(FIELD_MANAGER), &Patch::Merge(patch)).await
    }

    async fn get(&self) -> Result<Secret, Error> {
        self.api
            .get(&self.name)
            .await
            .map_err(|error| Error::Read { secret: self.secret.clone(), source: error.into() })
    }
}

fn material(mut data: BTreeMap<String, ByteString>) -> Material {
    let mut take = |key| {
        data.remove(key)
            .and_then(|ByteString(bytes)| String::from_utf8(bytes).ok())
            .unwrap_or_default()
    };
    Material {
        authority: take(AUTHORITY),
        authority_key: take(AUTHORITY_KEY),
        serving: take(SERVING),
        serving_key: take(SERVING_KEY),
    }
}
