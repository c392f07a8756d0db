//! In every mode, the initscript runs before the application, at every start, and its failure is
//! told where a user looks.

use e2e::{App, Namespace, busybox, debian, eventually, in_namespace, kubectl};
use serde_json::{Value, json};

/// In each of the three modes an application that is this command, in a namespace of its own.
async fn in_every_mode(command: &[&str], test: impl AsyncFn(&Namespace, App)) {
    for app in [
        busybox(command).rich("mode", "dumb-init"),
        debian(command).rich("mode", "systemd"),
        debian(command).rich("mode", "sbin-init"),
    ] {
        in_namespace(async |ns| test(ns, app.clone()).await).await;
    }
}

async fn with_script(ns: &Namespace, app: App, script: &str) -> App {
    ns.scripts("scripts", &[("init.sh", script)]).await;
    app.scripts("scripts").rich("initscript", "/scripts/init.sh one two")
}

#[tokio::test]
async fn an_initscript_gets_the_oci_state_on_its_standard_input() {
    in_every_mode(&["sleep", "10000"], async |ns, app| {
        // The seed's own script.
        let script = "#! /bin/sh\necho $(cat) >/tmp/xxx\n";
        let pod = ns.run(&with_script(ns, app, script).await).await;
        let file = pod.exec_until(&["cat", "/tmp/xxx"], |text| text.starts_with('{')).await;
        let state: Value = serde_json::from_str(&file).expect("JSON");
        for key in ["ociVersion", "id", "status", "bundle"] {
            assert!(state[key].is_string(), "{key} in {file}");
        }
        assert!(state["pid"].is_u64(), "{file}");
    })
    .await;
}

#[tokio::test]
async fn an_initscript_runs_before_the_application_with_its_arguments() {
    in_every_mode(&["cat", "/tmp/made"], async |ns, app| {
        let app = with_script(ns, app, "#!/bin/sh\necho \"$0 $@\" >/tmp/made\n").await;
        let pod = ns.run(&app).await;
        assert_eq!(pod.exit_code().await, 0);
        assert_eq!(pod.logs().await, "/scripts/init.sh one two\n");
    })
    .await;
}

#[tokio::test]
async fn an_initcmd_needs_nothing_in_the_image_but_a_shell() {
    in_every_mode(&["cat", "/tmp/made"], async |ns, app| {
        let command = "for i in 1 2; do echo \"$i $(echo ok)\"; done > /tmp/made";
        let pod = ns.run(&app.rich("initcmd", command)).await;
        assert_eq!(pod.exit_code().await, 0);
        assert_eq!(pod.logs().await, "1 ok\n2 ok\n");
    })
    .await;
}

#[tokio::test]
async fn a_failed_initscript_is_told_in_logs_in_describe_and_in_the_exit_code() {
    in_every_mode(&["echo", "the application ran"], async |ns, app| {
        let app = with_script(ns, app, "#!/bin/sh\necho no license here\nexit 42\n").await;
        let pod = ns.run(&app).await;
        let (code, message) = pod.ended().await;
        assert_eq!(code, 42);
        let log = pod.logs().await;
        for text in [&message, &log] {
            assert!(text.contains("no license here"), "{text}");
            assert!(text.contains("/scripts/init.sh"), "{text}");
            assert!(!text.contains("the application ran"), "{text}");
        }
        let described = kubectl(&["describe", "pod", "--namespace", &ns.name, pod.name()]).await;
        assert!(described.text.contains("no license here"), "{}", described.text);
    })
    .await;
}

#[tokio::test]
async fn an_initscript_that_does_not_end_by_itself_has_the_code_of_a_shell() {
    in_every_mode(&["echo", "ran"], async |ns, app| {
        let missing = app.clone().rich("initscript", "/no/such.sh");
        let not_executable = app.clone().rich("initscript", "/etc/passwd");
        let killed = app.clone().rich("initcmd", "kill -KILL $$");
        let slow = app.rich("initcmd", "sleep 1000").rich("initscript-timeout", "200ms");
        for (app, code) in [(missing, 127), (not_executable, 126), (killed, 137), (slow, 124)] {
            let (found, message) = ns.run(&app).await.ended().await;
            assert_eq!(found, code, "{message}");
            assert!(!message.is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn an_initscript_runs_again_at_every_restart() {
    in_every_mode(&["sh", "-c", "wc -l </made/runs; exit 1"], async |ns, app| {
        let app = app
            .rich("initcmd", "echo run >>/made/runs")
            .spec(json!({
                "restartPolicy": "OnFailure",
                "volumes": [{"name": "made", "emptyDir": {}}],
            }))
            .container(json!({"volumeMounts": [{"name": "made", "mountPath": "/made"}]}));
        let pod = ns.run(&app).await;
        eventually("the container was started again", async || {
            (pod.restarts().await >= 1).then_some(())
        })
        .await;
        pod.logs_with("2").await;
    })
    .await;
}

#[tokio::test]
async fn an_initscript_is_ended_by_sigterm_and_the_application_never_starts() {
    in_every_mode(&["echo", "the application ran"], async |ns, app| {
        let app = app.rich("initcmd", "echo waiting; sleep 1000").grace(1000);
        let pod = ns.run(&app).await;
        let log = pod.logs_with("waiting").await;
        assert!(!log.contains("the application ran"), "{log}");
        pod.delete().await;
    })
    .await;
}
