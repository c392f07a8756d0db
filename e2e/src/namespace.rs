//! A namespace for each test.

use futures::FutureExt as _;
use k8s_openapi::api::core::v1::{
    ConfigMap, Event, Namespace as NamespaceObject, Pod, ServiceAccount,
};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::ObjectMeta,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, panic::AssertUnwindSafe};

use crate::{App, RunningPod, client, eventually, kubectl::cluster_reads};

/// What marks a namespace as a test's, so that a run can take away what a killed one left.
const LABEL: &str = "rich-pouch-e2e";

/// A namespace that lives as long as its test.
pub struct Namespace {
    /// A client of the cluster.
    pub client: Client,
    /// Its name.
    pub name: String,
}

/// Runs a test in a namespace of its own, and deletes that when the test has ended.
pub async fn in_namespace(test: impl AsyncFnOnce(&Namespace)) {
    in_labelled_namespace(&[], test).await;
}

/// The same, in a namespace with these labels.
pub async fn in_labelled_namespace(labels: &[(&str, &str)], test: impl AsyncFnOnce(&Namespace)) {
    let namespace = Namespace::create(labels).await;
    let ended = AssertUnwindSafe(test(&namespace)).catch_unwind().await;
    namespace.delete().await;
    if let Err(panic) = ended {
        std::panic::resume_unwind(panic);
    }
}

impl Namespace {
    async fn create(labels: &[(&str, &str)]) -> Self {
        let client = client().await;
        let mut labels: BTreeMap<String, String> =
            labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        labels.insert(LABEL.to_owned(), "true".to_owned());
        let metadata = ObjectMeta {
            generate_name: Some("e2e-".to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        };
        let object = NamespaceObject { metadata, ..NamespaceObject::default() };
        let created = Api::all(client.clone())
            .create(&PostParams::default(), &object)
            .await
            .expect("a namespace that can be created");
        let namespace = Self { client, name: created.metadata.name.expect("a name") };
        let accounts: Api<ServiceAccount> = namespace.api();
        eventually("the namespace's default ServiceAccount", async || {
            accounts.get_opt("default").await.ok().flatten()
        })
        .await;
        namespace
    }

    async fn delete(&self) {
        let namespaces: Api<NamespaceObject> = Api::all(self.client.clone());
        // The pods' own grace would only hold the next tests up.
        let pods: Api<Pod> = self.api();
        let at_once = DeleteParams::default().grace_period(0);
        let _ = pods.delete_collection(&at_once, &ListParams::default()).await;
        let _ = namespaces.delete(&self.name, &DeleteParams::default()).await;
    }

    /// The objects of one kind in the namespace.
    #[must_use]
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Puts scripts into a ConfigMap.
    pub async fn scripts(&self, name: &str, scripts: &[(&str, &str)]) {
        let object = ConfigMap {
            metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
            data: Some(
                scripts
                    .iter()
                    .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                    .collect(),
            ),
            ..ConfigMap::default()
        };
        self.api().create(&PostParams::default(), &object).await.expect("a ConfigMap");
    }

    /// Creates the pod.
    pub async fn run(&self, app: &App) -> RunningPod {
        let pod = self.create_pod(&app.pod(), false).await.expect("a pod that is accepted");
        RunningPod::new(self, pod)
    }

    /// Checks that the API server accepts the pod, without creating it, and gives it back as it
    /// would have been created.
    pub async fn accepts(&self, app: &App) -> Value {
        self.accepts_pod(&app.pod()).await
    }

    /// The same for a pod as JSON.
    pub async fn accepts_pod(&self, pod: &Value) -> Value {
        let pod = self.create_pod(pod, true).await;
        serde_json::to_value(pod.expect("a pod that is accepted")).expect("JSON")
    }

    /// Checks that the API server refuses the pod, and that it says so with this sentence.
    pub async fn refuses(&self, app: &App, sentence: &str) {
        match self.create_pod(&app.pod(), true).await {
            Ok(_) => panic!("it was accepted, but should be refused with: {sentence}"),
            Err(kube::Error::Api(status)) => {
                assert!(status.message.contains(sentence), "{}\nlacks: {sentence}", status.message);
            }
            Err(other) => panic!("no answer of the API server: {other}"),
        }
    }

    async fn create_pod(&self, pod: &Value, dry_run: bool) -> kube::Result<Pod> {
        let pod: Pod = serde_json::from_value(pod.clone()).expect("a pod");
        self.api().create(&PostParams { dry_run, ..PostParams::default() }, &pod).await
    }

    /// Creates an object of any kind that has JSON of its own.
    pub async fn create_object(&self, object: &Value) -> DynamicObject {
        let created = self.post(object, false).await;
        created.expect("an object that is accepted")
    }

    /// Whether the API server would take the object, and else why not.
    pub async fn would_take(&self, object: &Value) -> Result<(), String> {
        match self.post(object, true).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) => Err(status.message),
            Err(other) => panic!("no answer of the API server: {other}"),
        }
    }

    async fn post(&self, object: &Value, dry_run: bool) -> kube::Result<DynamicObject> {
        let object: DynamicObject =
            serde_json::from_value(object.clone()).expect("an object of the API");
        let types = object.types.clone().expect("apiVersion and kind");
        let gvk = kube::core::GroupVersionKind::try_from(&types).expect("an API version");
        let resource = kube::core::ApiResource::from_gvk(&gvk);
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.name, &resource);
        api.create(&PostParams { dry_run, ..PostParams::default() }, &object).await
    }

    /// Sets a label of the namespace itself, as its administrator does.
    pub async fn label(&self, name: &str, value: &str) {
        let patch = json!({"metadata": {"labels": {name: value}}});
        Api::<NamespaceObject>::all(self.client.clone())
            .patch(&self.name, &PatchParams::default(), &Patch::Merge(patch))
            .await
            .expect("a patch that is accepted");
    }

    /// What is told about the objects of one kind for one reason.
    pub async fn events(&self, kind: &str, reason: &str) -> Vec<String> {
        let field = format!("involvedObject.kind={kind},reason={reason}");
        let params = ListParams::default().fields(&field);
        let events = self.api::<Event>().list(&params).await.expect("events");
        events.items.into_iter().filter_map(|event| event.message).collect()
    }

    /// The first pod of the namespace that the condition holds for.
    pub async fn pod_where(&self, what: &str, condition: impl Fn(&Value) -> bool) -> RunningPod {
        let pods: Api<Pod> = self.api();
        let pod = eventually(what, async || {
            let list = pods.list(&ListParams::default()).await.ok()?;
            list.items
                .into_iter()
                .filter(|pod| pod.metadata.deletion_timestamp.is_none())
                .find(|pod| serde_json::to_value(pod).is_ok_and(|json| condition(&json)))
        })
        .await;
        RunningPod::new(self, pod)
    }

    /// `kubectl ARGUMENTS` in the namespace, which must succeed.
    pub async fn kubectl(&self, arguments: &[&str]) -> String {
        self.kubectl_reads(arguments, "").await
    }

    /// The same with `-f -` and an object as its input.
    pub async fn kubectl_with(&self, arguments: &[&str], object: &Value) -> String {
        self.kubectl_reads(&[arguments, &["-f", "-"]].concat(), &object.to_string()).await
    }

    async fn kubectl_reads(&self, arguments: &[&str], input: &str) -> String {
        let all = [&["kubectl", "--namespace", &self.name], arguments].concat();
        let said = cluster_reads(&all, input).await;
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.text);
        said.text
    }
}
