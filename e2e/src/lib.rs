//! What the end-to-end tests have in common: a real cluster, a namespace for each test, and
//! words for pods that let a test read as the sentence that it checks.
//!
//! The cluster is the one of the KUBECONFIG; `make e2e` starts it and installs the chart there.
//! Every wait is for a condition, with a bound that says what was missed.
#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]
#![allow(clippy::missing_panics_doc, reason = "a test fails by a panic")]

mod app;
mod cert_manager;
mod kubectl;
mod namespace;
pub mod page;
mod pod;
mod registry;
mod release;
mod served;
pub mod storm;

use std::time::Duration;

pub use app::{App, Node, busybox, debian, image, image_itself};
pub use cert_manager::CertManager;
pub use kubectl::{Said, cluster, cluster_command, kubectl, kubectl_apply};
pub use namespace::{Namespace, in_labelled_namespace, in_namespace};
pub use pod::RunningPod;
pub use registry::Registry;
pub use release::{
    RELEASE, RELEASE_NAMESPACE, admin_says, client, client_of, may, metric, pod_of,
    release_kubectl, webhook, with_binaries, with_cert_manager, with_certificate, with_client_ca,
    with_entrypoints, with_network_policy, with_privileged, with_webhook_on_the_second_node,
    with_workload, without_release, without_webhook,
};
pub use served::{answers_to, served, trusted};

/// How long a test waits for anything: a loaded machine is slow, an emulated one slower, a broken
/// product is never right.
fn patience() -> Duration {
    Duration::from_mins(2) * Node::tested().slowness() + soak()
}

/// How long a soak is to go on, from `E2E_SOAK` in seconds (`make soak`); 0 in everyday's tests.
#[must_use]
pub fn soak() -> Duration {
    let seconds = std::env::var("E2E_SOAK").ok();
    Duration::from_secs(seconds.map_or(0, |it| it.parse().expect("E2E_SOAK in seconds")))
}

/// Waits until the future gives something, or fails the test in the name of `what`.
pub async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(patience(), future).await else {
        panic!("{what}: not within {:?}", patience())
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
            // The pace of asking; what is waited for is the answer. Each question is work, too.
            tokio::time::sleep(Duration::from_millis(100) * Node::tested().slowness().pow(2)).await;
        }
    })
    .await
}
