//! `/etc/profile.d/pouchenv.sh`, in every mode: whose it is, and where it is not.

use e2e::{App, debian, in_namespace};
use serde_json::json;

const FILE: &str = "/etc/profile.d/pouchenv.sh";

/// In each mode a pod with a secret in its environment that runs this script.
fn in_every_mode(script: &str) -> [App; 3] {
    ["dumb-init", "systemd", "sbin-init"].map(|mode| {
        debian(&["sh", "-c", script])
            .rich("mode", mode)
            .container(json!({"env": [{"name": "PASSWORD", "value": "s3cr3t"}]}))
    })
}

#[tokio::test]
async fn only_root_and_the_application_can_read_it() {
    let script = format!(
        "stat -c '%a %U %G' {FILE}; grep -c s3cr3t {FILE}; \
         setpriv --reuid=65534 --clear-groups cat {FILE} 2>/dev/null || echo refused"
    );
    for app in in_every_mode(&script) {
        in_namespace(async |ns| {
            let pod = ns.run(&app).await;
            assert_eq!(pod.exit_code().await, 0);
            let log = pod.logs().await;
            assert!(log.starts_with("600 root root\n1\n"), "{log}");
            assert!(log.ends_with("refused\n") && !log.contains("PASSWORD"), "{log}");
        })
        .await;
    }
}

#[tokio::test]
async fn profile_false_leaves_it_out() {
    for app in in_every_mode(&format!("test ! -e {FILE}")) {
        in_namespace(async |ns| {
            let pod = ns.run(&app.rich("profile", "false")).await;
            assert_eq!(pod.exit_code().await, 0);
        })
        .await;
    }
}

#[tokio::test]
async fn it_is_not_written_into_a_volume() {
    for app in in_every_mode("ls -A /etc/profile.d; echo that is all") {
        let app = app.spec(json!({"volumes": [{"name": "profiles", "emptyDir": {}}]})).container(
            json!({"volumeMounts": [{"name": "profiles", "mountPath": "/etc/profile.d"}]}),
        );
        in_namespace(async |ns| {
            let pod = ns.run(&app).await;
            assert_eq!(pod.exit_code().await, 0);
            assert_eq!(pod.logs().await, "that is all\n");
        })
        .await;
    }
}
