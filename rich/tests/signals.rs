//! Which signals dumb-init passes on, and to whom.

mod support;

use support::{
    Folder, Running, children, finish, kill, only_ours, original, process, state, stdout, until,
};

/// All that can be caught, without CHLD, which is dumb-init's own. The original has no room for
/// real-time signals.
fn signals() -> impl Iterator<Item = i32> {
    let last = if original().is_some() { 31 } else { 64 };
    (1..=last).filter(|signal| ![9, 17, 19].contains(signal))
}

/// What does not end a process that does nothing about it: CONT, the three of job control, URG,
/// WINCH.
const HARMLESS: [i32; 6] = [18, 20, 21, 22, 23, 28];

fn start(folder: &Folder, args: &[&str]) -> Running {
    let running = Running::start(&mut folder.dumb_init(args));
    running.until_the_application_runs();
    running
}

#[test]
fn every_signal_ends_the_application_as_it_would_without_us() {
    let folder = Folder::installed();
    for mode in [&["--"][..], &["-c"]] {
        for signal in signals().filter(|signal| !HARMLESS.contains(signal)) {
            let mut running = start(&folder, &[mode, &["sleep", "1000"]].concat());
            running.signal(signal);
            assert_eq!(running.code(), 128 + signal, "{mode:?} {signal}");
        }
    }
}

#[test]
fn signals_that_end_nothing_are_passed_on_too() {
    let folder = Folder::installed();
    let script = "trap 'echo 18' CONT; trap 'echo 23' URG; trap 'echo 28' WINCH; echo ready; \
                  while :; do sleep 0.01; done";
    for mode in [&["--"][..], &["-c"]] {
        let mut running = start(&folder, &[mode, &["sh", "-c", script]].concat());
        assert_eq!(running.line(), "ready");
        for signal in [18, 23, 28] {
            running.signal(signal);
            assert_eq!(running.line(), signal.to_string(), "{mode:?}");
        }
        running.signal(15);
        assert_eq!(running.code(), 143);
    }
}

#[test]
fn every_signal_can_be_rewritten() {
    let folder = Folder::installed();
    for signal in signals() {
        let rewrite = format!("{signal}:10");
        let mut running = start(&folder, &["-r", &rewrite, "sleep", "1000"]);
        running.signal(signal);
        if [20, 21, 22].contains(&signal) {
            until("dumb-init is stopped", || state(running.pid()) == Some('T'));
            running.signal(18);
        }
        assert_eq!(running.code(), 138, "{signal}");
    }
}

#[test]
fn a_signal_that_is_rewritten_to_0_is_not_passed_on() {
    let folder = Folder::installed();
    let mut running = start(&folder, &["-r", "15:0", "-r", "28:0", "sleep", "1000"]);
    running.signal(15);
    running.signal(28);
    // Whatever came before this has been dealt with when this is.
    running.signal(10);
    assert_eq!(running.code(), 138);
}

#[test]
fn a_signal_goes_to_the_whole_session_or_to_the_child_alone() {
    let folder = Folder::installed();
    let script = "sleep 1000 & echo $!; exec sleep 1000";
    for (mode, reaches_all) in [("--", true), ("-c", false)] {
        let mut running = start(&folder, &[mode, "sh", "-c", script]);
        let other: u32 = running.line().parse().unwrap();
        running.signal(15);
        assert_eq!(running.code(), 143);
        if reaches_all {
            until("the other is gone", || matches!(state(other), None | Some('Z')));
        } else {
            assert!(matches!(state(other), Some('S' | 'R')), "{:?}", state(other));
            kill(i32::try_from(other).unwrap(), 9);
        }
    }
}

#[test]
fn what_the_application_leaves_is_told_to_end() {
    let folder = Folder::installed();
    let mut command = folder.dumb_init(&["sh", "-c", "sleep 1000 > /dev/null 2>&1 & echo $!"]);
    let other = stdout(&finish(&mut command)).trim().parse().unwrap();
    until("the other is gone", || matches!(state(other), None | Some('Z')));
}

#[test]
fn a_stop_of_the_terminal_stops_both_and_goes_on_with_both() {
    let folder = Folder::installed();
    for signal in [20, 21, 22] {
        let mut running = start(&folder, &["sleep", "1000"]);
        let pid = running.pid();
        until("sleep runs", || {
            let child = children(pid).first().copied();
            child.and_then(|child| process(child, "Name")).as_deref() == Some("sleep")
        });
        let child = children(pid)[0];
        running.signal(signal);
        until("both are stopped", || state(pid) == Some('T') && state(child) == Some('T'));
        running.signal(18);
        until("both go on", || state(pid) == Some('S') && state(child) == Some('S'));
        running.signal(15);
        assert_eq!(running.code(), 143, "{signal}");
    }
}

#[test]
fn a_single_child_gets_the_stop_itself() {
    let folder = Folder::installed();
    let script = "trap 'echo 20' TSTP; trap 'echo 21' TTIN; trap 'echo 22' TTOU; echo ready; \
                  while :; do sleep 0.01; done";
    let mut running = start(&folder, &["-c", "sh", "-c", script]);
    assert_eq!(running.line(), "ready");
    for signal in [20, 21, 22] {
        running.signal(signal);
        assert_eq!(running.line(), signal.to_string());
        until("dumb-init is stopped", || state(running.pid()) == Some('T'));
        running.signal(18);
        until("dumb-init goes on", || state(running.pid()) == Some('S'));
    }
    running.signal(15);
    assert_eq!(running.code(), 143);
}

#[test]
fn real_time_signals_are_passed_on_one_by_one() {
    if only_ours("it has no room for real-time signals") {
        return;
    }
    let folder = Folder::installed();
    // A C library's RTMIN is 34; bash can catch it.
    let script = "trap 'echo got it' RTMIN; echo ready; while :; do sleep 0.01; done";
    let mut running = start(&folder, &["-c", "bash", "-c", script]);
    assert_eq!(running.line(), "ready");
    for _ in 0..3 {
        running.signal(34);
        assert_eq!(running.line(), "got it");
    }
    running.signal(15);
    assert_eq!(running.code(), 143);
}
