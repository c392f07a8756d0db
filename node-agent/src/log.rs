//! The log: one JSON object a line, on standard output.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Begins to log.
pub fn start(level: LevelFilter) {
    // Only our own lines: what the libraries have to tell comes back to us as errors, and their
    // lines may hold what we do not log ourselves.
    let ours = Targets::new().with_target("node_agent", level);
    let lines =
        fmt::layer().json().flatten_event(true).with_current_span(false).with_span_list(false);
    tracing_subscriber::registry().with(ours).with(lines).init();
}
