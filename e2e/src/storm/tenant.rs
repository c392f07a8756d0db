//! Somebody who may create pods in one namespace, and nothing else.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use kube::Client;
use serde_json::{Value, json};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{interval, timeout},
};

use super::Input;
use crate::{Namespace, busybox, eventually, release::client_without_retries};

const NAME: &str = "tenant";
/// How many of the tenant's requests are under way at once.
const AT_ONCE: usize = 8;
/// Longer than the API server waits for all webhooks of one pod.
const DEADLINE: Duration = Duration::from_mins(1);

/// What the API server answered to an input: each sentence, and how often.
pub type Answers = BTreeMap<String, u32>;

/// A user with the role "edit" in one namespace.
pub struct Tenant {
    client: Client,
    namespace: String,
}

impl Tenant {
    /// One in this namespace.
    pub async fn of(ns: &Namespace) -> Self {
        ns.create_object(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": NAME},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                        "name": "edit"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User",
                          "name": NAME}],
        }))
        .await;
        let client = client_without_retries(|config| {
            config.auth_info.impersonate = Some(NAME.to_owned());
        })
        .await;
        let tenant = Self { client, namespace: ns.name.clone() };
        let pod = busybox(&["true"]).pod().to_string();
        eventually("the tenant may create pods", async || {
            let input = Input { name: "plain", pod: pod.clone() };
            let (_, answer) = create(tenant.client.clone(), ns.name.clone(), input).await;
            was_admitted(&answer).then_some(())
        })
        .await;
        tenant
    }

    /// Sends each of the inputs so many times, spread over this time, as a dry run: it is judged as
    /// always, and none is kept. Gives the answers to each.
    pub async fn sends(
        &self,
        inputs: &[Input],
        times: u32,
        within: Duration,
    ) -> BTreeMap<&'static str, Answers> {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let count = times * u32::try_from(inputs.len()).expect("a few inputs");
        let mut tick = interval(within / count);
        let mut requests = JoinSet::new();
        for _ in 0..times {
            for input in inputs {
                tick.tick().await;
                let place = Arc::clone(&room).acquire_owned().await.expect("it is never closed");
                let answer = create(self.client.clone(), self.namespace.clone(), input.clone());
                requests.spawn(async move {
                    let answer = answer.await;
                    drop(place);
                    answer
                });
            }
        }
        let mut answers: BTreeMap<&'static str, Answers> = BTreeMap::new();
        for (name, sentence) in requests.join_all().await {
            *answers.entry(name).or_default().entry(sentence).or_default() += 1;
        }
        answers
    }
}

async fn create(client: Client, namespace: String, input: Input) -> (&'static str, String) {
    let uri = format!("/api/v1/namespaces/{namespace}/pods?dryRun=All");
    let request = http::Request::post(uri)
        .header("content-type", "application/json")
        .body(kube::client::Body::from(input.pod.into_bytes()))
        .expect("a request");
    let answer = timeout(DEADLINE, async {
        let response = client.send(request).await.map_err(|it| it.to_string())?;
        let code = response.status();
        let body = response.into_body().collect_bytes().await.map_err(|it| it.to_string())?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        Ok(format!("{code}: {}", short(body["message"].as_str().unwrap_or_default())))
    })
    .await;
    let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {DEADLINE:?}")));
    (input.name, answer.unwrap_or_else(|error: String| error))
}

fn was_admitted(answer: &str) -> bool {
    answer.starts_with("201")
}

/// Whether an answer shows that the webhook was asked: the pod was admitted, or the API server
/// names the webhook that refused it or could not be called.
#[must_use]
pub fn came_to_the_webhook(answer: &str) -> bool {
    was_admitted(answer) || answer.contains("webhook \"pods.rich.pouch\"")
}

/// The beginning of a sentence: some name all that is wrong with an input.
fn short(sentence: &str) -> String {
    sentence.chars().take(200).collect()
}
