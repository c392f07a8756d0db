//! What the administrator decides about registries.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

/// The section `entrypoints` of the configuration file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// The registries that may be asked; the first with a host that fits counts.
    pub registries: Vec<Source>,
    /// How long a request may wait for all that must be found out, milliseconds.
    pub timeout_milliseconds: u64,
    /// CAs that are trusted besides the public ones, in PEM.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// A docker config with the webhook's own credentials.
    #[serde(default)]
    pub docker_config_file: Option<PathBuf>,
    /// Whether the pull secrets of the pod and its ServiceAccount are used.
    #[serde(default)]
    pub pull_secrets: bool,
    /// What the cache may hold, bytes.
    #[serde(default = "cache_bytes")]
    pub cache_bytes: usize,
}

/// A registry that may be asked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Source {
    /// Its host, as image names have it, and the port where they have one; `*` is every host.
    pub host: String,
    /// What is asked in its place: a host, and the path below which the repositories are there.
    #[serde(default)]
    pub mirror: Option<String>,
    /// Whether a host that only `*` names may have an address that is not public. One that is
    /// named itself always may.
    #[serde(default)]
    pub private_addresses: bool,
}

fn cache_bytes() -> usize {
    4 * 1024 * 1024
}

impl Settings {
    /// How long a request may wait for all that must be found out.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_milliseconds)
    }
}
