//! As PID 1 of a real PID namespace.

#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod support;

use support::{Folder, Running, children, code, finish, kill, stderr, stdout, until};

const DUMB: &str = "--mode=dumb-init";

fn pid_1(running: &Running) -> i32 {
    let mut init = None;
    until("PID 1 is there", || {
        init = children(running.pid()).first().copied();
        init.is_some()
    });
    i32::try_from(init.unwrap()).unwrap()
}

#[test]
fn pid_1_is_dumb_init_and_shows_the_application() {
    let folder = Folder::installed();
    let script = "tr '\\0' ' ' < /proc/1/cmdline; echo; cat /proc/1/comm; echo $PPID";
    let output = finish(&mut folder.run_as_pid_1(&[DUMB], &["sh", "-c", script]));
    let dumb_init = folder.path("dumb-init");
    assert_eq!(stdout(&output), format!("{dumb_init} -- sh -c {script} \ndumb-init\n1\n"));
    assert_eq!(stderr(&output), "");
}

#[test]
fn orphans_are_reaped() {
    let folder = Folder::installed();
    let script = "for n in 1 2 3 4 5 6 7 8 9; do (sh -c 'exit 1' &); done
                  until [ $(grep -l '^PPid:.1$' /proc/[0-9]*/status | wc -l) = 1 ]; do :; done
                  echo alone";
    let output = finish(&mut folder.run_as_pid_1(&[DUMB], &["sh", "-c", script]));
    assert_eq!((code(&output), stdout(&output)), (0, "alone\n".into()), "{}", stderr(&output));
}

#[test]
fn orphans_of_the_initscript_are_reaped_too() {
    let folder = Folder::installed();
    let init = "--initcmd=for n in 1 2 3 4 5 6 7 8 9; do (sleep 0.05 &); done";
    let script = "until [ $(grep -l '^PPid:.1$' /proc/[0-9]*/status | wc -l) = 1 ]; do :; done";
    let output = finish(&mut folder.run_as_pid_1(&[DUMB, init], &["sh", "-c", script]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

#[test]
fn a_stop_ends_the_container_whenever_it_comes() {
    let folder = Folder::installed();
    // At any moment between the start of rich and that of the application, none may be lost.
    for delay in 0..30 {
        let mut run = Running::start(&mut folder.run_as_pid_1(&[DUMB], &["sleep", "1000"]));
        let init = pid_1(&run);
        until("rich is there", || {
            let name = support::process(init.unsigned_abs(), "Name").unwrap_or_default();
            let mask = support::process(init.unsigned_abs(), "SigBlk").unwrap_or_default();
            (name == "rich" || name == "dumb-init") && mask.starts_with("fffffff")
        });
        std::thread::sleep(std::time::Duration::from_micros(delay * 100));
        kill(init, 15);
        assert_eq!(run.code(), 143, "{delay}");
    }
}

#[test]
fn signals_from_within_reach_the_application() {
    let folder = Folder::installed();
    let script = "trap 'exit 9' USR1; kill -USR1 1; while :; do sleep 0.01; done";
    let output = finish(&mut folder.run_as_pid_1(&[DUMB], &["sh", "-c", script]));
    assert_eq!(code(&output), 9);
}

#[test]
fn every_start_runs_the_initscript() {
    let folder = Folder::installed();
    let log = folder.path("log");
    let init = format!("--initcmd=echo started >> {log}");
    for _ in 0..3 {
        let output = finish(&mut folder.run_as_pid_1(&[DUMB, &init], &["true"]));
        assert_eq!(code(&output), 0);
    }
    assert_eq!(folder.read("log"), "started\nstarted\nstarted\n");
}

#[test]
fn an_init_that_boots_the_image_must_be_pid_1() {
    let folder = Folder::installed();
    for (mode, sentence) in [
        ("systemd", "systemd: it must be PID 1 of the container"),
        ("sbin-init", "sbin-init: it must be PID 1 of the container"),
    ] {
        let output = finish(&mut folder.run(&[&format!("--mode={mode}")], &["true"]));
        assert_eq!(code(&output), 126);
        assert!(stderr(&output).contains(sentence), "{}", stderr(&output));
    }
}
