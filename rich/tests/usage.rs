//! The command lines that ask for help, and those that make no sense.

mod support;

use std::process::Command;

use support::{RICH, code, finish, stderr, stdout};

#[test]
fn help_and_version_are_printed_on_standard_output() {
    for args in [&["--help"][..], &["run", "--help"], &["install", "--help"], &["stop", "--help"]] {
        let output = finish(Command::new(RICH).args(args));
        assert_eq!(code(&output), 0, "{args:?}");
        assert!(stdout(&output).starts_with("Usage: rich "), "{args:?}");
        assert_eq!(stderr(&output), "");
    }
    let output = finish(Command::new(RICH).arg("--version"));
    assert_eq!(stdout(&output), concat!("rich ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn what_makes_no_sense_ends_with_2_and_one_sentence() {
    for args in [
        &[][..],
        &["frobnicate"],
        &["--frobnicate"],
        &["install"],
        &["install", "/a", "/b"],
        &["install", "--force"],
        &["stop", "now"],
        &["run"],
        &["run", "sleep"],
        &["run", "--mode=upstart", "--", "sleep"],
        &["run", "--mode=dumb-init", "--initscript=prepare.sh", "--", "sleep"],
        &["run", "--initscript=/prepare.sh", "--", "sleep"],
        &["run", "--mode=dumb-init", "--frobnicate", "--", "sleep"],
        &["run", "--mode=dumb-init"],
    ] {
        let output = finish(Command::new(RICH).args(args));
        assert_eq!(code(&output), 2, "{args:?}");
        assert_eq!(stdout(&output), "", "{args:?}");
        let said = stderr(&output);
        assert!(said.starts_with("rich") && said.lines().count() == 1, "{args:?}: {said}");
    }
}

#[test]
fn every_broken_rule_is_listed_at_once() {
    let args = ["run", "--mode=upstart", "--initscript=a", "--initscript-timeout=30", "--", "x"];
    let said = stderr(&finish(Command::new(RICH).args(args)));
    assert_eq!(said.lines().count(), 3, "{said}");
    assert!(said.contains("not supported rich mode: upstart"), "{said}");
}
