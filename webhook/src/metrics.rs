//! What is counted, under Prometheus' names.

use std::{borrow::Cow, fmt, sync::atomic::AtomicU64, time::Duration};

use contract::rules;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::Registry,
};

use crate::admission::Decision;

/// From a tenth of a millisecond, as most answers take less than five, to the API server's
/// longest patience.
const BUCKETS: [f64; 14] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0,
];

/// Every metric of the program.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    duration: Family<PathLabel, Histogram, fn() -> Histogram>,
    rejected: Family<RuleLabel, Counter>,
    refused: Family<CodeLabel, Counter>,
    lookups: Family<OutcomeLabel, Counter>,
    not_after: Gauge<u64, AtomicU64>,
    failing: Gauge<u64, AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    path: &'static str,
    kind: Cow<'static, str>,
    decision: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PathLabel {
    path: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RuleLabel {
    rule: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let mut metrics = Self {
            registry: Registry::with_prefix("rich_pouch"),
            requests: Family::default(),
            duration: Family::new_with_constructor(histogram),
            rejected: Family::default(),
            refused: Family::default(),
            lookups: Family::default(),
            not_after: Gauge::default(),
            failing: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        // A rule that was never broken is a zero and not a gap.
        for rule in rules::ALL {
            let _ = self.rejected.get_or_create(&RuleLabel { rule: rule.code });
        }
        self.registry.register(
            "admission_requests",
            "Admission reviews answered, by path, kind of object and decision",
            self.requests.clone(),
        );
        self.registry.register(
            "admission_duration_seconds",
            "Time from the end of a request's headers to its answer, by path",
            self.duration.clone(),
        );
        self.registry.register(
            "admission_rejections",
            "Times that a rule was broken, by rule",
            self.rejected.clone(),
        );
        self.registry.register(
            "http_refusals",
            "Requests that held no admission review to answer, by HTTP code",
            self.refused.clone(),
        );
        self.registry.register(
            "entrypoint_lookups",
            "Images whose entrypoint was looked up, by outcome",
            self.lookups.clone(),
        );
        self.registry.register(
            "certificate_not_after_timestamp_seconds",
            "When the serving certificate expires, in Unix time; 0 without a certificate",
            self.not_after.clone(),
        );
        self.registry.register(
            "certificate_failing",
            "1 while the certificate cannot be read, renewed or made trusted; the last good one is \
             served on",
            self.failing.clone(),
        );
        self.registry.register(
            "build",
            "The version that runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))].to_vec()),
        );
    }

    /// Is to be 1 while the certificate's keeper fails.
    #[must_use]
    pub fn certificate_failing(&self) -> Gauge<u64, AtomicU64> {
        self.failing.clone()
    }

    /// Counts an answer.
    pub fn answered(&self, path: &'static str, kind: Cow<'static, str>, decision: &Decision) {
        let labels = RequestLabels { path, kind, decision: decision.name() };
        self.requests.get_or_create(&labels).inc();
        for rule in decision.rules() {
            self.rejected.get_or_create(&RuleLabel { rule }).inc();
        }
    }

    /// Counts a request that was no review.
    pub fn refused(&self, code: u16) {
        self.refused.get_or_create(&CodeLabel { code }).inc();
    }

    /// Counts an image whose entrypoint was looked up.
    pub fn looked_up(&self, outcome: &'static str) {
        self.lookups.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Measures an answer.
    pub fn took(&self, path: &'static str, duration: Duration) {
        self.duration.get_or_create(&PathLabel { path }).observe(duration.as_secs_f64());
    }

    /// The text that Prometheus reads.
    pub fn encode(&self, certificate_not_after: u64) -> Result<String, fmt::Error> {
        self.not_after.set(certificate_not_after);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::rules;

    #[test]
    fn the_names_are_those_that_dashboards_are_made_with() {
        let metrics = Metrics::default();
        let decision = Decision::Deny(vec![rules::HOST_PID.broken_at("spec.hostPID")]);
        metrics.answered("/mutate", "Pod".into(), &decision);
        metrics.took("/mutate", Duration::from_micros(200));
        metrics.refused(413);
        metrics.looked_up("asked");
        let text = metrics.encode(7).unwrap();
        for line in [
            r#"rich_pouch_admission_requests_total{path="/mutate",kind="Pod",decision="deny"} 1"#,
            r#"rich_pouch_admission_duration_seconds_bucket{le="0.00025",path="/mutate"} 1"#,
            r#"rich_pouch_admission_rejections_total{rule="host-pid"} 1"#,
            r#"rich_pouch_admission_rejections_total{rule="windows"} 0"#,
            r#"rich_pouch_http_refusals_total{code="413"} 1"#,
            r#"rich_pouch_entrypoint_lookups_total{outcome="asked"} 1"#,
            "rich_pouch_certificate_not_after_timestamp_seconds 7",
            concat!("rich_pouch_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
