//! What the agent knows about itself, as /readyz and /metrics tell it.

use std::{
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use prometheus::{
    Error, Gauge, IntCounter, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};

use crate::{VERSION, probe::Outcome};

/// Shared by the tasks that find out and the port that tells.
pub struct Status {
    /// Whether the agent provisions its node.
    provisions: bool,
    words: Mutex<Words>,
    registry: Registry,
    provisioned: IntGauge,
    labelled: IntGauge,
    healed: IntCounter,
    api_errors: IntCounter,
    probe: IntGaugeVec,
    probed_at: Gauge,
}

/// What is wrong, in words; nothing where nothing is.
struct Words {
    binaries: Option<String>,
    label: Option<String>,
    probe: String,
}

impl Status {
    /// Nothing is known yet. Where the agent does not provision its node, there is nothing to wait
    /// for, and no metric about it. It fails only where a name here is none to Prometheus.
    pub fn new(provisions: bool) -> Result<Self, Error> {
        let registry = Registry::new_custom(Some("rich_pouch_node_agent".to_owned()), None)?;
        let build = Opts::new("build_info", "The agent's version").const_label("version", VERSION);
        register(&registry, IntGauge::with_opts(build)?)?.set(1);
        // About the node; an alert about what nobody does would be a false one.
        let node = if provisions { registry.clone() } else { Registry::new() };
        let gauge = |name, help| register(&node, IntGauge::new(name, help)?);
        let counter = |name, help| register(&node, IntCounter::new(name, help)?);
        let probe = Opts::new(
            "admission_probe",
            "How the webhook last answered a pod that it must refuse: 1 for that outcome",
        );
        let status = Self {
            provisions,
            words: Mutex::new(Words {
                binaries: provisions.then(|| "not yet provisioned".to_owned()),
                label: provisions.then(|| "not yet set".to_owned()),
                probe: "not yet asked".to_owned(),
            }),
            provisioned: gauge(
                "provisioned",
                "Whether the binaries were on the host and right when they were last verified",
            )?,
            labelled: gauge(
                "labelled",
                "Whether the Node's label was set when it was last looked at",
            )?,
            healed: counter(
                "healed_total",
                "Binaries, links and folders on the host that were wrong and made right",
            )?,
            api_errors: counter(
                "api_errors_total",
                "Calls to the API server about the Node that failed",
            )?,
            probe: register(&registry, IntGaugeVec::new(probe, &["outcome"])?)?,
            probed_at: register(
                &registry,
                Gauge::new(
                    "admission_probe_timestamp_seconds",
                    "When the webhook was last asked, in Unix time",
                )?,
            )?,
            registry,
        };
        for outcome in Outcome::ALL {
            status.probe.get_metric_with_label_values(&[outcome.name()])?;
        }
        Ok(status)
    }

    /// The binaries are there, or why not.
    pub fn provisioned(&self, wrong: Option<String>) {
        self.provisioned.set(i64::from(wrong.is_none()));
        self.words(|words| words.binaries = wrong);
    }

    /// This many things were wrong on the host and are right now.
    pub fn healed(&self, count: usize) {
        self.healed.inc_by(count as u64);
    }

    /// The Node has the label, or why not.
    pub fn labelled(&self, wrong: Option<String>) {
        self.labelled.set(i64::from(wrong.is_none()));
        self.words(|words| words.label = wrong);
    }

    /// A call to the API server failed. A label that was set stays true meanwhile: it is not
    /// for this that the agent becomes unready.
    pub fn api_error(&self, why: String) {
        self.api_errors.inc();
        self.words(|words| {
            if words.label.is_some() {
                words.label = Some(why);
            }
        });
    }

    /// How the webhook answered.
    pub fn probed(&self, outcome: Outcome, words: String) {
        for each in Outcome::ALL {
            let now = i64::from(each == outcome);
            self.probe.with_label_values(&[each.name()]).set(now);
        }
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        self.probed_at.set(now.as_secs_f64());
        self.words(|all| all.probe = words);
    }

    /// Whether the agent is ready, and the reasons in words.
    ///
    /// The webhook's answer is told and does not count: else no agent could start while the
    /// webhook is away, nor an installation wait for its agents.
    #[must_use]
    pub fn ready(&self) -> (bool, String) {
        self.words(|words| {
            let ready = words.binaries.is_none() && words.label.is_none();
            let line = |wrong: &Option<String>| wrong.clone().unwrap_or_else(|| "ok".to_owned());
            let node = if self.provisions {
                let (binaries, label) = (line(&words.binaries), line(&words.label));
                format!("binaries {VERSION}: {binaries}\nnode label: {label}\n")
            } else {
                "binaries: this agent does not provision\n".to_owned()
            };
            (ready, format!("{node}admission probe (does not count): {}\n", words.probe))
        })
    }

    /// The text that Prometheus reads.
    pub fn metrics(&self) -> Result<String, Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    fn words<T>(&self, with: impl FnOnce(&mut Words) -> T) -> T {
        with(&mut self.words.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, metric: C) -> Result<C, Error> {
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_provisioned_and_labelled_whatever_the_webhook_says() {
        let status = Status::new(true).unwrap();
        assert!(!status.ready().0);
        status.provisioned(None);
        assert!(!status.ready().0);
        status.api_error("no route to it".to_owned());
        assert!(status.ready().1.contains("no route to it"));
        status.labelled(None);
        status.api_error("no route to it".to_owned());
        assert!(!status.ready().1.contains("no route to it"));
        status.probed(Outcome::Admitted, "it admitted the pod".to_owned());
        let (ready, text) = status.ready();
        assert!(ready);
        assert!(text.contains("it admitted the pod"), "{text}");
        status.provisioned(Some("rich cannot be written".to_owned()));
        let (ready, text) = status.ready();
        assert!(!ready);
        assert!(text.contains("rich cannot be written"), "{text}");
    }

    #[test]
    fn an_agent_that_does_not_provision_is_ready_and_has_no_metric_about_it() {
        let status = Status::new(false).unwrap();
        let (ready, text) = status.ready();
        assert!(ready, "{text}");
        assert!(text.contains("does not provision"), "{text}");
        status.probed(Outcome::Refused, String::new());
        let text = status.metrics().unwrap();
        assert!(text.contains("admission_probe{outcome=\"refused\"} 1\n"), "{text}");
        for absent in ["provisioned", "labelled", "healed_total", "api_errors_total"] {
            assert!(!text.contains(absent), "{absent} in {text}");
        }
    }

    #[test]
    fn the_metrics_tell_one_outcome() {
        let status = Status::new(true).unwrap();
        status.probed(Outcome::Unreachable, String::new());
        status.probed(Outcome::Refused, String::new());
        status.healed(2);
        let text = status.metrics().unwrap();
        for line in [
            "rich_pouch_node_agent_admission_probe{outcome=\"refused\"} 1\n",
            "rich_pouch_node_agent_admission_probe{outcome=\"unreachable\"} 0\n",
            "rich_pouch_node_agent_healed_total 2\n",
            "rich_pouch_node_agent_provisioned 0\n",
            "rich_pouch_node_agent_labelled 0\n",
            "rich_pouch_node_agent_admission_probe_timestamp_seconds ",
            "rich_pouch_node_agent_api_errors_total 0\n",
            "rich_pouch_node_agent_build_info{version=\"",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
