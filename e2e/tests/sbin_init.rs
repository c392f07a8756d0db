//! Mode sbin-init: what each init keeps. docs/init-systems.md shows the same, and the last test
//! compares.

#![allow(clippy::expect_used, reason = "these are tests")]

use e2e::{App, Namespace, RunningPod, busybox, eventually, image, in_namespace, kubectl, page};
use serde_json::json;

/// An image that has an init.
struct Machine {
    image: &'static str,
    /// The name of PID 1.
    init: &'static str,
    /// A service that the image has enabled.
    service: &'static str,
    /// Gives the image a service that leaves a mark when it is stopped.
    adds_a_service: &'static str,
    /// Whether that service is up: of one that is not, systemd stops nothing, and it does not keep
    /// the application waiting for the others. The other inits begin with them.
    service_is_up: &'static str,
    /// Lets boot scripts leave a mark that would change the node.
    tempts: &'static str,
}

const SYSTEMD: Machine = Machine {
    image: "debian-systemd",
    init: "systemd",
    service: "dbus-daemon",
    adds_a_service: "cd /etc/systemd/system; mkdir -p multi-user.target.wants; \
        printf '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 1\n\
        ExecStop=/bin/sh -c \"echo stopped >/dev/termination-log\"\n' >marker.service; \
        ln -s ../marker.service multi-user.target.wants",
    service_is_up: "systemctl is-active --quiet marker",
    tempts: "cd /etc/systemd/system; mkdir systemd-sysctl.service.d; printf '[Service]\n\
        ExecStartPre=/bin/sh -c \"echo touched >/dev/termination-log\"\n' \
        >systemd-sysctl.service.d/touch.conf",
};
const SYSV: Machine = Machine {
    image: "debian-sysv",
    init: "init",
    service: "cron",
    adds_a_service: ADDS_A_SCRIPT,
    service_is_up: "true",
    tempts: TOUCHING_SCRIPTS,
};
const OPENRC: Machine = Machine {
    image: "debian-openrc",
    init: "init",
    service: "cron",
    adds_a_service: ADDS_A_SCRIPT,
    service_is_up: "true",
    tempts: TOUCHING_SCRIPTS,
};
const BUSYBOX: Machine = Machine {
    image: "busybox-init",
    init: "init",
    service: "crond",
    adds_a_service: "printf '#!/bin/sh\necho stopped >/dev/termination-log\n' >/bin/stopping; \
        chmod +x /bin/stopping; echo '::shutdown:/bin/stopping' >>/etc/inittab",
    service_is_up: "true",
    tempts: "mkdir -p /mnt; echo '::sysinit:/bin/mount -t tmpfs pstore /mnt' >>/etc/inittab; \
        printf '#!/bin/sh\necho touched >/dev/termination-log\n' >/etc/init.d/S02sysctl; \
        chmod +x /etc/init.d/S02sysctl; echo '::sysinit:/etc/init.d/S02sysctl' >>/etc/inittab",
};

const ADDS_A_SCRIPT: &str = "printf '#!/bin/sh\n### BEGIN INIT INFO\n# Provides: marker\n\
    # Required-Start:\n# Required-Stop:\n# Default-Start: 2 3 4 5\n# Default-Stop: 0 1 6\n\
    # Short-Description: marker\n### END INIT INFO\n\
    [ \"$1\" != stop ] || echo stopped >/dev/termination-log\n' >/etc/init.d/marker; \
    chmod +x /etc/init.d/marker; update-rc.d marker defaults";
const TOUCHING_SCRIPTS: &str = "for it in hwclock.sh procps mountall.sh; do \
    sed -i '1a echo touched >/dev/termination-log' /etc/init.d/$it; done";

/// Makes a test of each promise for each init, and the list of them.
macro_rules! kept {
    (by all: $($all:ident)+; by $($init:ident ($machine:ident): $($more:ident)*;)+) => {
        kept! { @modules [$($all)+] $($init $machine [$($more)*])+ }
    };
    (@modules $all:tt $($init:ident $machine:ident $more:tt)+) => {
        $(kept! { @module $init $machine $all $more })+
        const KEPT: &[(&str, &[&str])] = &[$((stringify!($init), $init::KEPT)),+];
    };
    (@module $init:ident $machine:ident [$($all:ident)+] [$($more:ident)*]) => {
        mod $init {
            pub(super) const KEPT: &[&str] = &[$(stringify!($all),)+ $(stringify!($more),)*];
            kept! { @tests $machine $($all)+ $($more)* }
        }
    };
    (@tests $machine:ident $($promise:ident)+) => {
        $(#[tokio::test]
        async fn $promise() {
            super::$promise(&super::$machine).await;
        })+
    };
}

kept! {
    by all:
        the_images_init_is_pid_1_and_its_services_run
        the_application_has_its_arguments_environment_and_folder
        stdout_and_stderr_reach_the_log_each_in_order
        nothing_else_is_in_the_log_and_no_terminal_is_waited_for
        the_exit_code_is_the_applications
        a_signal_that_kills_the_application_is_told
        the_initscript_runs_first_at_every_start_and_each_boots_anew
        a_failed_initscript_ends_the_container_with_its_code
        a_deleted_pod_ends_by_sigterm_then_poststop_in_good_time
        rich_stop_ends_with_the_applications_code
        services_are_stopped_by_their_own_scripts
        what_would_change_the_node_does_not_run
        a_read_only_root_is_enough
        rich_status_tells_how_the_application_is;
    by systemd (SYSTEMD):;
    sysv (SYSV):
        poweroff_in_the_container_stops_the_application
        the_exit_code_survives_whoever_of_ours_is_killed;
    openrc (OPENRC):
        poweroff_in_the_container_stops_the_application
        the_exit_code_survives_whoever_of_ours_is_killed;
    busybox (BUSYBOX): the_exit_code_survives_whoever_of_ours_is_killed;
}

/// Says goodbye when it is told to.
const OBEDIENT: &str = "trap 'echo bye; exit 5' TERM; echo up; sleep 1000 & wait";

impl Machine {
    fn app(&self, command: &[&str]) -> App {
        image(self.image, command).rich("mode", "/sbin/init")
    }

    fn shell(&self, script: &str) -> App {
        self.app(&["/bin/sh", "-c", script])
    }

    /// Waits until the service runs, and gives the names of all processes.
    async fn processes(&self, pod: &RunningPod) -> Vec<String> {
        // Not ps, which each image has in another version.
        let names = "cat /proc/[0-9]*/comm 2>/dev/null";
        let names = pod
            .exec_until(&["/bin/sh", "-c", names], |names| {
                names.lines().any(|name| name == self.service)
            })
            .await;
        names.lines().map(str::to_owned).collect()
    }
}

/// What the application and its scripts have said: not what busybox says at its end, on another
/// stream and so anywhere among the lines, and not our own sentence.
async fn said(pod: &RunningPod) -> String {
    without_the_rest(&pod.logs().await)
}

fn without_the_rest(log: &str) -> String {
    let rest = ["\rThe system is going down", "\rSent SIG", "rich: "];
    let lines = log.lines().filter(|line| !rest.iter().any(|start| line.starts_with(start)));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// An emptyDir that outlives the container, at `/kept`.
fn with_kept_folder(app: App) -> App {
    app.spec(json!({"volumes": [{"name": "kept", "emptyDir": {}}]}))
        .container(json!({"volumeMounts": [{"name": "kept", "mountPath": "/kept"}]}))
}

async fn the_images_init_is_pid_1_and_its_services_run(machine: &Machine) {
    in_namespace(async |ns| {
        let pod = ns.run(&machine.app(&["/bin/sleep", "10000"])).await;
        // A service of the image runs beside the application.
        let names = machine.processes(&pod).await;
        assert_eq!(pod.exec(&["cat", "/proc/1/comm"]).await.trim(), machine.init);
        pod.exec_until(&["/bin/sh", "-c", "cat /proc/[0-9]*/comm 2>/dev/null"], |names| {
            names.lines().any(|name| name == "sleep")
        })
        .await;
        assert!(names.contains(&machine.init.to_owned()), "{names:?}");
    })
    .await;
}

async fn the_application_has_its_arguments_environment_and_folder(machine: &Machine) {
    in_namespace(async |ns| {
        let script = "for word; do printf '<%s>\\n' \"$word\"; done; printf '<%s>\\n' \"$VALUE\"; \
                      printf '<%s>\\n' \"$PWD\"";
        let app = machine
            .app(&["/bin/sh", "-c", script, "name", "two words", "", "\"'\\ %n :#", "a\nb"])
            .container(json!({
                "env": [{"name": "VALUE", "value": "x \"y\" 'z' \\ %h\nend"}],
                "workingDir": "/etc",
            }));
        let pod = ns.run(&app).await;
        assert_eq!(pod.exit_code().await, 0);
        let log = said(&pod).await;
        let expected = "<two words>\n<>\n<\"'\\ %n :#>\n<a\nb>\n<x \"y\" 'z' \\ %h\nend>\n</etc>\n";
        assert_eq!(log, expected);
    })
    .await;
}

async fn stdout_and_stderr_reach_the_log_each_in_order(machine: &Machine) {
    in_namespace(async |ns| {
        let script = "i=0; while [ $i -lt 500 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done";
        let pod = ns.run(&machine.shell(script)).await;
        assert_eq!(pod.exit_code().await, 0);
        let log = said(&pod).await;
        for stream in ["out", "err"] {
            let expected: Vec<String> = (0..500).map(|i| format!("{stream} {i}")).collect();
            let lines = log.lines().filter(|line| line.starts_with(stream));
            assert_eq!(lines.collect::<Vec<_>>(), expected);
        }
        assert_eq!(log.lines().count(), 1000);
    })
    .await;
}

async fn the_exit_code_is_the_applications(machine: &Machine) {
    in_namespace(async |ns| {
        assert_eq!(ns.run(&machine.shell("exit 7")).await.exit_code().await, 7);
    })
    .await;
}

async fn a_signal_that_kills_the_application_is_told(machine: &Machine) {
    in_namespace(async |ns| {
        // The shell's own `$$`, of which the kubelet makes one of two.
        assert_eq!(ns.run(&machine.shell("kill -KILL $$$$")).await.exit_code().await, 128 + 9);
    })
    .await;
}

async fn the_initscript_runs_first_at_every_start_and_each_boots_anew(machine: &Machine) {
    in_namespace(async |ns| {
        let app = machine
            .shell(
                "echo app >>/kept/order; cat /kept/order; [ ! -e /run/stale ] || echo stale; \
                 >/run/stale; [ ! -e /etc/inittab ] || grep -c supervise /etc/inittab; \
                 [ $(grep -c app /kept/order) = 2 ]",
            )
            .rich("initcmd", "echo script >>/kept/order")
            .spec(json!({"restartPolicy": "OnFailure"}));
        let pod = ns.run(&with_kept_folder(app)).await;
        eventually("the second start succeeds", async || {
            let phase = pod.now().await.status?.phase?;
            (phase == "Succeeded").then_some(())
        })
        .await;
        assert_eq!(pod.restarts().await, 1);
        let ours = if machine.init == "systemd" { "" } else { "1\n" };
        let expected = format!("script\napp\nscript\napp\n{ours}");
        assert_eq!(said(&pod).await, expected);
    })
    .await;
}

async fn a_failed_initscript_ends_the_container_with_its_code(machine: &Machine) {
    in_namespace(async |ns| {
        let app = machine.shell("echo the application ran").rich("initcmd", "echo no; exit 42");
        let pod = ns.run(&app).await;
        let (code, message) = pod.ended().await;
        assert_eq!(code, 42, "{message}");
        assert!(message.contains("initcmd failed with exit code 42"), "{message}");
        assert_eq!(said(&pod).await, "no\n");
    })
    .await;
}

async fn nothing_else_is_in_the_log_and_no_terminal_is_waited_for(machine: &Machine) {
    in_namespace(async |ns| {
        let pod = ns.run(&machine.shell("echo up; exec sleep 10000")).await;
        pod.logs_with("up").await;
        let names = machine.processes(&pod).await;
        let waits = |name: &&String| name.ends_with("getty") || name.contains("login ");
        assert_eq!(names.iter().find(waits), None, "{names:?}");
        assert_eq!(pod.logs().await, "up\n");
    })
    .await;
}

async fn a_deleted_pod_ends_by_sigterm_then_poststop_in_good_time(machine: &Machine) {
    in_namespace(async |ns| {
        ns.scripts("scripts", &[("after.sh", "#!/bin/sh\necho poststop\n")]).await;
        let app = machine
            .shell(OBEDIENT)
            .rich("poststop", "/scripts/after.sh")
            .scripts("scripts")
            // Longer than the patience of the test, were SIGKILL what ends it.
            .grace(1000);
        let pod = ns.run(&app).await;
        pod.logs_with("up").await;
        let follow = pod.follow().await;
        assert_eq!(pod.delete_and_see_the_end().await, 5);
        assert_eq!(without_the_rest(&follow.await), "up\nbye\npoststop\n");
        assert_eq!(pod.warnings().await, [""; 0]);
    })
    .await;
}

async fn rich_stop_ends_with_the_applications_code(machine: &Machine) {
    is_stopped_by(machine, &["/.rich/rich", "stop"]).await;
}

async fn poweroff_in_the_container_stops_the_application(machine: &Machine) {
    is_stopped_by(machine, &["/sbin/poweroff"]).await;
}

async fn is_stopped_by(machine: &Machine, command: &[&str]) {
    in_namespace(async |ns| {
        let pod = ns.run(&machine.shell(OBEDIENT)).await;
        pod.logs_with("up").await;
        let printed = exec_the_last(ns, &pod, command).await;
        assert_eq!(pod.exit_code().await, 5, "{printed}");
        assert_eq!(said(&pod).await, "up\nbye\n");
    })
    .await;
}

async fn the_exit_code_survives_whoever_of_ours_is_killed(machine: &Machine) {
    let parent = "kill -KILL $(cat /run/rich/supervisor); ";
    let other = "for it in /proc/[0-9]*; do \
        [ \"$(tr '\\0' ' ' <$it/cmdline)\" = '/.rich/rich supervise ' ] && \
        [ ${it#/proc/} != $(cat /run/rich/supervisor) ] && kill -KILL ${it#/proc/}; done; ";
    // The third keeps the container's streams.
    let hold = "kill -KILL $(tr '\\0' '\\n' </run/rich/spec | sed -n 's/^holder=//p'); ";
    // Both at once are too much, but the container still ends.
    for (kill, code) in [(parent, 7), (other, 7), (hold, 7), (&[other, parent].concat(), 137)] {
        in_namespace(async |ns| {
            let app = machine.shell("echo up; until [ -e /tmp/go ]; do sleep 0.1; done; exit 7");
            let pod = ns.run(&app).await;
            pod.logs_with("up").await;
            let go = [kill, "touch /tmp/go"].concat();
            let printed = exec_the_last(ns, &pod, &["/bin/sh", "-c", &go]).await;
            assert_eq!(pod.exit_code().await, code, "{kill}: {printed}");
        })
        .await;
    }
}

async fn rich_status_tells_how_the_application_is(machine: &Machine) {
    in_namespace(async |ns| {
        let pod = ns.run(&machine.shell("echo up; exec sleep 10000")).await;
        pod.logs_with("up").await;
        let status = pod
            .exec_until(&["/.rich/rich", "status"], |text| text.contains("application: running"))
            .await;
        assert!(status.contains("mode: sbin-init\n"), "{status}");
        assert!(status.contains("last exit: none\n"), "{status}");
    })
    .await;
}

/// Runs a command in the container that ends it, so that how the command itself ends says nothing.
async fn exec_the_last(ns: &Namespace, pod: &RunningPod, command: &[&str]) -> String {
    let exec = ["exec", "--namespace", &ns.name, pod.name(), "--container", "app", "--"];
    kubectl(&[&exec, command].concat()).await.text
}

async fn services_are_stopped_by_their_own_scripts(machine: &Machine) {
    in_namespace(async |ns| {
        let exits = format!("until {}; do sleep 0.1; done; exit 3", machine.service_is_up);
        let app = machine.shell(&exits).rich("initcmd", machine.adds_a_service);
        let (code, message) = ns.run(&app).await.ended().await;
        assert_eq!((code, &*message), (3, "stopped\n"));
    })
    .await;
}

async fn what_would_change_the_node_does_not_run(machine: &Machine) {
    in_namespace(async |ns| {
        let mounts = "! grep -E 'pstore|securityfs|configfs|efivarfs|cgroup/openrc' /proc/mounts";
        let pod = ns.run(&machine.shell(mounts).rich("initcmd", machine.tempts)).await;
        let (code, message) = pod.ended().await;
        assert_eq!((code, &*message), (0, ""), "{}", pod.logs().await);
    })
    .await;
}

async fn a_read_only_root_is_enough(machine: &Machine) {
    in_namespace(async |ns| {
        // What is to do nothing does nothing there, either.
        let app = machine
            .shell(
                "echo up; touch /written 2>/dev/null || echo read-only; \
                 [ ! -e /etc/init.d/procps ] || sed -n 3p /etc/init.d/procps; \
                 trap 'exit 5' TERM; sleep 1000 & wait",
            )
            .container(json!({"securityContext": {"readOnlyRootFilesystem": true}}));
        let pod = ns.run(&app).await;
        machine.processes(&pod).await;
        let scripts =
            if machine.init == "init" && machine.service == "cron" { "exit 0\n" } else { "" };
        pod.logs_with(&format!("up\nread-only\n{scripts}")).await;
        let printed = exec_the_last(ns, &pod, &["/.rich/rich", "stop"]).await;
        assert_eq!(pod.exit_code().await, 5, "{printed}");
    })
    .await;
}

#[tokio::test]
async fn an_image_without_an_init_is_told_so_in_one_sentence() {
    in_namespace(async |ns| {
        let pod = ns.run(&busybox(&["sleep", "1"]).rich("mode", "sbin-init")).await;
        let (code, message) = pod.ended().await;
        assert_eq!(code, 127, "{message}");
        assert_eq!(message, "rich: sbin-init: /sbin/init does not exist in the container\n");
    })
    .await;
}

#[test]
fn the_page_about_init_systems_says_what_is_tested() {
    let section = page::section(include_str!("../../docs/init-systems.md"), "sbin-init");
    let rows = page::table(section);
    let mut claimed = Vec::new();
    for row in &rows[1..] {
        let cells = rows[0].iter().zip(row).skip(2);
        for (init, _) in cells.filter(|(_, cell)| **cell == "yes") {
            claimed.extend(page::code(row[1]).map(|promise| (*init, promise)));
        }
    }
    let mut tested: Vec<(&str, &str)> =
        KEPT.iter().flat_map(|(init, promises)| promises.iter().map(|it| (*init, *it))).collect();
    claimed.sort_unstable();
    tested.sort_unstable();
    assert_eq!(claimed, tested);
}
