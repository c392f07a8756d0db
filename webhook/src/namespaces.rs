//! What the namespaces say in their labels, from a watch of their metadata.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use futures_util::StreamExt as _;
use inject::Namespace;
use k8s_openapi::api::core::v1::Namespace as Object;
use kube::{
    Api, Client,
    core::{ObjectMeta, PartialObjectMeta},
    runtime::{
        WatchStreamExt as _,
        watcher::{Config, Event, watcher},
    },
};
use tokio::time::timeout;

use crate::cluster::is_name;

/// What a look at one namespace may take of the time that the API server waits for us.
const PATIENCE: Duration = Duration::from_secs(1);

type Known = HashMap<String, Namespace>;

/// The labels that count, of every namespace.
pub struct Namespaces {
    api: Api<PartialObjectMeta<Object>>,
    known: RwLock<Known>,
}

impl Namespaces {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(client: Client) -> Arc<Self> {
        Arc::new(Self { api: Api::all(client), known: RwLock::default() })
    }

    /// What the namespace said when the watch last told of it. One that the watch has not told of
    /// may have been made a moment ago: the API server is asked.
    pub async fn get(&self, name: &str) -> Namespace {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        match known {
            Some(namespace) => namespace,
            None => self.ask(name).await,
        }
    }

    /// What the namespace says this moment: the API server is asked, within a second. A watch can
    /// be behind by minutes, which kube-runtime takes to notice that a connection is dead.
    pub async fn ask(&self, name: &str) -> Namespace {
        if !is_name(name) {
            return Namespace::unreadable();
        }
        match timeout(PATIENCE, self.api.get(name)).await {
            Ok(Ok(object)) => read(&object.metadata),
            Ok(Err(error)) => {
                tracing::warn!(namespace = name, %error, "cannot read a namespace");
                Namespace::unreadable()
            }
            Err(_) => {
                tracing::warn!(namespace = name, "the API server does not tell of a namespace");
                Namespace::unreadable()
            }
        }
    }

    /// Follows all changes, as long as the program runs.
    pub async fn watch(self: Arc<Self>) {
        let watch = watcher(self.api.clone(), Config::default());
        let mut events = std::pin::pin!(watch.default_backoff());
        let mut listed = Known::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.take(event, &mut listed),
                Err(error) => tracing::warn!(%error, "the watch of the namespaces broke off"),
            }
        }
    }

    fn take(&self, event: Event<PartialObjectMeta<Object>>, listed: &mut Known) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(object) => insert(listed, object.metadata),
            Event::InitDone => *known = mem::take(listed),
            Event::Apply(object) => insert(&mut known, object.metadata),
            Event::Delete(object) => {
                known.remove(&object.metadata.name.unwrap_or_default());
            }
        }
    }
}

fn insert(known: &mut Known, metadata: ObjectMeta) {
    let namespace = read(&metadata);
    known.insert(metadata.name.unwrap_or_default(), namespace);
}

fn read(metadata: &ObjectMeta) -> Namespace {
    let labels = metadata.labels.iter().flatten();
    Namespace::of(labels.map(|(name, value)| (name.as_str(), value.as_str())))
}
