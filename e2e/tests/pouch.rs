//! What PouchContainer tested of its rich containers, in its order, on Kubernetes.

#![allow(clippy::expect_used, reason = "these are tests")]

use e2e::{App, RunningPod, busybox, cluster, debian, eventually, in_namespace};
use serde_json::json;

const SLEEP: [&str; 2] = ["/bin/sleep", "10000"];

/// The three modes, each with an image that has what it needs, and what PID 1 is called.
fn modes() -> [(App, &'static str); 3] {
    [
        (busybox(&SLEEP).rich("mode", "dumb-init"), "dumb-init"),
        (debian(&SLEEP).rich("mode", "systemd"), "systemd"),
        (debian(&SLEEP).rich("mode", "sbin-init"), "systemd"),
    ]
}

async fn in_every_mode(test: impl AsyncFn(&App, &str)) {
    for (app, init) in modes() {
        test(&app.spec(json!({"restartPolicy": "Always"})), init).await;
    }
}

/// PID 1 is the init, and the application is its child.
async fn works(pod: &RunningPod, init: &str) {
    let comm = pod.exec_until(&["cat", "/proc/1/comm"], |comm| comm.trim() == init);
    comm.await;
    // Field 4 of /proc/PID/stat is the parent, proc(5).
    let parents = "for stat in /proc/[0-9]*/stat; do \
                   read -r _ comm _ parent _ <$stat; echo \"$comm $parent\"; done 2>/dev/null";
    let found = |text: &str| text.lines().any(|line| line == "(sleep) 1");
    pod.exec_until(&["sh", "-c", parents], found).await;
}

async fn runtime_id(pod: &RunningPod) -> String {
    let status = pod.now().await.status.expect("a status");
    let container = status.container_statuses.expect("containers").remove(0);
    let id = container.container_id.expect("an id");
    id.trim_start_matches("containerd://").to_owned()
}

async fn task(verb: &str, id: &str) {
    let said = cluster(&["ctr", "--namespace", "k8s.io", "tasks", verb, id]).await;
    assert_eq!(said.code, 0, "{}", said.text);
}

#[tokio::test]
async fn rich_containers_with_dumb_init_systemd_and_sbin_init_work() {
    in_every_mode(async |app, init| {
        in_namespace(async |ns| works(&ns.run(app).await, init).await).await;
    })
    .await;
}

#[tokio::test]
async fn rich_containers_survive_stop_and_start() {
    in_every_mode(async |app, init| {
        in_namespace(async |ns| {
            let pod = ns.run(app).await;
            works(&pod, init).await;
            let stopped = runtime_id(&pod).await;
            let said = cluster(&["crictl", "stop", "--timeout", "3", &stopped]).await;
            assert_eq!(said.code, 0, "{}", said.text);
            eventually("the container was started again", async || {
                (pod.restarts().await == 1).then_some(())
            })
            .await;
            works(&pod, init).await;
            assert_ne!(runtime_id(&pod).await, stopped);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn rich_containers_survive_pause_and_unpause() {
    in_every_mode(async |app, init| {
        in_namespace(async |ns| {
            let pod = ns.run(app).await;
            works(&pod, init).await;
            let id = runtime_id(&pod).await;
            task("pause", &id).await;
            task("resume", &id).await;
            works(&pod, init).await;
            assert_eq!(runtime_id(&pod).await, id);
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_wrong_mode_is_refused() {
    let app = busybox(&SLEEP).rich("mode", "wrong");
    in_namespace(async |ns| ns.refuses(&app, "not supported rich mode: wrong").await).await;
}

#[tokio::test]
async fn a_mode_without_rich_is_refused() {
    let app = busybox(&SLEEP).rich("rich", "false").rich("mode", "dumb-init");
    let sentence = "must first enable rich mode, then specify a rich mode type";
    in_namespace(async |ns| ns.refuses(&app, sentence).await).await;
}

#[tokio::test]
async fn systemd_without_privileged_is_refused() {
    let app = debian(&SLEEP).rich("mode", "systemd").rich("privileged", "false");
    let sentence = "must using privileged mode when create systemd rich container";
    in_namespace(async |ns| ns.refuses(&app, sentence).await).await;
}

#[tokio::test]
async fn an_initscript_without_rich_is_refused() {
    let app = busybox(&SLEEP).rich("initscript", "/opt/prepare.sh");
    let sentence = "rich.pouch/initscript can only be used along with rich mode";
    in_namespace(async |ns| ns.refuses(&app, sentence).await).await;
}

#[tokio::test]
async fn the_environment_file_has_the_containers_environment() {
    let app = debian(&SLEEP)
        .rich("mode", "systemd")
        .container(json!({"env": [{"name": "GREETING", "value": "say \"$hi\""}]}));
    in_namespace(async |ns| {
        let pod = ns.run(&app).await;
        let file = pod.exec(&["cat", "/etc/profile.d/pouchenv.sh"]).await;
        assert!(file.contains("export GREETING=\"say \\\"\\$hi\\\"\"\n"), "{file}");
        assert!(file.contains("export rich_mode=\"true\"\n"), "{file}");
        let login = pod.exec(&["env", "-i", "bash", "-lc", "echo \"$GREETING $PATH\""]).await;
        assert!(login.starts_with("say \"$hi\" /"), "{login}");
    })
    .await;
}
