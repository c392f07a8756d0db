//! dumb-init in a real terminal, made by script(1).

mod support;

use std::{
    io::Write,
    process::{Command, Stdio},
};

use support::{Folder, Running, finish, only_ours, stdout};

/// Runs a command line in a new terminal whose session it leads.
fn in_terminal(command: &str) -> Command {
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &format!("exec {command}"), "/dev/null"]);
    script.env("SHELL", "/bin/sh").stdin(Stdio::null());
    script
}

#[test]
fn the_application_leads_the_terminals_session_in_the_foreground() {
    let folder = Folder::installed();
    let command = format!("{} cat /proc/self/stat", folder.path("dumb-init"));
    let text = stdout(&finish(&mut in_terminal(&command)));
    let fields: Vec<&str> = text.split_whitespace().collect();
    // proc_pid_stat(5): 1 pid, 5 pgrp, 6 session, 7 tty_nr, 8 tpgid.
    let (pid, group, session, terminal, foreground) =
        (fields[0], fields[4], fields[5], fields[6], fields[7]);
    assert_eq!([group, session, foreground], [pid; 3], "{text}");
    assert_ne!(terminal, "0", "{text}");
}

#[test]
fn the_hangup_of_the_handing_over_does_not_reach_the_application() {
    let folder = Folder::installed();
    let script = "'trap \"echo hung up\" HUP; sleep 0.1; sleep 0.1; echo fine'";
    let command = format!("{} -v sh -c {script}", folder.path("dumb-init"));
    let text = stdout(&finish(&mut in_terminal(&command)));
    assert!(text.contains("fine") && !text.contains("hung up\r\n"), "{text}");
    if only_ours("its words are its own") {
        return;
    }
    assert!(text.contains("Ignoring signal 1, which we have caused."), "{text}");
}

#[test]
fn a_typed_interrupt_reaches_the_application() {
    let folder = Folder::installed();
    let script = "'trap \"echo interrupted; exit 9\" INT; echo ready; \
                  while :; do sleep 0.01; done'";
    let command = format!("{} sh -c {script}", folder.path("dumb-init"));
    let mut terminal = in_terminal(&command);
    terminal.stdin(Stdio::piped());
    let mut running = Running::start(&mut terminal);
    assert_eq!(running.line(), "ready");
    running.stdin().write_all(b"\x03").unwrap();
    assert!(running.rest().contains("interrupted"));
    assert_eq!(running.code(), 9);
}

#[test]
fn without_a_session_of_its_own_the_application_keeps_the_terminal() {
    let folder = Folder::installed();
    let command = format!("{} -c cat /proc/self/stat", folder.path("dumb-init"));
    let text = stdout(&finish(&mut in_terminal(&command)));
    let fields: Vec<&str> = text.split_whitespace().collect();
    assert_ne!(fields[5], fields[0], "{text}");
    assert_ne!(fields[6], "0", "{text}");
}
