//! What the end-to-end tests have in common: a real cluster, a namespace for each test, and
//! words for pods that let a test read as the sentence that it checks.
//!
//! The cluster is the one of the KUBECONFIG; `make e2e` starts it and installs the chart there.
//! Every wait is for a condition, with [`PATIENCE`] as the bound.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]
#![allow(clippy::missing_panics_doc, reason = "a test fails by a panic")]

mod app;
mod kubectl;
mod namespace;
mod pod;
mod registry;
mod release;

use std::time::Duration;

pub use app::{App, Node, busybox, debian, image, image_itself};
pub use kubectl::{Said, cluster, kubectl, kubectl_apply};
pub use namespace::{Namespace, in_labelled_namespace, in_namespace};
pub use pod::RunningPod;
pub use registry::Registry;
pub use release::{
    RELEASE, RELEASE_NAMESPACE, client, metric, webhook, with_entrypoints, without_webhook,
};

/// How long a test waits for anything: a loaded machine is slow, a broken product is never right.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// Waits until the future gives something, or fails the test in the name of `what`.
pub async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(PATIENCE, future).await else {
        panic!("{what}: not within {PATIENCE:?}")
    };
    value
}

/// Asks again and again until the answer is something, or fails the test in the name of `what`.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    patiently(what, async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            // The pace of asking; what is waited for is the answer.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
}
