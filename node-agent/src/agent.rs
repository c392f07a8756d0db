//! The two things that the agent does for ever: keep the node ready, where it is to provision it,
//! and probe the webhook.

use std::{
    convert::Infallible,
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    VERSION,
    backoff::Backoff,
    node::Node,
    probe::{Outcome, Probe, Report},
    provision::{Binaries, Fault, ProvisionError},
    status::Status,
};

/// What is told when the webhook does what it must.
const WELL: &str = "the webhook refused a pod with an initscript and no mode, as it must";

/// The parts, joined.
#[derive(Clone)]
pub struct Agent {
    /// What is to be on the host; nothing where the agent does not provision.
    pub binaries: Option<Arc<Binaries>>,
    /// Who is told that it is.
    pub node: Node,
    /// Who is asked.
    pub probe: Probe,
    /// What everybody may know.
    pub status: Arc<Status>,
    /// How often.
    pub interval: Duration,
}

impl Agent {
    /// Provisions for the first time. Where that fails the Node does not keep a label that is
    /// not true, and the agent is not to go on: the kubelet shows that it does not start.
    pub async fn start(&self) -> Result<(), ProvisionError> {
        let Some(binaries) = self.binaries.clone() else {
            return Ok(());
        };
        let outcome = blocking(move || {
            binaries.clean()?;
            binaries.provision()
        });
        match outcome.await {
            Ok(faults) => {
                for fault in faults {
                    tracing::info!(%fault, version = VERSION, "provisioned");
                }
                self.status.provisioned(None);
                Ok(())
            }
            Err(error) => {
                self.label(false).await;
                Err(error)
            }
        }
    }

    /// Verifies, heals and labels, every interval and sooner after a failure; does nothing where
    /// the agent does not provision.
    pub async fn keep_ready(&self) -> Infallible {
        let Some(binaries) = &self.binaries else {
            return pending().await;
        };
        let mut backoff = Backoff::new(self.interval);
        let mut provisioned = true;
        let mut told = None;
        loop {
            let labelled = self.label(provisioned).await;
            if labelled && told != Some(provisioned) {
                told = Some(provisioned);
                let ready = provisioned;
                tracing::info!(ready, version = VERSION, "the Node's label says so");
            }
            sleep(backoff.after(provisioned && labelled)).await;
            provisioned = self.heal(Arc::clone(binaries)).await;
        }
    }

    async fn heal(&self, binaries: Arc<Binaries>) -> bool {
        match blocking(move || binaries.provision()).await {
            Ok(faults) => {
                for fault in &faults {
                    tracing::warn!(%fault, version = VERSION, "healed");
                }
                self.status.healed(faults.len());
                self.status.provisioned(None);
                true
            }
            Err(error) => {
                tracing::error!(%error, "the binaries cannot be healed");
                self.status.provisioned(Some(error.to_string()));
                false
            }
        }
    }

    async fn label(&self, ready: bool) -> bool {
        match self.node.set_ready(ready).await {
            Ok(()) => {
                let wrong = (!ready).then(|| "not set while binaries are missing".to_owned());
                self.status.labelled(wrong);
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the Node keeps the label that it has");
                self.status.api_error(error.to_string());
                false
            }
        }
    }

    /// Asks the webhook, every interval and sooner after a failure.
    pub async fn keep_probing(&self) -> Infallible {
        let mut backoff = Backoff::new(self.interval);
        let mut report = Report::new(self.interval, Instant::now());
        loop {
            let (outcome, words) = match self.probe.run().await {
                Ok(()) => (Outcome::Refused, WELL.to_owned()),
                Err(error) => (error.outcome(), error.to_string()),
            };
            let well = outcome == Outcome::Refused;
            if report.changes(outcome, Instant::now()) {
                let outcome = outcome.name();
                if well {
                    tracing::info!(outcome, "admission probe");
                } else {
                    tracing::error!(outcome, why = words, "admission probe");
                }
            }
            if report.due(Instant::now()) {
                let reason = if well { "AdmissionProbeSucceeded" } else { "AdmissionProbeFailed" };
                match self.node.event(!well, reason, &words).await {
                    Ok(()) => report.told(),
                    Err(error) => tracing::warn!(%error, "no Event was written"),
                }
            }
            self.status.probed(outcome, words);
            sleep(backoff.after(well)).await;
        }
    }
}

/// Runs what waits for a disk beside the runtime's thread, which serves /livez meanwhile.
async fn blocking(
    work: impl FnOnce() -> Result<Vec<Fault>, ProvisionError> + Send + 'static,
) -> Result<Vec<Fault>, ProvisionError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // It is never cancelled, and a panic ends the program.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
