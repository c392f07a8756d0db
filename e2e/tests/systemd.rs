//! A systemd pod is a machine, and still a good pod.

#![allow(clippy::expect_used, clippy::panic, reason = "these are tests")]

use e2e::{App, RunningPod, debian, eventually, image, in_namespace, page};
use serde_json::json;

/// A shell in a systemd pod.
fn shell(script: &str) -> App {
    debian(&["/bin/bash", "-c", script]).rich("mode", "systemd")
}

/// The process id of the application.
async fn application(pod: &RunningPod) -> String {
    process(pod, "rich.service", "").await
}

/// The process id of a service, once it has one and it is another than this.
async fn process(pod: &RunningPod, unit: &str, other: &str) -> String {
    let show = ["systemctl", "show", "--property=MainPID", "--value", unit];
    // systemctl may also say that systemd is not up yet.
    let runs = |text: &str| {
        let pid = text.trim();
        pid.parse().is_ok_and(|pid: u32| pid > 0) && pid != other
    };
    pod.exec_until(&show, runs).await.trim().to_owned()
}

/// What the kernel says about a process, but for what is another in each pod.
async fn seen_by_the_kernel(pod: &RunningPod, pid: &str) -> Vec<String> {
    let script = "cd /proc/$0; tr '\\0' '\\1' <cmdline; echo; readlink cwd; \
                  sort -z <environ | grep -zvE '^(HOSTNAME|rich_mode)' | tr '\\0' '\\1'; echo; cat oom_score_adj; \
                  grep -E '^(Umask|Uid|Gid|Groups|Sig(Q|Blk|Ign|Cgt)|Cap|NoNewPrivs|Seccomp)' status | \
                  grep -v SigQ; cat limits";
    pod.exec(&["bash", "-c", script, pid]).await.lines().map(without_the_c_librarys).collect()
}

/// Signals 32 and 33 are the C library's own: whether they are ignored is what a plain pod has
/// from whoever started its runtime.
fn without_the_c_librarys(line: &str) -> String {
    let ignored = line.strip_prefix("SigIgn:").map(|set| u64::from_str_radix(set.trim(), 16));
    match ignored {
        Some(Ok(set)) => format!("SigIgn: {:x}", set & !(0b11 << 31)),
        _ => line.to_owned(),
    }
}

#[tokio::test]
async fn the_application_is_what_it_would_be_without_systemd() {
    in_namespace(async |ns| {
        let odd =
            ["a b", "", "'", "\"", "$HOME", "$$X", "%n%%", "two\nlines", "ü €", "\\", ";", "*"];
        let script = "trap : TERM; while :; do sleep 1; done";
        let words = [&["/bin/bash", "-c", script][..], &odd].concat();
        let app = debian(&words)
            .container(json!({
                "workingDir": "/var/tmp",
                "securityContext": {"privileged": true},
                "env": [
                    {"name": "LINES", "value": "one\ntwo\n"},
                    {"name": "QUOTED", "value": "'\"\\ $X = %h"},
                    {"name": "EMPTY", "value": ""},
                ],
            }))
            .spec(json!({"securityContext": {"supplementalGroups": [4242], "fsGroup": 4343}}));
        let plain = ns.run(&app).await;
        let rich = ns.run(&app.rich("mode", "systemd")).await;
        let pid = application(&rich).await;
        rich.exec_until(&["cat", &format!("/proc/{pid}/comm")], |it| it == "bash\n").await;
        let (plain, rich) =
            (seen_by_the_kernel(&plain, "1").await, seen_by_the_kernel(&rich, &pid).await);
        assert!(plain.iter().any(|line| line.contains("4242")), "{plain:#?}");
        assert_eq!(rich, plain);
    })
    .await;
}

#[tokio::test]
async fn the_application_is_a_child_of_pid_1() {
    in_namespace(async |ns| {
        let pod = ns.run(&shell("exec sleep 10000")).await;
        let pid = application(&pod).await;
        let parent = pod.exec(&["ps", "-o", "ppid=", "-p", &pid]).await;
        assert_eq!(parent.trim(), "1");
    })
    .await;
}

#[tokio::test]
async fn output_is_in_the_log_and_in_the_journal_in_order() {
    in_namespace(async |ns| {
        let pod = ns
            .run(&shell("for i in {1..500}; do echo out $i; echo err $i >&2; done; sleep 10000"))
            .await;
        let both = |text: &str| text.contains("out 500") && text.contains("err 500");
        let journal = ["journalctl", "--unit=rich", "--output=cat", "--no-pager"];
        let journal = pod.exec_until(&journal, both).await;
        let log = pod.logs_with("err 500").await;
        for (place, text) in [("journal", &journal), ("log", &log)] {
            for stream in ["out", "err"] {
                let lines: Vec<&str> = text.lines().filter(|it| it.starts_with(stream)).collect();
                let wanted: Vec<String> = (1..=500).map(|n| format!("{stream} {n}")).collect();
                assert_eq!(lines, wanted, "in the {place}: {text}");
            }
        }
        // As the application's own: by its process and by its name.
        let pid = application(&pod).await;
        let by_pid = ["journalctl", &format!("_PID={pid}"), "--identifier=bash", "--output=cat"];
        assert!(pod.exec(&by_pid).await.contains("out 500"));
    })
    .await;
}

#[tokio::test]
async fn the_nodes_kernel_says_nothing_in_the_journal() {
    in_namespace(async |ns| {
        let pod = ns.run(&shell("echo up; exec sleep 10000")).await;
        let journal = ["journalctl", "--output=cat", "--no-pager"];
        pod.exec_until(&journal, |text| text.lines().any(|line| line == "up")).await;
        let kernel = ["journalctl", "--quiet", "--no-pager", "_TRANSPORT=kernel"];
        assert_eq!(pod.exec(&kernel).await, "");
    })
    .await;
}

#[tokio::test]
async fn all_that_was_printed_before_the_end_is_in_the_log() {
    in_namespace(async |ns| {
        // What a child of it prints, too, and more than pipes hold.
        let pod = ns.run(&shell("seq 50000 & wait; seq 50001 100000; echo last; exit 7")).await;
        assert_eq!(pod.exit_code().await, 7);
        let log = pod.logs().await;
        let log: Vec<&str> = log.lines().collect();
        let numbers: Vec<&str> =
            log.iter().copied().filter(|it| it.parse::<u32>().is_ok()).collect();
        assert_eq!(numbers.len(), 100_000);
        assert!(numbers.iter().zip(1..).all(|(line, n): (_, u32)| *line == n.to_string()));
        assert_eq!(log.last(), Some(&"last"));
    })
    .await;
}

#[tokio::test]
async fn a_signal_that_kills_the_application_is_the_exit_code() {
    in_namespace(async |ns| {
        let pods = [("TERM", 143), ("KILL", 137), ("SEGV", 139), ("PIPE", 141), ("RTMIN+1", 163)];
        for (signal, code) in pods {
            let pod = ns.run(&shell(&format!("kill -{signal} $BASHPID"))).await;
            assert_eq!(pod.exit_code().await, code, "{signal}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_application_that_takes_too_much_memory_is_killed_with_137() {
    in_namespace(async |ns| {
        let eat = "echo -500 >/proc/1/oom_score_adj; exec perl -e 'my @a; \
                   while (1) { push @a, \"x\" x 1000000 }'";
        let app = shell(eat).container(json!({"resources": {"limits": {"memory": "150Mi"}}}));
        assert_eq!(ns.run(&app).await.exit_code().await, 137);
    })
    .await;
}

#[tokio::test]
async fn on_failure_starts_the_container_again_until_it_succeeds() {
    in_namespace(async |ns| {
        let script = "echo run >>/data/runs; [ $(wc -l </data/runs) = 2 ] || exit 3";
        let app = shell(script)
            .spec(json!({
                "restartPolicy": "OnFailure",
                "volumes": [{"name": "data", "emptyDir": {}}],
            }))
            .container(json!({"volumeMounts": [{"name": "data", "mountPath": "/data"}]}));
        let pod = ns.run(&app).await;
        assert_eq!(pod.phase("Succeeded").await, "Succeeded");
        assert_eq!(pod.restarts().await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_job_is_complete_when_its_application_has_succeeded() {
    in_namespace(async |ns| {
        ns.create_object(&shell("true").workload("Job", &json!({}))).await;
        let succeeded = |pod: &serde_json::Value| pod["status"]["phase"] == "Succeeded";
        ns.pod_where("a pod of the Job has succeeded", succeeded).await;
    })
    .await;
}

#[tokio::test]
async fn a_deletion_stops_the_application_first_and_gives_it_its_time() {
    in_namespace(async |ns| {
        let script = "trap 'date +stop%s; sleep 8; date +end%s; exit 5' TERM; echo up; \
                      while :; do sleep 0.1; done";
        let pod = ns.run(&shell(script).grace(12)).await;
        pod.logs_with("up").await;
        let follow = pod.follow().await;
        // Whoever is inside does not hold the end up.
        let _inside = pod.enter(&["sleep", "10000"]).await;
        let code = pod.delete_and_see_the_end().await;
        let log = follow.await;
        assert_eq!(code, 5, "{log}");
        let at = |mark: &str| -> u64 {
            let time = log.lines().find_map(|line| line.strip_prefix(mark)?.parse().ok());
            time.unwrap_or_else(|| panic!("{mark} with a time: {log}"))
        };
        assert!(at("end") - at("stop") >= 8, "{log}");
        assert_eq!(pod.warnings().await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn what_the_application_starts_in_order_to_stop_is_not_stopped() {
    in_namespace(async |ns| {
        // So many others that whoever goes through all of them sees those that come meanwhile.
        let script = "for i in {1..300}; do sleep 10000 & done; \
                      trap 'for i in {1..3}; do sleep 0.1 || exit 9; done; exit 5' TERM; \
                      echo up; wait";
        let pod = ns.run(&shell(script)).await;
        pod.logs_with("up").await;
        assert_eq!(pod.delete_and_see_the_end().await, 5);
    })
    .await;
}

#[tokio::test]
async fn an_application_that_refuses_to_stop_is_killed_within_the_grace_period() {
    in_namespace(async |ns| {
        let app = shell("trap '' TERM; echo up; while :; do sleep 0.1; done").grace(6);
        let pod = ns.run(&app).await;
        pod.logs_with("up").await;
        assert_eq!(pod.delete_and_see_the_end().await, 137);
    })
    .await;
}

#[tokio::test]
async fn the_pods_own_pre_stop_runs_before_the_application_is_stopped() {
    in_namespace(async |ns| {
        let script = "trap 'cat /tmp/pre; exit 6' TERM; echo up; while :; do sleep 0.1; done";
        let hooks = [
            json!({"exec": {"command": ["/bin/sh", "-c", "echo 'before it' >/tmp/pre"]}}),
            json!({"sleep": {"seconds": 2}}),
        ];
        for (hook, said) in hooks.into_iter().zip(["before it", "No such file"]) {
            let app = shell(script).container(json!({"lifecycle": {"preStop": hook}}));
            let pod = ns.run(&app).await;
            pod.logs_with("up").await;
            let follow = pod.follow().await;
            assert_eq!(pod.delete_and_see_the_end().await, 6);
            let log = follow.await;
            assert!(log.contains(said), "{said}: {log}");
        }
    })
    .await;
}

#[tokio::test]
async fn restart_service_starts_the_application_again_in_place() {
    in_namespace(async |ns| {
        let app = shell("echo started; exec sleep 10000").rich("restart", "service");
        let pod = ns.run(&app).await;
        pod.logs_with("started").await;
        let first = application(&pod).await;
        pod.exec(&["kill", "-KILL", &first]).await;
        process(&pod, "rich.service", &first).await;
        let twice = async || Some(pod.logs().await).filter(|it| it.matches("started").count() == 2);
        eventually("both starts are in the log", twice).await;
        let journal = ["journalctl", "--unit=rich", "--output=cat", "--no-pager"];
        pod.exec_until(&journal, |it| it.lines().filter(|line| *line == "started").count() == 2)
            .await;
        assert_eq!(pod.restarts().await, 0);
        // And it can still be stopped.
        assert_eq!(pod.delete_and_see_the_end().await, 143);
    })
    .await;
}

#[tokio::test]
async fn poststop_runs_after_the_application_and_before_the_end_of_the_container() {
    in_namespace(async |ns| {
        let app = shell("echo application; exit 9")
            .rich("poststop", "/bin/echo poststop has run")
            .container(json!({"env": [{"name": "X", "value": "1"}]}));
        let pod = ns.run(&app).await;
        assert_eq!(pod.exit_code().await, 9);
        let log = pod.logs().await;
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(lines, ["application", "poststop has run"]);
    })
    .await;
}

/// Kills the service's process and waits until there is another.
async fn killed_and_back(pod: &RunningPod, unit: &str) {
    let first = process(pod, unit, "").await;
    pod.exec(&["kill", "-KILL", &first]).await;
    process(pod, unit, &first).await;
}

/// An application that ends with 7 once it finds the file `/tmp/go`.
const ENDS_WHEN_TOLD: &str =
    "n=0; until [ -e /tmp/go ]; do echo line $((n++)); sleep 0.05; done; echo last $n; exit 7";

#[tokio::test]
async fn nothing_is_lost_when_our_helpers_and_journald_are_killed() {
    in_namespace(async |ns| {
        let pod = ns.run(&shell(ENDS_WHEN_TOLD)).await;
        pod.logs_with("line 3").await;
        for unit in ["rich-output.service", "systemd-journald.service", "rich-output.service"] {
            killed_and_back(&pod, unit).await;
        }
        pod.exec(&["pkill", "-KILL", "dbus-daemon"]).await;
        let journal = ["journalctl", "--unit=rich", "--output=cat", "--no-pager"];
        pod.exec(&["sh", "-c", "echo marked >/proc/$(systemctl show -P MainPID rich)/fd/1"]).await;
        pod.logs_with("marked").await;
        pod.exec_until(&journal, |text| text.contains("marked")).await;
        pod.exec(&["touch", "/tmp/go"]).await;
        assert_eq!(pod.exit_code().await, 7);
        let log = pod.logs().await;
        let lines: Vec<&str> = log.lines().filter(|line| line.starts_with("line ")).collect();
        assert!(lines.iter().enumerate().all(|(n, line)| *line == format!("line {n}")), "{log}");
        assert!(log.ends_with(&format!("last {}\n", lines.len())), "{log}");
    })
    .await;
}

#[tokio::test]
async fn the_exit_code_survives_the_one_who_brings_it() {
    in_namespace(async |ns| {
        let app = shell("exit 7").rich("poststop", "/bin/sleep 10000");
        let pod = ns.run(&app).await;
        let helper = ["pgrep", "--full", "rich ended"];
        let pid = pod.exec_until(&helper, |pid| !pid.trim().is_empty()).await;
        pod.exec(&["kill", "-KILL", pid.trim()]).await;
        assert_eq!(pod.exit_code().await, 7);
    })
    .await;
}

#[tokio::test]
async fn a_container_ends_with_137_however_often_everybody_in_it_is_killed() {
    in_namespace(async |ns| {
        let pod = ns.run(&shell("exec sleep 10000")).await;
        application(&pod).await;
        // Whoever would bring the exit code, and whoever comes in its place.
        let again_and_again = "while ((SECONDS < 3)); do kill -KILL -1; done";
        let _inside = pod.enter(&["bash", "-c", again_and_again]).await;
        assert_eq!(pod.exit_code().await, 137);
    })
    .await;
}

#[tokio::test]
async fn our_programs_are_not_unmounted_before_systemd_has_ended() {
    in_namespace(async |ns| {
        let pod = ns.run(&shell("exec sleep 10000")).await;
        application(&pod).await;
        let conflicts = ["systemctl", "show", "--property=Conflicts", "--value"];
        let of = async |unit| pod.exec(&[&conflicts[..], &[unit]].concat()).await;
        assert!(of("etc-hosts.mount").await.contains("umount.target"));
        assert_eq!(of("\\x2erich.mount").await.trim(), "");
    })
    .await;
}

#[tokio::test]
async fn an_image_with_cron_and_sshd_runs_them_and_a_login_has_the_environment() {
    in_namespace(async |ns| {
        let app = image("debian-services", &["sleep", "10000"])
            .rich("mode", "systemd")
            .container(json!({"env": [{"name": "GREETING", "value": "it's \"two words\""}]}));
        let pod = ns.run(&app).await;
        let state = ["systemctl", "is-system-running", "--wait"];
        pod.exec_until(&state, |state| state.trim() == "running").await;
        let active = pod.exec(&["systemctl", "is-active", "cron", "ssh", "rich"]).await;
        assert_eq!(active, "active\nactive\nactive\n");
        let say = "echo \"$GREETING,$rich_mode\"";
        assert_eq!(pod.exec(&["su", "-", "-c", say]).await, "it's \"two words\",true\n");
        let ssh = "mkdir -p -m 700 /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 \
                   && cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys && \
                   ssh -o StrictHostKeyChecking=no -o LogLevel=ERROR localhost \
                   'bash -lc \"echo \\$GREETING,\\$rich_mode\"'";
        let said = pod.exec(&["sh", "-c", ssh]).await;
        assert!(said.ends_with("it's \"two words\",true\n"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn a_systemd_that_gives_up_ends_the_container_with_a_sentence() {
    in_namespace(async |ns| {
        // A file system that cannot be mounted is what most often does it.
        let mount = "printf 'nothing-there /data tmpfs-that-is-not defaults 0 0\\n' >/etc/fstab";
        let pod = ns.run(&shell("echo never").rich("initcmd", mount)).await;
        let (code, message) = pod.ended().await;
        assert_eq!(code, 125, "{message}");
        assert!(message.contains("systemd has not come as far as the application"), "{message}");
        assert!(message.contains("data.mount"), "{message}");
        let log = pod.logs().await;
        assert!(log.contains(message.trim()) && !log.contains("never"), "{log}");
    })
    .await;
}

#[tokio::test]
async fn status_tells_how_the_application_and_systemd_are() {
    in_namespace(async |ns| {
        let pod = ns
            .run(&shell(
                "systemctl start nothing.service; systemd-run --unit=bad false; exec sleep 10000",
            ))
            .await;
        let pid = application(&pod).await;
        let status = ["/.rich/rich", "status"];
        let text = pod.exec_until(&status, |text| text.contains("bad.service")).await;
        for line in [
            "mode: systemd",
            &format!("application: running, pid {pid}"),
            "last exit: none",
            "restarts: 0",
            "failed services: bad.service",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_terminal_is_the_applications_own() {
    in_namespace(async |ns| {
        let app = shell("[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && tty && sleep 1; exit 7")
            .container(json!({"tty": true, "stdin": true}));
        let pod = ns.run(&app).await;
        assert_eq!(pod.exit_code().await, 7);
        assert!(pod.logs().await.contains("/dev/"), "{}", pod.logs().await);
    })
    .await;
}

#[test]
fn the_page_about_init_systems_says_what_is_tested() {
    let section = page::section(include_str!("../../docs/init-systems.md"), "systemd");
    let rows = page::table(section);
    let mut claimed: Vec<&str> = rows[1..].iter().flat_map(|row| page::code(row[1])).collect();
    let mut tested = page::tests(include_str!("systemd.rs"));
    // This one is about no pod.
    tested.retain(|name| *name != "the_page_about_init_systems_says_what_is_tested");
    claimed.sort_unstable();
    tested.sort_unstable();
    assert_eq!(claimed, tested);
}
