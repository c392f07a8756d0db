//! The admission probe: the webhook is asked, from this node, to admit a pod that it must refuse.
//!
//! It is reached exactly as the API server reaches it: by the registration's Service and path,
//! trusting only the registration's CA, within the registration's timeout. So a refusal proves
//! that registration, network, certificate and rules work together.

mod registration;
mod report;
mod review;
mod transport;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use k8s_openapi::api::{
    admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration},
    core::v1::Service,
};
use kube::{Api, Client, api::GetParams};

use crate::cluster;

use registration::{Entry, Path, Target};
pub use report::Report;
use review::Verdict;
use transport::Endpoint;

/// How a probe ended, as the metric names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The webhook refused the pod, as it must.
    Refused,
    /// The webhook admitted the pod: wrong combinations are let in.
    Admitted,
    /// The webhook answered, but not as it must.
    Unexpected,
    /// The webhook cannot be reached: the API server refuses every annotated pod.
    Unreachable,
    /// The registration is not in place: annotated pods go by the webhook.
    Unregistered,
    /// The API server could not be asked for the registration.
    Unknown,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 6] = [
        Self::Refused,
        Self::Admitted,
        Self::Unexpected,
        Self::Unreachable,
        Self::Unregistered,
        Self::Unknown,
    ];

    /// Its name in the metric.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Admitted => "admitted",
            Self::Unexpected => "unexpected",
            Self::Unreachable => "unreachable",
            Self::Unregistered => "unregistered",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a probe did not end in a refusal.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// See [`Outcome::Admitted`].
    #[error(
        "{0} of the webhook admitted a pod with an initscript and no mode, which it must refuse: wrong combinations are let in; check which program answers at the registered Service"
    )]
    Admitted(&'static str),
    /// See [`Outcome::Unexpected`].
    #[error("{path} of the webhook did not answer as it must: {what}; see the webhook's log")]
    Unexpected {
        /// The path that was asked.
        path: &'static str,
        /// What is wrong with the answer.
        what: String,
    },
    /// See [`Outcome::Unreachable`].
    #[error(
        "the webhook at {service} cannot be reached from this node: {what}; until it can be, annotated pods are refused"
    )]
    Unreachable {
        /// The Service and how far the connection came.
        service: String,
        /// What went wrong.
        what: String,
    },
    /// See [`Outcome::Unregistered`].
    #[error(
        "the webhook's registration is not in place: {0}; install the chart again, or wait until the webhook has put its certificate there"
    )]
    Unregistered(String),
    /// See [`Outcome::Unknown`].
    #[error("cannot read {what} from the API server: {}", cluster::sentence(.cause))]
    Api {
        /// The kind and name of what was to be read.
        what: String,
        /// What the client said.
        cause: Box<kube::Error>,
    },
}

impl ProbeError {
    /// The outcome that this is.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Admitted(_) => Outcome::Admitted,
            Self::Unexpected { .. } => Outcome::Unexpected,
            Self::Unreachable { .. } => Outcome::Unreachable,
            Self::Unregistered(_) => Outcome::Unregistered,
            Self::Api { .. } => Outcome::Unknown,
        }
    }
}

/// Asks the webhook.
#[derive(Clone)]
pub struct Probe {
    client: Client,
    registration: String,
    identity: Option<(PathBuf, PathBuf)>,
}

impl Probe {
    /// Probes the webhook that is registered under this name, and shows it the certificate and the
    /// key in these files, if there are any.
    #[must_use]
    pub fn new(client: Client, registration: String, identity: Option<(PathBuf, PathBuf)>) -> Self {
        Self { client, registration, identity }
    }

    /// Checks the registration and asks both paths of the webhook; well is a refusal by both.
    pub async fn run(&self) -> Result<(), ProbeError> {
        for target in [self.mutating().await?, self.validating().await?] {
            self.ask(target).await?;
        }
        Ok(())
    }

    async fn mutating(&self) -> Result<Target, ProbeError> {
        let (name, any) = (&self.registration, GetParams::any());
        let api: Api<MutatingWebhookConfiguration> = Api::all(self.client.clone());
        let what = || format!("MutatingWebhookConfiguration {name}");
        let found = found(api.get_with(name, &any).await, what)?;
        let entries = found.webhooks.iter().flatten().map(Entry::from);
        check(&entries.collect::<Vec<_>>(), Path::Mutate, what)
    }

    async fn validating(&self) -> Result<Target, ProbeError> {
        let (name, any) = (&self.registration, GetParams::any());
        let api: Api<ValidatingWebhookConfiguration> = Api::all(self.client.clone());
        let what = || format!("ValidatingWebhookConfiguration {name}");
        let found = found(api.get_with(name, &any).await, what)?;
        let entries = found.webhooks.iter().flatten().map(Entry::from);
        check(&entries.collect::<Vec<_>>(), Path::Validate, what)
    }

    async fn ask(&self, target: Target) -> Result<(), ProbeError> {
        let Target { path, service, namespace, port, ca, timeout } = target;
        let any = GetParams::any();
        let api: Api<Service> = Api::namespaced(self.client.clone(), &namespace);
        let what = || format!("Service {namespace}/{service}");
        let found = found(api.get_with(&service, &any).await, what)?;
        let address: IpAddr = found
            .spec
            .and_then(|spec| spec.cluster_ip)
            .and_then(|address| address.parse().ok())
            .ok_or_else(|| ProbeError::Unregistered(format!("{} has no cluster IP", what())))?;

        let endpoint = Endpoint {
            address: SocketAddr::new(address, port),
            server_name: format!("{service}.{namespace}.svc"),
            path_and_query: format!("{}?timeout={}s", path.name(), timeout.as_secs()),
            ca,
            identity: self.identity.clone(),
            timeout,
        };
        let review = review::Review::new();
        let answer = transport::post(&endpoint, review.body()).await.map_err(|error| {
            ProbeError::Unreachable {
                service: format!("{} ({})", endpoint.server_name, endpoint.address),
                what: error.to_string(),
            }
        })?;
        match review.judge(answer.status, &answer.body) {
            Verdict::Refused => Ok(()),
            Verdict::Admitted => Err(ProbeError::Admitted(path.name())),
            Verdict::Unexpected(what) => Err(ProbeError::Unexpected { path: path.name(), what }),
        }
    }
}

/// What is not there is the registration's fault; any other failure is the API server's.
fn found<T>(result: Result<T, kube::Error>, what: impl Fn() -> String) -> Result<T, ProbeError> {
    result.map_err(|cause| match cause {
        kube::Error::Api(status) if status.code == 404 => {
            ProbeError::Unregistered(format!("there is no {}", what()))
        }
        cause => ProbeError::Api { what: what(), cause: Box::new(cause) },
    })
}

fn check(
    entries: &[Entry<'_>],
    path: Path,
    what: impl Fn() -> String,
) -> Result<Target, ProbeError> {
    registration::check(entries, path).map_err(|problems| {
        ProbeError::Unregistered(format!("{}: {}", what(), problems.join(", ")))
    })
}
