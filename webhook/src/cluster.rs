//! The connection to the API server, and its failures in one sentence.

use std::{error::Error as _, fmt, time::Duration};

use kube::{Client, Config};

/// Who the API server notes down as having written a field.
pub(crate) const FIELD_MANAGER: &str = "rich-pouch-webhook";

/// Long enough for a busy API server; the next try comes soon.
const PATIENCE: Duration = Duration::from_secs(15);

/// A call to the API server that failed.
#[derive(Debug)]
pub struct Failure(Box<kube::Error>);

impl Failure {
    /// Whether no API server answered at all.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        self.code().is_none()
    }

    /// Whether the object is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// Whether there is an object of that name already.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.code() == Some(409)
    }

    /// Whether the same call would fail again, as it is not the API server's load or health.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.code().is_some_and(|code| (400..500).contains(&code) && code != 429)
    }

    fn code(&self) -> Option<u16> {
        match &*self.0 {
            kube::Error::Api(status) => Some(status.code),
            _ => None,
        }
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The library prints a status with all its fields, and before a cause the same again.
        if let kube::Error::Api(status) = &*self.0 {
            f.write_str(&status.message)?;
            return match status.code {
                403 => f.write_str("; the permission comes with the installation"),
                404 => f.write_str("; it comes with the installation"),
                _ => Ok(()),
            };
        }
        let Some(mut error) = self.0.source() else {
            return write!(f, "{}", self.0);
        };
        write!(f, "{error}")?;
        while let Some(cause) = error.source() {
            write!(f, ": {cause}")?;
            error = cause;
        }
        f.write_str("; see whether the API server can be reached")
    }
}

impl std::error::Error for Failure {}

/// Where the API server is cannot be found out.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Neither a service account nor a kubeconfig.
    #[error(
        "cannot find the API server: {0}; run in a pod with a service account token, or set KUBECONFIG"
    )]
    Configuration(#[source] kube::config::InferConfigError),
    /// Its address or credentials make no client.
    #[error("cannot make a client for the API server: {0}")]
    Client(#[source] Failure),
}

/// A client by the pod's service account, or else by the kubeconfig.
pub async fn connect() -> Result<Client, ConnectError> {
    connect_with(Some(PATIENCE)).await
}

/// A client for watches: they are silent as long as nothing changes, and whoever watches knows for
/// how long at the most.
pub async fn connect_to_watch() -> Result<Client, ConnectError> {
    connect_with(None).await
}

async fn connect_with(read_timeout: Option<Duration>) -> Result<Client, ConnectError> {
    let mut config = Config::infer().await.map_err(ConnectError::Configuration)?;
    config.connect_timeout = Some(PATIENCE);
    config.read_timeout = read_timeout;
    config.write_timeout = Some(PATIENCE);
    Client::try_from(config).map_err(|error| ConnectError::Client(error.into()))
}

/// Whether an object can have this name. It becomes a part of a path, and nobody may have looked at
/// it before us: the API server checks a pod after it was changed.
pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= 253
        && name.bytes().next().is_some_and(is_plain)
        && name.bytes().all(|byte| is_plain(byte) || byte == b'-' || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_in_its_namespace() {
        for name in ["pull", "a.b-c", "0"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "..", "a/../../b/secrets/c", "a%2fb", "a?b", "a#b", "A", "\u{e4}"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_name(&"a".repeat(253)) && !is_name(&"a".repeat(254)));
    }
}
