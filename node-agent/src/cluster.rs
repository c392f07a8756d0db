//! The connection to the API server, and its errors in words.

use std::{error::Error as _, time::Duration};

use kube::{Client, Config, config::InferConfigError};

/// A call that takes longer is tried again.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Why there is nobody to call.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is neither a service account nor a kubeconfig.
    #[error(
        "cannot find out how to reach the API server: {0}; run in a pod with a service account, or set KUBECONFIG"
    )]
    Config(InferConfigError),
    /// What was found makes no client.
    #[error("cannot call the API server: {}; check the service account or KUBECONFIG", sentence(.0))]
    Client(Box<kube::Error>),
}

/// A client for the service account of the pod, or else for the kubeconfig. Nothing is sent yet.
pub async fn connect() -> Result<Client, ConnectError> {
    let mut config = Config::infer().await.map_err(ConnectError::Config)?;
    config.connect_timeout = Some(TIMEOUT);
    config.read_timeout = Some(TIMEOUT);
    config.write_timeout = Some(TIMEOUT);
    Client::try_from(config).map_err(|error| ConnectError::Client(Box::new(error)))
}

/// What went wrong with a call: the API server's own message, or all causes of a failure to
/// reach it, which the error alone does not print.
pub(crate) fn sentence(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return status.message.clone();
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some of them print their cause.
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    text
}
