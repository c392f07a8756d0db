//! dumb-init as a drop-in: options, exit codes, what it says.

mod support;

use std::process::{Command, Stdio};

use support::{Folder, Running, code, exists, finish, only_ours, stderr, stdout};

#[test]
fn the_exit_code_is_the_applications() {
    let folder = Folder::installed();
    for (args, expected) in [
        (&["true"][..], 0),
        (&["--", "sh", "-c", "exit 7"], 7),
        (&["-c", "sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "kill -9 $$"], 137),
        (&["sh", "-c", "exit 255"], 255),
    ] {
        assert_eq!(code(&finish(&mut folder.dumb_init(args))), expected, "{args:?}");
    }
}

#[test]
fn an_application_that_cannot_be_executed_is_2() {
    let folder = Folder::installed();
    let output = finish(&mut folder.dumb_init(&["/no/such", "arg"]));
    assert_eq!(code(&output), 2);
    assert_eq!(stderr(&output), "[dumb-init] /no/such: No such file or directory\n");
    let output = finish(&mut folder.dumb_init(&["/etc/passwd"]));
    assert_eq!(code(&output), 2);
    assert_eq!(stderr(&output), "[dumb-init] /etc/passwd: Permission denied\n");
}

#[test]
fn what_it_says_goes_to_standard_error_and_usage_errors_are_1() {
    if only_ours("its words are its own") {
        return;
    }
    let folder = Folder::installed();
    for (args, expected, said) in [
        (&["--help"][..], 0, "dumb-init v1.2.5\nUsage: dumb-init [option] command"),
        (&["-V"], 0, "dumb-init v1.2.5\n"),
        (&[], 1, "Usage: dumb-init [option] program [args]\nTry dumb-init --help"),
        (&["-x"], 1, "dumb-init: "),
        (&["-r", "1:2:3", "true"], 1, "dumb-init: "),
    ] {
        let output = finish(&mut folder.dumb_init(args));
        assert_eq!(code(&output), expected, "{args:?}");
        assert_eq!(stdout(&output), "", "{args:?}");
        assert!(stderr(&output).starts_with(said), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn the_environment_switches_as_the_options_do() {
    let folder = Folder::installed();
    let session = "cut -d' ' -f6 /proc/$$/stat; echo $$";
    let own_session = |command: &mut Command| {
        let text = stdout(&finish(command));
        let (session, pid) = text.trim().split_once('\n').unwrap();
        session == pid
    };
    assert!(own_session(&mut folder.dumb_init(&["sh", "-c", session])));
    assert!(!own_session(&mut folder.dumb_init(&["-c", "sh", "-c", session])));
    let mut command = folder.dumb_init(&["sh", "-c", session]);
    assert!(!own_session(command.env("DUMB_INIT_SETSID", "0")));
    assert!(own_session(command.env("DUMB_INIT_SETSID", "1")));

    let mut command = folder.dumb_init(&["true"]);
    let said = stderr(&finish(command.env("DUMB_INIT_DEBUG", "1")));
    assert!(said.starts_with("[dumb-init] Running in debug mode.\n"), "{said}");
    assert!(said.ends_with("[dumb-init] Child exited with status 0. Goodbye.\n"), "{said}");
    assert_eq!(stderr(&finish(command.env("DUMB_INIT_DEBUG", "0"))), "");
}

#[test]
fn the_application_starts_with_no_signal_blocked_or_ignored() {
    if only_ours("it passes on what its parent ignored") {
        return;
    }
    let folder = Folder::installed();
    // Whatever the one who started us ignores: here what nohup(1) and a careless parent do.
    let script = format!(
        "trap '' HUP TERM CHLD PIPE; exec {} cat /proc/self/status",
        folder.path("dumb-init")
    );
    let output = finish(Command::new("sh").args(["-c", &script]));
    let status = stdout(&output);
    for field in ["SigBlk", "SigIgn", "SigCgt"] {
        assert!(status.contains(&format!("{field}:\t0000000000000000\n")), "{status}");
    }
}

#[test]
fn closed_streams_and_a_broken_log_do_no_harm() {
    if only_ours("it tells of each SIGPIPE that telling raises, for ever") {
        return;
    }
    let folder = Folder::installed();
    let dumb_init = folder.path("dumb-init");
    let script = format!("exec {dumb_init} -v sh -c 'exit 6' <&- >&- 2>&-");
    assert_eq!(code(&finish(Command::new("sh").args(["-c", &script]))), 6);
    // Every line that it says raises a SIGPIPE, which is not the application's.
    let script = "kill -28 $PPID; trap 'exit 6' USR1; kill -10 $PPID; while :; do :; done";
    let mut command = folder.dumb_init(&["-v", "sh", "-c", script]);
    let mut running = Running::start(&mut command);
    running.close_stderr();
    assert_eq!(running.code(), 6);
}

#[test]
fn it_behaves_and_speaks_as_the_original() {
    const ORIGINAL: &str = "/usr/bin/dumb-init";
    assert!(exists(ORIGINAL), "install Debian's package dumb-init, the reference");
    let folder = Folder::installed();
    let normal = |output: &std::process::Output| {
        let said = stderr(output);
        // Ids differ from run to run.
        let words = said.split_inclusive(char::is_whitespace).map(|word| {
            let number = word.trim_end_matches(['.', '\n', ' ']);
            let is_id = number.len() > 2 && number.bytes().all(|b| b.is_ascii_digit());
            if is_id { word.replace(number, "N") } else { word.to_owned() }
        });
        (code(output), stdout(output), words.collect::<String>())
    };
    for args in [
        &["-v", "true"][..],
        &["-v", "sh", "-c", "exit 9"],
        &["-v", "-c", "sh", "-c", "kill -10 $$"],
        &["-v", "-r", "15:2", "sh", "-c", "trap 'exit 4' INT; kill -15 $PPID; while :; do :; done"],
        &["-v", "-r", "15:0", "sh", "-c", "kill -15 $PPID; sleep 0.1; exit 3"],
        &["-v", "-r", "28:9", "sh", "-c", "kill -28 $PPID; while :; do :; done"],
        &["-cv", "-r", "1:15", "sh", "-c", "kill -1 $PPID; while :; do :; done"],
        &["/no/such"],
        &["--sing", "sh", "-c", "echo out; exit 2"],
        &["-V"],
        &["-c"],
        &["-r", "99:1", "true"],
        &["--nonsense"],
    ] {
        let ours = normal(&finish(&mut folder.dumb_init(args)));
        let mut original = Command::new(ORIGINAL);
        let theirs = normal(&finish(original.args(args).stdin(Stdio::null())));
        assert_eq!((ours.0, &ours.1), (theirs.0, &theirs.1), "{args:?}");
        // The words of a usage error are our own.
        if ours.0 != 1 {
            let sorted = |text: &str| {
                // It claims to signal the session of a child that is gone, even where there is
                // none, and says by which rewriting.
                let last = ["Forwarded signal", "Translating signal", "Not forwarding"];
                let lines = text.lines().filter(|line| !last.iter().any(|l| line.contains(l)));
                let mut lines: Vec<String> = lines.map(str::to_owned).collect();
                lines.sort();
                lines
            };
            assert_eq!(sorted(&ours.2), sorted(&theirs.2), "{args:?}");
        }
    }
}
