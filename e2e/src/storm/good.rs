//! Pods as everybody creates them, at a steady pace.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::PostParams};
use tokio::{
    task::JoinSet,
    time::{Instant, interval, timeout},
};

use crate::{Namespace, busybox, release::client_without_retries};

/// How many are sent, and how long after each other.
const PODS: usize = 1000;
const PACE: Duration = Duration::from_millis(50);
/// After this long there was no answer. The API server gives a webhook 5 s, and asks up to three
/// times for one pod.
const DEADLINE: Duration = Duration::from_secs(30);

/// What the API server answered to the pods, and how fast.
#[derive(Debug)]
pub struct Admissions {
    latencies: Vec<Duration>,
    /// Why the others were not admitted.
    pub refusals: Vec<String>,
}

impl Admissions {
    /// How many were admitted, and are rich.
    #[must_use]
    pub fn admitted(&self) -> usize {
        self.latencies.len()
    }

    /// The time within which 99 of 100 admitted ones were answered.
    #[must_use]
    pub fn p99(&self) -> Duration {
        let mut latencies = self.latencies.clone();
        latencies.sort_unstable();
        let rank = (latencies.len() * 99).div_ceil(100);
        rank.checked_sub(1).map_or(Duration::MAX, |at| latencies[at])
    }
}

/// Sends a thousand pods, 20 a second, in a server-side dry run: each is admitted as always, and
/// none is kept.
pub async fn good_pods(ns: &Namespace) -> Admissions {
    let pod = busybox(&["true"]).rich("mode", "dumb-init").pod();
    let pod: Arc<Pod> = Arc::new(serde_json::from_value(pod).expect("a pod"));
    // A client of its own: what others send is not before it in a connection.
    let client = client_without_retries(|_| ()).await;
    let mut creations = JoinSet::new();
    let mut tick = interval(PACE);
    for _ in 0..PODS {
        tick.tick().await;
        creations.spawn(create(client.clone(), ns.name.clone(), Arc::clone(&pod)));
    }
    let (mut latencies, mut refusals) = (Vec::new(), Vec::new());
    for answer in creations.join_all().await {
        match answer {
            Ok(latency) => latencies.push(latency),
            Err(sentence) => refusals.push(sentence),
        }
    }
    Admissions { latencies, refusals }
}

async fn create(client: Client, namespace: String, pod: Arc<Pod>) -> Result<Duration, String> {
    let pods: Api<Pod> = Api::namespaced(client, &namespace);
    let params = PostParams { dry_run: true, ..PostParams::default() };
    let begun = Instant::now();
    let created = timeout(DEADLINE, pods.create(&params, &pod)).await;
    let latency = begun.elapsed();
    let created = created.map_err(|_| format!("no answer within {DEADLINE:?}"))?;
    let created = serde_json::to_value(created.map_err(|it| it.to_string())?);
    let command = &created.map_err(|it| it.to_string())?["spec"]["containers"][0]["command"][0];
    if command == "/.rich/rich" { Ok(latency) } else { Err(format!("not rich: {command}")) }
}
