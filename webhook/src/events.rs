//! Events that tell the controllers of injected pods about it, for `kubectl describe` and `kubectl
//! get events`.
//!
//! No answer waits for one: they are written by a task of their own, and where there are too many
//! they are dropped. What they say is a mode and a name, never a text of the object's, since who
//! asks the webhook need not be one who may write Events.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use contract::Mode;
use inject::OwnerReference;
use k8s_openapi::{
    api::core::v1::{Event, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
    jiff::Timestamp,
};
use kube::{Api, Client, api::PostParams};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::{
    cluster::{FIELD_MANAGER, Failure, is_name},
    metrics::Metrics,
};

/// The reason that an Event gives.
const REASON: &str = "Injected";
/// The version that injects.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// How many may wait for the API server. The usual burst is a controller's pods, which are one.
const WAITING: usize = 256;
/// How long a controller is told once of a mode.
const QUIET: Duration = Duration::from_mins(10);
/// How many controllers are told in that time, so that nobody makes us write without end, or
/// remember: a name has some hundred bytes.
const CONTROLLERS: usize = 4096;

/// Takes what is to be told.
pub struct Events {
    queue: Sender<Injected>,
    told: Mutex<Told>,
    metrics: Arc<Metrics>,
}

/// Writes what is to be told.
pub struct Writer {
    queue: Receiver<Injected>,
    metrics: Arc<Metrics>,
}

/// A pod that was let through injected.
struct Injected {
    /// The Event's name. The replicas make the same, so that only one of them writes it.
    event: String,
    pod: String,
    mode: Mode,
    controller: ObjectReference,
}

/// The Events since a moment, by their names.
struct Told {
    since: Instant,
    events: HashSet<String>,
}

/// What an Event would be.
enum News {
    /// The first of its name.
    New,
    /// One of those.
    Old,
    /// More than are told.
    TooMany,
}

impl Told {
    fn new() -> Self {
        Self { since: Instant::now(), events: HashSet::new() }
    }

    fn news(&mut self, event: &str) -> News {
        if self.since.elapsed() >= QUIET {
            // The memory that a burst took is given back.
            *self = Self::new();
        }
        if self.events.contains(event) {
            News::Old
        } else if self.events.len() >= CONTROLLERS {
            News::TooMany
        } else {
            self.events.insert(event.to_owned());
            News::New
        }
    }
}

impl Events {
    /// Nothing has been told yet.
    #[must_use]
    pub fn new(metrics: Arc<Metrics>) -> (Self, Writer) {
        let (sender, receiver) = channel(WAITING);
        let told = Mutex::new(Told::new());
        let writer = Writer { queue: receiver, metrics: Arc::clone(&metrics) };
        (Self { queue: sender, told, metrics }, writer)
    }

    /// Tells its controller of a pod that was let through injected, unless that was told lately.
    pub fn injected(&self, namespace: &str, pod: &str, mode: Mode, owner: &OwnerReference<'_>) {
        // What comes from elsewhere than the API server may be no name at all.
        let event = format!("{}.rich-pouch.{}", &*owner.uid, mode.name());
        let names = [namespace, pod, &owner.name, &event];
        if !(names.into_iter().all(is_name) && is_type(&owner.api_version, &owner.kind)) {
            return;
        }
        let news = self.told.lock().unwrap_or_else(PoisonError::into_inner).news(&event);
        let taken = match news {
            News::Old => return,
            News::TooMany => false,
            News::New => {
                let text = |text: &str| Some(text.to_owned());
                let controller = ObjectReference {
                    api_version: text(&owner.api_version),
                    kind: text(&owner.kind),
                    name: text(&owner.name),
                    namespace: text(namespace),
                    uid: text(&owner.uid),
                    ..ObjectReference::default()
                };
                let pod = pod.to_owned();
                self.queue.try_send(Injected { event, pod, mode, controller }).is_ok()
            }
        };
        if !taken {
            self.metrics.told("dropped");
        }
    }
}

impl Writer {
    /// The next Event; none when nobody is left who could tell of one.
    pub async fn next(&mut self) -> Option<Event> {
        Some(self.queue.recv().await?.event())
    }

    /// Writes all Events.
    pub async fn run(mut self, client: Client) {
        let by =
            PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        while let Some(event) = self.next().await {
            let namespace = event.metadata.namespace.as_deref().unwrap_or_default();
            let events = Api::<Event>::namespaced(client.clone(), namespace);
            let outcome = match events.create(&by, &event).await.map_err(Failure::from) {
                Ok(_) => "written",
                Err(failure) if failure.is_conflict() => "known",
                Err(error) => {
                    tracing::warn!(namespace, %error, "cannot write an Event");
                    "failed"
                }
            };
            self.metrics.told(outcome);
        }
    }
}

impl Injected {
    fn event(self) -> Event {
        let now = Some(Time(Timestamp::now()));
        let (pod, mode) = (self.pod, self.mode.name());
        Event {
            metadata: ObjectMeta {
                name: Some(self.event),
                namespace: self.controller.namespace.clone(),
                ..ObjectMeta::default()
            },
            involved_object: self.controller,
            type_: Some("Normal".to_owned()),
            reason: Some(REASON.to_owned()),
            message: Some(format!("Injected pod {pod}: mode {mode}, Rich Pouch {VERSION}")),
            source: Some(EventSource { component: Some(FIELD_MANAGER.to_owned()), host: None }),
            reporting_component: Some(FIELD_MANAGER.to_owned()),
            first_timestamp: now.clone(),
            last_timestamp: now,
            count: Some(1),
            ..Event::default()
        }
    }
}

/// Whether it can be the type of an object. Whoever looks at the Event is shown it.
fn is_type(api_version: &str, kind: &str) -> bool {
    let is_of = |text: &str, others: &[u8]| {
        (1..=253).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
    };
    is_of(api_version, b"./-") && is_of(kind, b"")
}
