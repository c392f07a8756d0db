//! A rich pod behaves like a machine.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "these are tests")]

use e2e::{App, Node, busybox, debian, in_labelled_namespace, in_namespace};
use serde_json::json;

#[tokio::test]
async fn ps_in_a_dumb_init_pod_shows_the_init_and_the_application() {
    in_namespace(async |ns| {
        let pod = ns.run(&busybox(&["sleep", "10000"]).rich("mode", "dumb-init")).await;
        let ps = pod.exec(&["ps", "-o", "pid,args"]).await;
        let lines: Vec<Vec<&str>> = ps.lines().map(|it| it.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["1", "/.rich/dumb-init", "--", "sleep", "10000"], "{ps}");
        assert_eq!(lines[2][1..], ["sleep", "10000"], "{ps}");
        assert_eq!(lines[3][1..], ["ps", "-o", "pid,args"], "{ps}");
        assert_eq!(lines.len(), 4, "{ps}");
    })
    .await;
}

#[tokio::test]
async fn a_pod_sees_the_control_groups_of_its_node() {
    in_namespace(async |ns| {
        let pod = ns.run(&busybox(&["sleep", "10000"]).rich("mode", "dumb-init")).await;
        let groups = pod.exec(&["cat", "/proc/self/cgroup"]).await;
        // Version 2 has one hierarchy, cgroups(7).
        assert_eq!(groups.lines().count() == 1, Node::tested() == Node::V2, "{groups}");
        assert!(groups.contains("0::/"), "{groups}");
    })
    .await;
}

#[tokio::test]
async fn pid_1_of_a_dumb_init_pod_takes_less_than_a_megabyte() {
    in_namespace(async |ns| {
        let pod = ns.run(&busybox(&["sleep", "10000"]).rich("mode", "dumb-init")).await;
        pod.exec_until(&["ps"], |ps| ps.contains("dumb-init")).await;
        // VmRSS in kB, proc_pid_status(5).
        let row = pod.exec(&["grep", "VmRSS", "/proc/1/status"]).await;
        let resident: u32 = row.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap();
        assert!(resident < 1000, "{row}");
    })
    .await;
}

#[tokio::test]
async fn a_dumb_init_pod_ends_with_the_applications_exit_code_and_has_its_log() {
    in_namespace(async |ns| {
        let pod = ns.run(&busybox(&["sh", "-c", "echo said; exit 7"]).rich("rich", "true")).await;
        assert_eq!(pod.exit_code().await, 7);
        assert_eq!(pod.logs().await, "said\n");
    })
    .await;
}

#[tokio::test]
async fn a_dumb_init_pod_stops_when_the_application_obeys_sigterm() {
    in_namespace(async |ns| {
        let app = busybox(&["sh", "-c", "trap 'echo bye; exit 0' TERM; echo up; sleep 99 & wait"])
            .rich("mode", "dumb-init")
            .grace(1000);
        let pod = ns.run(&app).await;
        pod.logs_with("up").await;
        // Longer than the patience of the test, were the signal lost.
        pod.delete().await;
    })
    .await;
}

#[tokio::test]
async fn the_environment_tells_that_the_container_is_rich() {
    in_namespace(async |ns| {
        let pod = ns.run(&busybox(&["env"]).rich("mode", "dumb-init")).await;
        assert_eq!(pod.exit_code().await, 0);
        let environment = pod.logs().await;
        for variable in ["rich_mode=true", "rich_mode_launch_manner=dumb-init"] {
            assert!(environment.lines().any(|line| line == variable), "{environment}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_dumb_init_pod_runs_under_pod_security_restricted_with_a_read_only_root() {
    let restricted = [("pod-security.kubernetes.io/enforce", "restricted")];
    in_labelled_namespace(&restricted, async |ns| {
        let app = busybox(&["id", "-u"])
            .rich("mode", "dumb-init")
            .spec(json!({"securityContext": {
                "runAsUser": 1000, "runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"},
            }}))
            .container(json!({"securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            }}));
        let pod = ns.run(&app).await;
        assert_eq!(pod.ended().await, (0, String::new()));
        assert_eq!(pod.logs().await, "1000\n");
    })
    .await;
}

#[tokio::test]
async fn the_binaries_come_while_the_pod_itself_runs_as_root() {
    in_namespace(async |ns| {
        let app = busybox(&["true"])
            .rich("mode", "dumb-init")
            .spec(json!({"securityContext": {"runAsUser": 0}}));
        assert_eq!(ns.run(&app).await.exit_code().await, 0);
    })
    .await;
}

/// What systemd and sbin-init have in common on an image whose /sbin/init is systemd.
async fn boots(app: App, pid_1: &str) {
    in_namespace(async |ns| {
        let pod = ns.run(&app).await;
        let state = ["systemctl", "is-system-running", "--wait"];
        pod.exec_until(&state, |state| state.trim() == "running").await;
        let failed = pod.exec(&["systemctl", "--failed", "--no-legend"]).await;
        assert_eq!(failed, "");
        let ps = pod.exec(&["ps", "-eo", "pid,ppid,comm,args", "--no-headers"]).await;
        let rows: Vec<Vec<&str>> = ps.lines().map(|it| it.split_whitespace().collect()).collect();
        let init = rows.iter().find(|row| row[0] == "1").expect("PID 1");
        assert_eq!(init[2], "systemd", "{ps}");
        assert!(init[3].ends_with(pid_1), "{ps}");
        let sleep = rows.iter().find(|row| row[2] == "sleep").expect("the application");
        assert_eq!(sleep[1], "1", "{ps}");
        assert_eq!(sleep[3..], ["/usr/bin/sleep", "10000"], "{ps}");
        for service in ["systemd-journal", "systemd-logind", "dbus-daemon"] {
            assert!(rows.iter().any(|row| row[2] == service), "{service} is not in\n{ps}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_systemd_pod_is_running_with_journald_logind_dbus_and_the_application() {
    boots(debian(&["/usr/bin/sleep", "10000"]).rich("mode", "systemd"), "systemd").await;
}

#[tokio::test]
async fn a_sbin_init_pod_is_running_with_journald_logind_dbus_and_the_application() {
    boots(debian(&["/usr/bin/sleep", "10000"]).rich("mode", "/sbin/init"), "/sbin/init").await;
}

#[tokio::test]
async fn a_systemd_pod_ends_with_the_applications_exit_code_and_has_its_log() {
    in_namespace(async |ns| {
        let app = debian(&["/bin/sh", "-c", "echo said; exit 7"]).rich("mode", "systemd");
        let pod = ns.run(&app).await;
        assert_eq!(pod.exit_code().await, 7);
        let log = pod.logs().await;
        assert!(log.lines().any(|line| line == "said"), "{log}");
    })
    .await;
}

#[tokio::test]
async fn an_image_without_systemd_is_told_so_in_one_sentence() {
    in_namespace(async |ns| {
        let pod = ns.run(&busybox(&["sleep", "1"]).rich("mode", "systemd")).await;
        let (code, message) = pod.ended().await;
        assert_eq!(code, 127, "{message}");
        assert!(message.contains("systemd"), "{message}");
        assert_eq!(pod.logs().await.trim().lines().count(), 1, "{}", pod.logs().await);
    })
    .await;
}
