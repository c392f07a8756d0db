//! A pod that was created, seen as a user sees it.

use futures::{AsyncBufRead, AsyncBufReadExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::{
    Api,
    api::{
        AttachParams, AttachedProcess, DeleteParams, ListParams, LogParams, Patch, PatchParams,
        WatchEvent, WatchParams,
    },
};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::{Namespace, eventually, patiently};

/// A pod that was created.
pub struct RunningPod {
    pods: Api<Pod>,
    events: Api<Event>,
    name: String,
}

impl RunningPod {
    pub(crate) fn new(namespace: &Namespace, pod: Pod) -> Self {
        Self {
            pods: namespace.api(),
            events: namespace.api(),
            name: pod.metadata.name.expect("a name"),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The pod as it is now.
    pub async fn now(&self) -> Pod {
        self.pods.get(&self.name).await.expect("the pod")
    }

    async fn container(&self) -> Option<ContainerStatus> {
        let pod = self.pods.get(&self.name).await.ok()?;
        pod.status?.container_statuses?.into_iter().find(|it| it.name == "app")
    }

    /// Waits until the container runs.
    pub async fn started(&self) -> &Self {
        eventually(&format!("pod {} is running", self.name), async || {
            self.container().await?.state?.running
        })
        .await;
        self
    }

    /// Waits until the container has ended, and gives its exit code.
    pub async fn exit_code(&self) -> i32 {
        self.ended().await.0
    }

    /// Waits until the container has ended, and gives its exit code and termination message.
    pub async fn ended(&self) -> (i32, String) {
        let ended = eventually(&format!("pod {} has ended", self.name), async || {
            self.container().await?.state?.terminated
        })
        .await;
        (ended.exit_code, ended.message.unwrap_or_default())
    }

    /// How often the container was started again.
    pub async fn restarts(&self) -> i32 {
        self.container().await.map_or(0, |container| container.restart_count)
    }

    /// `kubectl logs`.
    pub async fn logs(&self) -> String {
        self.logs_by(&LogParams::default()).await
    }

    /// `kubectl logs` with flags.
    pub async fn logs_by(&self, params: &LogParams) -> String {
        let params = LogParams { container: Some("app".to_owned()), ..params.clone() };
        self.pods.logs(&self.name, &params).await.expect("logs")
    }

    /// `kubectl logs`, as it comes; with `follow` until the container has ended.
    pub async fn log_stream(&self, follow: bool) -> impl AsyncBufRead + Send + 'static {
        let params =
            LogParams { container: Some("app".to_owned()), follow, ..LogParams::default() };
        self.pods.log_stream(&self.name, &params).await.expect("a log")
    }

    /// Waits until the pod is in this phase, and gives it.
    pub async fn phase(&self, phase: &str) -> String {
        eventually(&format!("pod {} is {phase}", self.name), async || {
            self.pods.get(&self.name).await.ok()?.status?.phase.filter(|it| it == phase)
        })
        .await
    }

    /// `kubectl logs --follow`, until the container has ended.
    pub async fn follow(&self) -> impl Future<Output = String> {
        let stream = self.log_stream(true).await;
        let reading = tokio::spawn(async move {
            let mut text = String::new();
            let mut lines = stream.lines();
            while let Some(Ok(line)) = lines.next().await {
                text.push_str(&line);
                text.push('\n');
            }
            text
        });
        async { reading.await.expect("a log") }
    }

    /// What `kubectl describe` shows as warnings.
    pub async fn warnings(&self) -> Vec<String> {
        let field = format!("type=Warning,involvedObject.name={}", self.name);
        let params = ListParams::default().fields(&field);
        let events = self.events.list(&params).await.expect("events");
        events.items.into_iter().filter_map(|event| event.message).collect()
    }

    /// Deletes the pod gracefully, and gives the exit code that its container then has.
    pub async fn delete_and_see_the_end(&self) -> i32 {
        let field = format!("metadata.name={}", self.name);
        let watching = WatchParams::default().fields(&field).timeout(290);
        let version = self.now().await.metadata.resource_version.expect("a version");
        let changes = self.pods.watch(&watching, &version).await.expect("a watch");
        self.pods.delete(&self.name, &DeleteParams::default()).await.expect("a deletion");
        let mut changes = std::pin::pin!(changes);
        patiently(&format!("the end of {}", self.name), async {
            loop {
                let change = changes.next().await.expect("a watch that goes on");
                let (WatchEvent::Modified(pod) | WatchEvent::Deleted(pod)) =
                    change.expect("an event")
                else {
                    continue;
                };
                let containers = pod.status.and_then(|it| it.container_statuses);
                let app = containers.into_iter().flatten().find(|it| it.name == "app");
                if let Some(ended) = app.and_then(|it| it.state?.terminated) {
                    return ended.exit_code;
                }
            }
        })
        .await
    }

    /// Waits until `kubectl logs` has this text.
    pub async fn logs_with(&self, text: &str) -> String {
        eventually(&format!("the log of {} has \"{text}\"", self.name), async || {
            let params = LogParams { container: Some("app".to_owned()), ..LogParams::default() };
            self.pods.logs(&self.name, &params).await.ok().filter(|log| log.contains(text))
        })
        .await
    }

    /// `kubectl exec`: what the command writes to stdout, then to stderr.
    pub async fn exec(&self, command: &[&str]) -> String {
        self.started().await;
        let params = AttachParams::default().container("app").stderr(true);
        let mut process =
            self.pods.exec(&self.name, command.iter().copied(), &params).await.expect("an exec");
        let (mut out, mut err) = (String::new(), String::new());
        let mut stdout = process.stdout().expect("stdout");
        let mut stderr = process.stderr().expect("stderr");
        let both = async {
            futures::future::join(stdout.read_to_string(&mut out), stderr.read_to_string(&mut err))
                .await
        };
        let read = patiently(&format!("{command:?} in {}", self.name), both).await;
        read.0.and(read.1).expect("output");
        process.join().await.expect("an exec that ends");
        out + &err
    }

    /// `kubectl exec` of what goes on.
    pub async fn enter(&self, command: &[&str]) -> AttachedProcess {
        let params = AttachParams::default().container("app");
        self.pods.exec(&self.name, command.iter().copied(), &params).await.expect("an exec")
    }

    /// Whether the API server would add an ephemeral container to the pod, and else why not.
    pub async fn would_be_debugged(&self, container: &Value) -> Result<(), String> {
        let patch = json!({"spec": {"ephemeralContainers": [container]}});
        let params = PatchParams { dry_run: true, ..PatchParams::default() };
        let patch = Patch::Strategic(patch);
        match self.pods.patch_ephemeral_containers(&self.name, &params, &patch).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) => Err(status.message),
            Err(other) => panic!("no answer of the API server: {other}"),
        }
    }

    /// Waits until a command in the container prints what is looked for.
    pub async fn exec_until(&self, command: &[&str], found: impl Fn(&str) -> bool) -> String {
        eventually(&format!("{command:?} in {} prints it", self.name), async || {
            Some(self.exec(command).await).filter(|text| found(text))
        })
        .await
    }

    /// `kubectl delete pod`, which stops it gracefully; waits until it is gone.
    pub async fn delete(&self) {
        self.pods.delete(&self.name, &DeleteParams::default()).await.expect("a deletion");
        eventually(&format!("pod {} is gone", self.name), async || {
            self.pods.get_opt(&self.name).await.ok()?.is_none().then_some(())
        })
        .await;
    }
}
