//! The HTTPS side: bytes to a review, a verdict to bytes.

mod body;
mod refusal;
mod room;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
    routing::post,
};
use inject::{Known, Privileged, Settings, Target};
use prometheus::Histogram;

use self::{body::Bodies, refusal::Refusal};
use crate::{
    admission::{self, Decision, Envelope, GroupVersionKind, Verdict},
    events::Events,
    metrics::Metrics,
    namespaces::Namespaces,
    registry::Registry,
};

/// What answers admission reviews.
pub struct Api {
    settings: Settings,
    namespaces: Option<Arc<Namespaces>>,
    registry: Option<Registry>,
    metrics: Arc<Metrics>,
    bodies: Bodies,
    events: Option<Events>,
}

/// One of the two questions.
struct Question {
    path: &'static str,
    answer: fn(&admission::Request<'_>, &Settings, &Known) -> Verdict,
    durations: Histogram,
    /// Whether the object is as it will be: it has its name, and no webhook changes it any more.
    is_last: bool,
}

impl Api {
    /// Answers by these settings, and with what namespaces and a registry say where they may be
    /// asked; a body must be there within `body_deadline`.
    #[must_use]
    pub fn new(
        settings: Settings,
        namespaces: Option<Arc<Namespaces>>,
        registry: Option<Registry>,
        metrics: Arc<Metrics>,
        body_deadline: Duration,
    ) -> Self {
        let bodies = Bodies::new(body_deadline);
        Self { settings, namespaces, registry, metrics, bodies, events: None }
    }

    /// Tells the controllers of injected pods about it.
    #[must_use]
    pub fn telling(self, events: Events) -> Self {
        Self { events: Some(events), ..self }
    }

    /// The routes, which need no socket.
    pub fn router(self) -> Router {
        let api = Arc::new(self);
        Router::new()
            .merge(api.ask("/mutate", admission::mutate, false))
            .merge(api.ask("/validate", admission::validate, true))
            .method_not_allowed_fallback(async |State(api): State<Arc<Api>>| {
                api.refuse(&Refusal::Method)
            })
            .fallback(async |State(api): State<Arc<Api>>| api.refuse(&Refusal::Path))
            .with_state(api)
    }

    fn ask(
        &self,
        path: &'static str,
        answer: fn(&admission::Request<'_>, &Settings, &Known) -> Verdict,
        is_last: bool,
    ) -> Router<Arc<Self>> {
        let durations = self.metrics.durations(path);
        let question = Arc::new(Question { path, answer, durations, is_last });
        let reply = async move |api, request| Self::reply(api, &question, request).await;
        Router::new().route(path, post(reply))
    }

    async fn reply(
        State(api): State<Arc<Self>>,
        question: &Question,
        request: Request,
    ) -> Response {
        let start = Instant::now();
        match api.answer(question, request, start).await {
            Ok(answer) => ([(CONTENT_TYPE, "application/json")], answer).into_response(),
            Err(refusal) => api.refuse(&refusal),
        }
    }

    async fn answer(
        &self,
        question: &Question,
        request: Request,
        start: Instant,
    ) -> Result<Vec<u8>, Refusal> {
        let (body, _room) = self.bodies.read(request).await?;
        let request = Envelope::read(&body)?;
        let verdict = self.judge(question, &request).await;
        let kind = known_kind(&request.kind, &self.settings);
        self.metrics.answered(question.path, kind, &verdict.decision);
        let answer = admission::response(&request.uid, &verdict).map_err(Refusal::Answer)?;
        let duration = start.elapsed();
        question.durations.observe(duration.as_secs_f64());
        log(question, &request, &verdict.decision, duration);
        if question.is_last {
            self.tell(&request, &verdict.decision);
        }
        Ok(answer)
    }

    /// Asks the rules. Asks them again with what a registry says, where that decides, and with what
    /// the namespace says this moment, where its label lets an annotation add privilege.
    async fn judge(&self, question: &Question, request: &admission::Request<'_>) -> Verdict {
        let mut known = Known::default();
        if let Some(namespaces) = &self.namespaces {
            known.namespace = namespaces.get(&request.namespace).await;
        }
        let mut verdict = (question.answer)(request, &self.settings, &known);
        if let Some(registry) = &self.registry
            && !verdict.lookup.is_empty()
        {
            known.entrypoints = registry.resolve(&request.namespace, &verdict.lookup).await;
            verdict = (question.answer)(request, &self.settings, &known);
        }
        if verdict.adds_privilege
            && self.settings.privileged == Privileged::Labelled
            && let Some(namespaces) = &self.namespaces
        {
            // The watch may have missed that the label was taken away. Asked last, as the time
            // until the object is written counts.
            let now = namespaces.ask(&request.namespace).await;
            if now != known.namespace {
                known.namespace = now;
                verdict = (question.answer)(request, &self.settings, &known);
            }
        }
        verdict
    }

    /// What may be created at the last question is as it should be: a rich pod is injected.
    fn tell(&self, request: &admission::Request<'_>, decision: &Decision) {
        if let (Some(events), Decision::Allow, false) = (&self.events, decision, request.dry_run)
            && let Some(pod) = request.new_pod()
            && let (Some(mode), Some(controller)) = (pod.mode(), pod.controller())
        {
            events.injected(&request.namespace, &request.name, mode, controller);
        }
    }

    fn refuse(&self, refusal: &Refusal) -> Response {
        let code = refusal.code();
        self.metrics.refused(code.as_u16());
        // The sentence may quote the body, which no log is to hold.
        tracing::warn!(code = code.as_u16(), "refused a request that is no admission review");
        let mut answer = (code, refusal.to_string()).into_response();
        if code == StatusCode::SERVICE_UNAVAILABLE {
            // The API server sends it again then, within its own deadline (checkWait in
            // k8s.io/client-go/rest/with_retry.go).
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }
}

fn log(
    question: &Question,
    request: &admission::Request<'_>,
    decision: &Decision,
    duration: Duration,
) {
    tracing::info!(
        path = question.path,
        uid = short(&request.uid),
        kind = short(&request.kind.kind),
        namespace = short(&request.namespace),
        name = short(&request.display_name()),
        operation = short(&request.operation),
        dry_run = request.dry_run,
        decision = decision.name(),
        rules = decision.rules().join(","),
        seconds = duration.as_secs_f64(),
        "answered"
    );
}

/// No name in Kubernetes is longer; what is does not come from the API server.
fn short(name: &str) -> &str {
    if name.len() <= 253 { name } else { "(too long)" }
}

/// A label of few values, whatever is sent.
fn known_kind<'a>(kind: &GroupVersionKind<'_>, settings: &'a Settings) -> &'a str {
    match Target::find(&kind.group, &kind.kind, settings) {
        Some(Target::Pod | Target::EphemeralContainers) => "Pod",
        Some(Target::Workload(workload)) => &workload.kind,
        None => "other",
    }
}
