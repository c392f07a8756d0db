//! What an application leaves behind is reaped, however much it is, and what an initscript leaves
//! behind cannot take more than the pod may have.

#![allow(clippy::expect_used, reason = "these are tests")]

use e2e::{App, debian, image, in_namespace, soak};
use serde_json::json;

/// Makes orphans, 10,000 a minute where the machine is fast enough, and then looks for zombies.
async fn are_reaped(app: impl Fn(&[&str]) -> App, mode: &str) {
    let count = 500 + soak().as_secs() * 10_000 / 60;
    // Each is the grandchild of a child that has ended, and ends a moment later itself.
    let script = format!(
        "$start = time; for (1..{count}) {{ \
         if (!fork) {{ if (!fork) {{ select undef, undef, undef, 0.05 }} exit }} \
         wait; select undef, undef, undef, 0.004 }} \
         $| = 1; printf \"made {count} in %d s\\n\", time - $start; sleep 10000"
    );
    in_namespace(async |ns| {
        let pod = ns.run(&app(&["/usr/bin/perl", "-e", &script]).rich("mode", mode)).await;
        println!("{mode}: {}", pod.logs_with("made").await);
        let states = ["/bin/sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null | cut -d' ' -f2,3"];
        // The application itself is all that is left of them.
        let only_one =
            |states: &str| states.lines().filter(|it| it.contains("(perl)")).count() == 1;
        pod.exec_until(&states, only_one).await;
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_orphans_a_minute_leave_no_zombie_with_dumb_init() {
    are_reaped(debian, "dumb-init").await;
}

#[tokio::test]
async fn ten_thousand_orphans_a_minute_leave_no_zombie_with_systemd() {
    are_reaped(debian, "systemd").await;
}

#[tokio::test]
async fn ten_thousand_orphans_a_minute_leave_no_zombie_with_sbin_init() {
    are_reaped(|command| image("debian-sysv", command), "sbin-init").await;
}

async fn ends_within_the_pods_limits_and_is_told(bomb: &str) {
    in_namespace(async |ns| {
        let app = debian(&["/bin/echo", "the application ran"])
            .rich("mode", "dumb-init")
            .rich("initcmd", bomb)
            .container(json!({"resources": {"limits": {"memory": "500Mi", "cpu": "500m"}}}));
        let (code, message) = ns.run(&app).await.ended().await;
        assert_ne!(code, 0, "{message}");
        assert!(message.contains("fork"), "{message}");
        assert!(message.contains("rich: initcmd"), "{message}");
    })
    .await;
}

#[tokio::test]
async fn a_fork_bomb_in_the_initscript_ends_within_the_pods_limits_and_is_told() {
    ends_within_the_pods_limits_and_is_told("b() { b | b; }; b").await;
}

#[tokio::test]
async fn an_initscript_that_starts_without_end_ends_within_the_pods_limits_and_is_told() {
    ends_within_the_pods_limits_and_is_told("while :; do sleep 1000 & done").await;
}
