//! How much later an application starts in a systemd pod than in a pod whose command is the
//! image's systemd itself, and where the time goes.
//!
//! That systemd has the same units masked, and its journal too is kept from the node's kernel
//! messages, so that the difference is ours: `rich run`, `rich-output.service` and `rich exec`. A
//! plain pod shows what of it is Kubernetes. They start in turn, so that a busy machine is busy
//! for all.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use e2e::{App, Namespace, RunningPod, cluster, debian, in_namespace};
use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use super::median;

const STARTS: usize = 25;

/// The application: notes when it was started, and what systemd says about that once it has
/// booted. Its argument is the unit that it is, as D-Bus has it; none without systemd.
const APPLICATION: &str = r#"#!/bin/bash
started=${EPOCHREALTIME/./}
get() {
  busctl get-property org.freedesktop.systemd1 "/org/freedesktop/systemd1$1" \
    "org.freedesktop.systemd1.$2" "$3" | cut -d' ' -f2
}
{
  echo "application $started"
  [ $# = 0 ] || {
    systemctl is-system-running --wait >&2
    echo "systemd $(get '' Manager UserspaceTimestamp)"
    echo "basic $(get /unit/basic_2etarget Unit ActiveEnterTimestamp)"
    echo "process $(get "/unit/$1" Service ExecMainStartTimestamp)"
  }
} >/dev/termination-log
"#;

/// Writes the application's unit, and the masks that are its arguments.
const UNITS: &str = r"
mkdir -p /run/systemd/system/multi-user.target.wants /run/systemd/journald.conf.d
printf '%s\n' [Journal] ReadKMsg=no >/run/systemd/journald.conf.d/alone.conf
cd /run/systemd/system
for unit; do ln -s /dev/null $unit; done
printf '%s\n' [Service] 'ExecStart=/scripts/application app_2eservice' \
  'ExecStopPost=systemctl exit 0' >app.service
ln -s ../app.service multi-user.target.wants/
";

/// The parts of a start: from one moment to the next.
const PARTS: [(&str, &str, &str); 6] = [
    ("pod created to container start", "created", "container"),
    ("container start to systemd", "container", "systemd"),
    ("systemd to basic.target", "systemd", "basic"),
    ("basic.target to its process", "basic", "process"),
    ("its process to the application", "process", "application"),
    ("container start to the application", "container", "application"),
];

/// Prints the medians of all parts.
pub(super) async fn measure() {
    in_namespace(async |namespace| {
        namespace.scripts("scripts", &[("application", APPLICATION)]).await;
        let masks = masks(namespace).await;
        let application = |args| debian(args).scripts("scripts");
        let rich = application(&["/scripts/application", "rich_2eservice"]).rich("mode", "systemd");
        let plain = application(&["/scripts/application"]);
        let mut ways = [plain, systemd_alone(&masks), rich].map(Way::new);
        for _ in 0..STARTS {
            for way in &mut ways {
                way.start(namespace).await;
            }
        }
        println!("Start of an application, medians of {STARTS} starts each, milliseconds:");
        let [plain, alone, rich] = ["plain pod", "systemd alone", "rich pod"];
        println!("{:36} {plain:>9} {alone:>13} {rich:>9} {:>7} {:>7}", "", "ratio", "more");
        for (name, from, to) in PARTS {
            let [plain, alone, rich] = ways.each_ref().map(|way| way.median(from, to));
            let plain = plain.map_or_else(String::new, |plain| format!("{plain:.1}"));
            let (alone, rich) = alone.zip(rich).expect("all moments of a start");
            let (ratio, more) = (rich / alone, rich - alone);
            println!("{name:36} {plain:>9} {alone:>13.1} {rich:>9.1} {ratio:>7.2} {more:>+7.1}");
        }
    })
    .await;
}

/// The units that a rich pod masks.
async fn masks(namespace: &Namespace) -> Vec<String> {
    let pod = namespace.run(&debian(&["sleep", "10000"]).rich("mode", "systemd")).await;
    let find = ["find", "/run/systemd/system", "-lname", "/dev/null", "-printf", "%f\n"];
    let masks = pod.exec_until(&find, |it| it.contains("sysctl")).await;
    pod.delete().await;
    masks.lines().map(str::to_owned).collect()
}

/// systemd as the command of a privileged pod, with the application as an ordinary service.
fn systemd_alone(masks: &[String]) -> App {
    let run = json!({"name": "run", "mountPath": "/run"});
    let units = [&["/bin/bash", "-c", UNITS, "units"].map(str::to_owned), masks].concat();
    debian(&["/lib/systemd/systemd", "--unit=multi-user.target"])
        .container(json!({
            "env": [{"name": "container", "value": "oci"}],
            "securityContext": {"privileged": true},
            "volumeMounts": [run, {"name": "scripts", "mountPath": "/scripts"}],
        }))
        .spec(json!({
            "initContainers": [{
                "name": "units",
                "image": "localhost/debian-systemd:test",
                "command": units,
                "volumeMounts": [run],
            }],
            "volumes": [
                {"name": "run", "emptyDir": {"medium": "Memory"}},
                {"name": "scripts", "configMap": {"name": "scripts", "defaultMode": 0o755}},
            ],
        }))
}

/// One way to start the application, and the moments of each start, microseconds.
struct Way {
    app: App,
    starts: Vec<BTreeMap<String, i64>>,
}

impl Way {
    fn new(app: App) -> Self {
        Self { app, starts: Vec::new() }
    }

    async fn start(&mut self, namespace: &Namespace) {
        let created = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
        let pod = namespace.run(&self.app).await;
        let (code, said) = pod.ended().await;
        assert_eq!(code, 0, "{said}");
        let moment = |line: &str| {
            let (name, time) = line.split_once(' ')?;
            Some((name.to_owned(), time.parse().ok()?))
        };
        let mut moments: BTreeMap<String, i64> = said.lines().filter_map(moment).collect();
        moments.insert("created".to_owned(), i64::try_from(created.as_micros()).expect("a time"));
        moments.insert("container".to_owned(), container_start(&pod).await);
        self.starts.push(moments);
        pod.delete().await;
    }

    /// The median of the time between two moments, milliseconds; none where it has not both.
    fn median(&self, from: &str, to: &str) -> Option<f64> {
        let spans = self.starts.iter().map(|it| Some((it.get(to)? - it.get(from)?) as f64 / 1e3));
        spans.collect::<Option<Vec<f64>>>().map(median)
    }
}

/// When containerd had started the container, microseconds; Kubernetes keeps the second only.
async fn container_start(pod: &RunningPod) -> i64 {
    let status = pod.now().await.status.expect("a status");
    let container = status.container_statuses.unwrap_or_default().remove(0);
    let id = container.container_id.expect("a container");
    let id = id.trim_start_matches("containerd://");
    let template = "{{.status.startedAt}}";
    let inspect = ["crictl", "inspect", "--output", "go-template", "--template", template, id];
    let said = cluster(&inspect).await.text;
    let started: Timestamp = said.trim().parse().unwrap_or_else(|_| panic!("no time: {said}"));
    started.as_microsecond()
}
