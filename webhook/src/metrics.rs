//! What is counted, under Prometheus' names.

use contract::rules;
use prometheus::{
    Error, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder, core::Collector,
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
    requests: IntCounterVec,
    duration: HistogramVec,
    rejections: IntCounterVec,
    refusals: IntCounterVec,
    evictions: IntCounterVec,
    lookups: IntCounterVec,
    events: IntCounterVec,
    not_after: IntGauge,
    failing: IntGauge,
    client_ca_failing: IntGauge,
}

impl Metrics {
    /// Nothing has happened yet. It fails only where a name here is none to Prometheus.
    pub fn new() -> Result<Self, Error> {
        let registry = Registry::new_custom(Some("rich_pouch".to_owned()), None)?;
        let counter = |name, help, labels: &[&str]| {
            register(&registry, IntCounterVec::new(Opts::new(name, help), labels)?)
        };
        let gauge = |name, help| register(&registry, IntGauge::new(name, help)?);
        let duration = HistogramOpts::new(
            "admission_duration_seconds",
            "Time from the end of a request's headers to its answer, by path",
        );
        let version = [("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
        let build = Opts::new("build_info", "The version that runs").const_labels(version.into());
        register(&registry, IntGauge::with_opts(build)?)?.set(1);
        let metrics = Self {
            requests: counter(
                "admission_requests_total",
                "Admission reviews answered, by path, kind of object and decision",
                &["path", "kind", "decision"],
            )?,
            duration: register(
                &registry,
                HistogramVec::new(duration.buckets(BUCKETS.into()), &["path"])?,
            )?,
            rejections: counter(
                "admission_rejections_total",
                "Reviews in which a rule was broken, by rule",
                &["rule"],
            )?,
            refusals: counter(
                "http_refusals_total",
                "Requests that held no admission review to answer, by HTTP code",
                &["code"],
            )?,
            evictions: counter(
                "connections_evicted_total",
                "Connections closed to make room for new ones, by port",
                &["port"],
            )?,
            lookups: counter(
                "entrypoint_lookups_total",
                "Images whose entrypoint was looked up, by outcome",
                &["outcome"],
            )?,
            events: counter(
                "events_total",
                "Events about injected pods, by outcome",
                &["outcome"],
            )?,
            not_after: gauge(
                "certificate_not_after_timestamp_seconds",
                "When the serving certificate expires, in Unix time; 0 without a certificate",
            )?,
            failing: gauge(
                "certificate_failing",
                "1 while the certificate cannot be read, renewed or made trusted; the last good \
                 one is served on",
            )?,
            client_ca_failing: gauge(
                "client_ca_failing",
                "1 while the CAs of clients cannot be read; the last good ones count on",
            )?,
            registry,
        };
        // A rule that was never broken is a zero and not a gap.
        for rule in rules::ALL {
            metrics.rejections.get_metric_with_label_values(&[rule.code])?;
        }
        Ok(metrics)
    }

    /// Is to be 1 while the certificate's keeper fails.
    #[must_use]
    pub fn certificate_failing(&self) -> IntGauge {
        self.failing.clone()
    }

    /// Is to be 1 while the CAs of clients cannot be read.
    #[must_use]
    pub fn client_ca_failing(&self) -> IntGauge {
        self.client_ca_failing.clone()
    }

    /// Counts an answer.
    pub fn answered(&self, path: &str, kind: &str, decision: &Decision) {
        self.requests.with_label_values(&[path, kind, decision.name()]).inc();
        for rule in decision.rules() {
            self.rejections.with_label_values(&[rule]).inc();
        }
    }

    /// Counts a request that was no review.
    pub fn refused(&self, code: u16) {
        self.refusals.with_label_values(&[code.to_string()]).inc();
    }

    /// Counts the connections of a port that are closed to make room for new ones.
    #[must_use]
    pub fn evictions(&self, port: &str) -> IntCounter {
        self.evictions.with_label_values(&[port])
    }

    /// Counts an image whose entrypoint was looked up.
    pub fn looked_up(&self, outcome: &str) {
        self.lookups.with_label_values(&[outcome]).inc();
    }

    /// Counts an Event.
    pub fn told(&self, outcome: &str) {
        self.events.with_label_values(&[outcome]).inc();
    }

    /// Measures the answers of a path.
    #[must_use]
    pub fn durations(&self, path: &str) -> Histogram {
        self.duration.with_label_values(&[path])
    }

    /// The text that Prometheus reads.
    pub fn encode(&self, certificate_not_after: u64) -> Result<String, Error> {
        self.not_after.set(certificate_not_after.try_into().unwrap_or(i64::MAX));
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> Result<C, Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::rules;

    #[test]
    fn the_names_are_those_that_dashboards_are_made_with() {
        let metrics = Metrics::new().unwrap();
        let decision =
            Decision::Deny([rules::HOST_PID.broken_at("spec.hostPID")].into_iter().collect());
        metrics.answered("/mutate", "Pod", &decision);
        metrics.durations("/mutate").observe(0.000_2);
        metrics.refused(413);
        metrics.evictions("admin").inc();
        metrics.looked_up("asked");
        metrics.told("written");
        let text = metrics.encode(7).unwrap();
        for line in [
            r#"rich_pouch_admission_requests_total{decision="deny",kind="Pod",path="/mutate"} 1"#,
            r#"rich_pouch_admission_duration_seconds_bucket{path="/mutate",le="0.00025"} 1"#,
            r#"rich_pouch_admission_rejections_total{rule="host-pid"} 1"#,
            r#"rich_pouch_admission_rejections_total{rule="windows"} 0"#,
            r#"rich_pouch_http_refusals_total{code="413"} 1"#,
            r#"rich_pouch_connections_evicted_total{port="admin"} 1"#,
            r#"rich_pouch_entrypoint_lookups_total{outcome="asked"} 1"#,
            r#"rich_pouch_events_total{outcome="written"} 1"#,
            "rich_pouch_certificate_not_after_timestamp_seconds 7",
            concat!("rich_pouch_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
