//! What the webhook bears. One test, since it takes the whole release.

#![allow(clippy::expect_used, reason = "these are tests")]

use std::{collections::BTreeMap, io::Write as _, time::Duration};

use e2e::{
    RELEASE_NAMESPACE, client, in_namespace,
    storm::{Admissions, Answers, Attacker, Plan, Tenant, came_to_the_webhook, good_pods, inputs},
};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::ListParams};

/// How often the tenant sends each input.
const TIMES: u32 = 100;
const GOOD: usize = 1000;
const P99: Duration = Duration::from_secs(1);

/// The webhook's replicas, and how often each was started again.
async fn replicas() -> BTreeMap<String, i32> {
    let pods: Api<Pod> = Api::namespaced(client().await, RELEASE_NAMESPACE);
    let selector = ListParams::default().labels("app.kubernetes.io/component=webhook");
    let pods = pods.list(&selector).await.expect("the replicas").items.into_iter();
    pods.map(|pod| {
        let spec = pod.spec.expect("a spec");
        let limits = spec.containers[0].resources.as_ref().and_then(|it| it.limits.as_ref());
        let memory = limits.and_then(|it| it.get("memory")).expect("a limit");
        assert_eq!(memory.0, "128Mi");
        let statuses = pod.status.and_then(|it| it.container_statuses).expect("a status");
        (pod.metadata.name.expect("a name"), statuses.iter().map(|it| it.restart_count).sum())
    })
    .collect()
}

/// What one who looks at the run is to see, and cargo does not show of a test that passes.
fn say(sentence: &str) {
    writeln!(std::io::stderr(), "storm: {sentence}").expect("an output");
}

fn say_how(name: &str, good: &Admissions) {
    say(&format!("{name}: {} of {GOOD} admitted, p99 {:?}", good.admitted(), good.p99()));
}

fn all_are_admitted_in_time(good: &Admissions) {
    assert_eq!(good.refusals, [""; 0]);
    assert_eq!(good.admitted(), GOOD);
    assert!(good.p99() < P99, "{:?}", good.p99());
}

fn all_came_to_the_webhook(answers: &BTreeMap<&str, Answers>) {
    for (name, answers) in answers {
        assert_eq!(answers.values().sum::<u32>(), TIMES, "{name}: {answers:?}");
        assert!(answers.keys().all(|it| came_to_the_webhook(it)), "{name}: {answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_good_pods_are_admitted_while_a_tenant_and_a_pod_do_their_worst() {
    // Its figure is one of time, for which it must have the machine for itself.
    if std::env::var_os("E2E_STORM").is_none() {
        return say("not asked for: `make storm` runs it");
    }
    in_namespace(async |ns| {
        let before = replicas().await;
        assert_eq!(before.len(), 2);
        let calm = good_pods(ns).await;
        say_how("without the attack", &calm);
        all_are_admitted_in_time(&calm);

        let (plan, inputs) = (Plan::PROMISED, inputs());
        let tenant = Tenant::of(ns).await;
        let attacker = Attacker::start(ns, env!("CARGO_BIN_EXE_attacker")).await;
        let good = async {
            attacker.is_under_way().await;
            good_pods(ns).await
        };
        let (answers, good) = tokio::join!(tenant.sends(&inputs, TIMES, plan.time), good);
        say_how("in the storm", &good);
        let report = attacker.report().await;
        for (name, answers) in &answers {
            say(&format!("{name}: {answers:?}"));
        }
        say(&format!("{report:?}"));

        plan.was_carried_out(&report);
        all_came_to_the_webhook(&answers);
        all_are_admitted_in_time(&good);
        assert_eq!(replicas().await, before);
    })
    .await;
}
