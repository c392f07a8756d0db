//! `rich install`.

#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod support;

use std::{fs, os::unix::fs::MetadataExt, os::unix::fs::PermissionsExt, process::Command};

use support::{Folder, RICH, code, finish, stderr, stdout};

fn names(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path("")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_program_and_a_link_to_it_are_installed_and_nothing_else() {
    let folder = Folder::installed();
    assert_eq!(names(&folder), ["dumb-init", "rich"]);
    assert_eq!(fs::read(folder.path("rich")).unwrap(), fs::read(RICH).unwrap());
    let mode = fs::metadata(folder.path("rich")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o755);
    assert_eq!(fs::read_link(folder.path("dumb-init")).unwrap().to_str(), Some("rich"));
}

#[test]
fn installing_again_replaces_the_files_and_hurts_nobody_who_runs_them() {
    let folder = Folder::installed();
    let before = fs::metadata(folder.path("rich")).unwrap().ino();
    let mut running = support::Running::start(&mut folder.dumb_init(&["sleep", "1000"]));
    running.until_the_application_runs();
    // By the installed copy itself, and with a umask that would take every right.
    let again = format!("umask 777; exec {0}/rich install {0}", folder.path(""));
    assert!(Command::new("sh").args(["-c", &again]).status().unwrap().success());
    assert_ne!(fs::metadata(folder.path("rich")).unwrap().ino(), before);
    assert_eq!(names(&folder), ["dumb-init", "rich"]);
    assert_eq!(code(&finish(&mut folder.dumb_init(&["sh", "-c", "exit 3"]))), 3);
    running.signal(15);
    assert_eq!(running.code(), 143);
}

#[test]
fn any_user_can_install_with_a_read_only_root() {
    let folder = Folder::empty();
    fs::set_permissions(folder.path(""), fs::Permissions::from_mode(0o777)).unwrap();
    let copy = Folder::installed();
    fs::set_permissions(copy.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let script = format!(
        "mount --bind {0} {0} && mount -o remount,bind,ro / && \
         exec setpriv --reuid 1234 --regid 1234 --clear-groups --no-new-privs {1}/rich install {0}",
        folder.path(""),
        copy.path("")
    );
    let output = finish(Command::new("unshare").args(["--mount", "sh", "-c", &script]));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(names(&folder), ["dumb-init", "rich"]);
    assert_eq!(fs::metadata(folder.path("rich")).unwrap().uid(), 1234);
}

#[test]
fn a_folder_that_cannot_be_used_is_said_in_one_sentence() {
    let folder = Folder::installed();
    let missing = folder.path("missing");
    let output = finish(Command::new(RICH).args(["install", &missing]));
    assert_eq!(code(&output), 1);
    assert_eq!(
        stderr(&output),
        format!(
            "rich install: {missing}: the folder cannot be opened: No such file or directory; give \
             a folder that exists, such as a mounted volume\n"
        )
    );

    let file = folder.path("rich");
    let output = finish(Command::new(RICH).args(["install", &file]));
    assert!(stderr(&output).contains("Not a directory"), "{}", stderr(&output));

    fs::set_permissions(folder.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let mut user = Command::new("setpriv");
    user.args(["--reuid", "1234", "--regid", "1234", "--clear-groups", &file, "install"]);
    let output = finish(user.arg(folder.path("")));
    assert_eq!(code(&output), 1);
    assert!(stderr(&output).contains("must be allowed to write there"), "{}", stderr(&output));
}

#[test]
fn a_full_volume_is_said_and_left_as_it_was() {
    let folder = Folder::empty();
    let script = format!(
        "mount -t tmpfs -o size=32k none {0} && {RICH} install {0}; echo $?; ls -A {0}",
        folder.path("")
    );
    let output = finish(Command::new("unshare").args(["--mount", "sh", "-c", &script]));
    assert_eq!(stdout(&output), "1\n");
    assert!(stderr(&output).contains("No space left on device; give the volume a larger"));
}
