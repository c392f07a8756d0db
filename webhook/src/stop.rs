//! How the program ends: in phases that every part can look at and wait for.

use std::time::Duration;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::sleep,
};

/// How far the end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Not in sight.
    Serving,
    /// Every request is answered, and each client asked to connect elsewhere next time.
    Leaving,
    /// No new connection; open requests are answered.
    Draining,
}

/// Knows the phase.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<Phase>);

/// Sets the phase.
pub type Stopper = watch::Sender<Phase>;

impl Stop {
    /// The beginning, and who may end it.
    #[must_use]
    pub fn new() -> (Stopper, Self) {
        let (stopper, phase) = watch::channel(Phase::Serving);
        (stopper, Self(phase))
    }

    /// Whether clients should go elsewhere.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        *self.0.borrow() >= Phase::Leaving
    }

    /// Waits until no new connection is taken.
    pub async fn draining(&mut self) {
        // Who could still stop us is gone: nothing is left to wait for.
        let _ = self.0.wait_for(|phase| *phase >= Phase::Draining).await;
    }
}

/// Waits for SIGTERM or SIGINT, then leaves for `delay`, then drains.
///
/// The delay is for those who have not yet heard that this replica is no longer ready.
pub async fn on_signal(stopper: Stopper, delay: Duration) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!(delay = delay.as_secs(), "asked to stop: not ready any more, serving on");
    stopper.send_replace(Phase::Leaving);
    sleep(delay).await;
    tracing::info!("draining");
    stopper.send_replace(Phase::Draining);
    Ok(())
}
