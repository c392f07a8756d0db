//! The plain HTTP side, for the kubelet and Prometheus: /livez, /readyz, /metrics.

use std::{sync::Arc, time::SystemTime};

use axum::{
    Router,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};

use prometheus::TEXT_FORMAT;

use crate::{certificate::Resolver, health::Health, metrics::Metrics};

/// The routes, which need no socket.
pub fn router(health: Arc<Health>, metrics: Arc<Metrics>, resolver: Arc<Resolver>) -> Router {
    let alive = Arc::clone(&health);
    Router::new()
        .route("/livez", get(async move || liveness(&alive)))
        .route("/readyz", get(async move || readiness(&health)))
        .route("/metrics", get(async move || exposition(&metrics, &resolver)))
}

fn liveness(health: &Health) -> Response {
    match health.stuck() {
        None => "alive\n".into_response(),
        Some(why) => {
            // The kubelet starts the container anew for it, and shows the sentence to nobody.
            tracing::error!("not alive: {why}");
            (StatusCode::SERVICE_UNAVAILABLE, format!("not alive: {why}\n")).into_response()
        }
    }
}

fn readiness(health: &Health) -> Response {
    match health.missing(SystemTime::now()) {
        None => "ready\n".into_response(),
        Some(missing) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {missing}\n")).into_response()
        }
    }
}

fn exposition(metrics: &Metrics, resolver: &Resolver) -> Response {
    match metrics.encode(resolver.not_after()) {
        Ok(text) => ([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot write the metrics: {error}\n"))
                .into_response()
        }
    }
}
