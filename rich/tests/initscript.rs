//! What `rich run` does before the init is PID 1.

#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod support;

use std::{fs, io::Write, process::Stdio};

use support::{Folder, Running, code, exists, finish, image::Image, state, stderr, stdout, until};

const DUMB: &str = "--mode=dumb-init";

#[test]
fn the_initscript_runs_before_the_application_and_gets_the_state_on_standard_input() {
    let folder = Folder::installed();
    let script = folder.script("init", "#!/bin/sh\ncat\necho \"with $*\"\necho errors >&2\n");
    let init = format!("--initscript={script}  a\tb ");
    let output = finish(&mut folder.run(&[DUMB, &init], &["echo", "application"]));
    assert_eq!(code(&output), 0);
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("{\"ociVersion\":\"1.0.2\",\"id\":\""), "{text}");
    assert!(lines[0].contains("\"status\":\"created\",\"pid\":"), "{text}");
    assert!(lines[0].ends_with(",\"bundle\":\"/\"}"), "{text}");
    assert_eq!(lines[1..], ["with a b", "application"]);
    assert_eq!(stderr(&output), "errors\n");
    assert_eq!(folder.read("message"), "");
}

#[test]
fn the_standard_input_of_the_application_is_untouched() {
    let folder = Folder::installed();
    let mut run = folder.run(&[DUMB, "--initcmd=cat > /dev/null"], &["cat"]);
    let mut child = run.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"for the application").unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"for the application");
}

#[test]
fn a_script_that_never_reads_its_input_is_fine() {
    let folder = Folder::installed();
    let output = finish(&mut folder.run(&[DUMB, "--initcmd=exec <&-; true"], &["echo", "on"]));
    assert_eq!((code(&output), stdout(&output)), (0, "on\n".into()));
}

#[test]
fn environment_and_folder_pass_unchanged_to_script_and_application() {
    let folder = Folder::installed();
    let mut run = folder.run(
        &[DUMB, "--initcmd=env > ../env; pwd > ../pwd"],
        &["sh", "-c", "env | diff ../env - && pwd | diff ../pwd -"],
    );
    fs::create_dir(folder.path("here")).unwrap();
    run.current_dir(folder.path("here")).env("ODD", "a\nb=c \u{e9}");
    let output = finish(&mut run);
    // Every shell has a `_` and a SHLVL of its own making.
    let kept = |line: &&str| line.starts_with(['<', '>']) && !line.contains("_=");
    let text = stdout(&output);
    let changed: Vec<&str> = text.lines().filter(kept).collect();
    assert_eq!(changed, [""; 0]);
}

#[test]
fn a_script_that_fails_stops_everything_with_its_code() {
    let folder = Folder::installed();
    let script = folder.script("init", "#!/bin/sh\necho last words\nexit 42\n");
    let init = format!("--initscript={script}");
    let output = finish(&mut folder.run(&[DUMB, &init], &["echo", "application"]));
    assert_eq!(code(&output), 42);
    assert_eq!(stdout(&output), "last words\n");
    let sentence = format!(
        "rich: initscript {script} failed with exit code 42; the application was not started\n"
    );
    assert_eq!(stderr(&output), sentence);
    assert_eq!(folder.read("message"), format!("last words\n{sentence}"));
}

#[test]
fn the_termination_message_holds_the_end_of_a_long_output() {
    let folder = Folder::installed();
    let init = "--initcmd=seq 1 100000; echo end >&2; exit 1";
    let output = finish(&mut folder.run(&[DUMB, init], &["true"]));
    assert_eq!(stdout(&output).lines().count(), 100_000);
    let message = folder.read("message");
    assert!(message.len() <= 4096, "{}", message.len());
    assert!(message.contains("\n99999\n100000\n"), "{message}");
    let first = message.lines().next().unwrap();
    assert!(first.parse::<u32>().unwrap() > 99_000, "{first}");
    assert!(message.ends_with("the application was not started\n"));
}

#[test]
fn what_cannot_be_run_is_told_apart_by_code_and_sentence() {
    let folder = Folder::installed();
    let not_executable = folder.write("plain", 0o644, "#!/bin/sh\n");
    let no_interpreter = folder.script("strange", "#!/no/such/shell\n");
    let no_loader = folder.write("loader", 0o755, "");
    patch_loader(&no_loader);
    for (path, expected, sentence) in [
        ("/no/such/script", 127, "does not exist in the container"),
        (&*not_executable, 126, "is not executable: chmod +x it"),
        ("/etc", 126, "is a folder, not a program"),
        (&*no_interpreter, 127, "the interpreter /no/such/shell of"),
        (&*no_loader, 127, "the loader that it needs does not exist"),
    ] {
        let init = format!("--initscript={path}");
        let output = finish(&mut folder.run(&[DUMB, &init], &["echo", "application"]));
        let said = stderr(&output);
        assert_eq!((code(&output), stdout(&output).as_str()), (expected, ""), "{path}: {said}");
        assert!(said.contains(sentence) && said.lines().count() == 1, "{path}: {said}");
        assert_eq!(folder.read("message"), said, "{path}");
    }
}

/// A copy of a dynamic program that asks for a loader which is not there.
fn patch_loader(path: &str) {
    let mut program = fs::read("/bin/true").unwrap();
    let name = b"/lib64/ld-";
    let at = program.windows(name.len()).position(|window| window == name).unwrap();
    program[at + 1] = b'x';
    fs::write(path, program).unwrap();
}

#[test]
fn a_script_without_an_interpreter_is_the_shells() {
    let folder = Folder::installed();
    let script = folder.script("init", "echo \"$0 $1\"\n");
    let init = format!("--initscript={script} one");
    let output = finish(&mut folder.run(&[DUMB, &init], &["true"]));
    assert_eq!((code(&output), stdout(&output)), (0, format!("{script} one\n")));
}

#[test]
fn a_script_with_windows_line_ends_runs() {
    let folder = Folder::installed();
    let text = "#!/bin/sh -e\r\nif true; then\r\n  echo \"$1\"\r\nfi\r\nfalse\r\necho not here\r\n";
    let script = folder.script("init", text);
    let init = format!("--initscript={script} one");
    let output = finish(&mut folder.run(&[DUMB, &init], &["true"]));
    assert_eq!((code(&output), stdout(&output)), (1, "one\n".into()));
    assert!(stderr(&output).contains("has Windows line ends: a copy without them is run"));
}

#[test]
fn a_script_that_is_killed_gives_128_and_the_signal() {
    let folder = Folder::installed();
    for signal in [9, 15, 6] {
        let init = format!("--initcmd=kill -{signal} $$");
        let output = finish(&mut folder.run(&[DUMB, &init], &["echo", "application"]));
        assert_eq!((code(&output), stdout(&output)), (128 + signal, String::new()));
        assert!(stderr(&output).contains(&format!("was killed by signal {signal}")));
    }
}

#[test]
fn a_script_that_takes_too_long_is_ended_with_all_it_started() {
    let folder = Folder::installed();
    // The second must be killed, the first goes by itself.
    for ignore in ["", "trap '' TERM; "] {
        let init =
            format!("--initcmd={ignore}sleep 1000 & echo $!; echo working; wait; sleep 1000");
        let mut run = folder.run(&[DUMB, &init, "--initscript-timeout=200ms"], &["echo", "no"]);
        let output = finish(&mut run);
        assert_eq!(code(&output), 124);
        let text = stdout(&output);
        let (pid, rest) = text.split_once('\n').unwrap();
        assert_eq!(rest, "working\n");
        assert!(stderr(&output).contains("initcmd took longer than 200ms"));
        assert!(folder.read("message").contains("working\nrich: initcmd took longer"));
        let pid = pid.parse().unwrap();
        until("what it started is gone", || matches!(state(pid), None | Some('Z')));
    }
}

#[test]
fn a_stop_during_the_script_reaches_its_group_and_the_application_never_starts() {
    let folder = Folder::installed();
    for (signal, expected) in [(15, 143), (2, 130), (1, 129), (3, 131), (37, 143)] {
        // Whatever the script itself makes of it, the container is to stop.
        let init = "--initcmd=trap 'echo stopping; exit 0' TERM INT HUP QUIT; echo ready; \
                    while :; do sleep 0.01; done";
        let mut run = Running::start(&mut folder.run(&[DUMB, init], &["echo", "application"]));
        assert_eq!(run.line(), "ready");
        run.signal(signal);
        assert_eq!(run.code(), expected, "{signal}");
        assert_eq!(run.rest(), "stopping\n", "{signal}");
    }
}

#[test]
fn a_script_that_ignores_the_stop_is_killed_after_the_grace() {
    let folder = Folder::installed();
    let init = "--initcmd=trap '' TERM; echo ready; sleep 1000";
    let mut run = Running::start(&mut folder.run_as_pid_1(&[DUMB, init], &["echo", "no"]));
    assert_eq!(run.line(), "ready");
    let init = support::children(run.pid())[0];
    support::kill(i32::try_from(init).unwrap(), 15);
    assert_eq!(run.code(), 143);
    assert_eq!(run.rest(), "");
}

#[test]
fn a_service_that_the_script_leaves_neither_holds_up_the_start_nor_dies_of_it() {
    let folder = Folder::installed();
    let flag = folder.path("go");
    let service = format!(
        "--initcmd=(until [ -e {flag} ]; do sleep 0.01; done; echo one; echo two; \
                 echo three >&2; touch {flag}.done; exec sleep 1000) & echo prepared"
    );
    let command = format!("touch {flag}; until [ -e {flag}.done ]; do sleep 0.01; done");
    let output = finish(&mut folder.run_as_pid_1(&[DUMB, &service], &["sh", "-c", &command]));
    assert_eq!(code(&output), 0);
    assert!(stdout(&output).starts_with("prepared\none\n"), "{}", stdout(&output));
    assert!(exists(&format!("{flag}.done")));
}

#[test]
fn nothing_of_ours_is_left_once_the_service_is_gone() {
    let folder = Folder::installed();
    let service = "--initcmd=sleep 0.1 & true";
    // PID 1, the shell, and the programs that count.
    let command = "while [ $(ls -d /proc/[0-9]* | wc -l) -gt 4 ]; do sleep 0.01; done; echo alone";
    let output = finish(&mut folder.run_as_pid_1(&[DUMB, service], &["sh", "-c", command]));
    assert_eq!(stdout(&output), "alone\n");
}

#[test]
fn an_application_that_cannot_be_run_is_found_out_before_the_init() {
    let folder = Folder::installed();
    let plain = folder.write("plain", 0o644, "");
    for (application, expected, sentence) in [
        ("no-such-program", 127, "no-such-program is in no folder of the container's PATH"),
        ("/no/such", 127, "/no/such does not exist"),
        (&*plain, 126, "is not executable"),
    ] {
        let output = finish(&mut folder.run(&[DUMB, "--initcmd=echo prepared"], &[application]));
        assert_eq!(code(&output), expected);
        let said = stderr(&output);
        assert!(said.contains("the application ") && said.contains(sentence), "{said}");
        assert_eq!(folder.read("message"), format!("prepared\n{said}"));
    }
}

#[test]
fn login_shells_see_the_environment() {
    let image = Image::new();
    let mut run = image.run(&[DUMB], &["true"]);
    run.env("WEIRD", "a \"b\" $c `d`\ne").env("dotted.name", "x").env("EMPTY", "");
    assert_eq!(code(&finish(&mut run)), 0);
    let text = image.read("etc/profile.d/pouchenv.sh");
    assert!(text.contains("export WEIRD=\"a \\\"b\\\" \\$c \\`d\\`\ne\"\n"), "{text}");
    assert!(text.contains(":$PATH\"\n"), "{text}");
    assert!(!text.contains("dotted") && !text.contains("EMPTY") && !text.contains("export HOME="));
    assert_eq!(image.names("etc/profile.d"), ["pouchenv.sh"]);
}

#[test]
fn poststop_runs_after_the_application_and_changes_no_exit_code() {
    let folder = Folder::installed();
    let script = folder.script("post", "#!/bin/sh\necho \"after, $1\"\nexit 9\n");
    let poststop = format!("--poststop={script} really");
    let command = "echo before; env | grep -c RICH_POSTSTOP; exit 5";
    let output = finish(&mut folder.run(&[DUMB, &poststop], &["sh", "-c", command]));
    assert_eq!(code(&output), 5);
    assert_eq!(stdout(&output), "before\n0\nafter, really\n");
    assert_eq!(stderr(&output), format!("rich: poststop {script} ended with exit code 9\n"));
}

#[test]
fn a_signal_during_poststop_reaches_it() {
    let folder = Folder::installed();
    let script = folder.script(
        "post",
        "#!/bin/sh\ntrap 'echo stopped; exit 0' TERM\necho cleaning\nwhile :; do sleep 0.01; done\n",
    );
    let poststop = format!("--poststop={script}");
    let mut run = Running::start(&mut folder.run(&[DUMB, &poststop], &["sh", "-c", "exit 5"]));
    assert_eq!(run.line(), "cleaning");
    run.signal(15);
    assert_eq!(run.code(), 5);
    assert_eq!(run.rest(), "stopped\n");
}
