//! What an image, or what an earlier start of the container has left, cannot make `rich run` do.

#![allow(clippy::unwrap_used)] // A test that cannot go on fails.

mod support;

use std::{fs, os::unix::fs::MetadataExt, process::Command};

use support::{code, finish, image::Image, stderr, stdout};

const DUMB: &str = "--mode=dumb-init";
const SBIN_INIT: &str = "--mode=sbin-init";
const PROFILE: &str = "etc/profile.d/pouchenv.sh";
/// A link to it is a `systemd` for `sbin-init`.
const SYSTEMD: &str = "opt/systemd";

/// Starts a container with a secret, which must run.
#[track_caller]
fn starts(image: &Image, flags: &[&str]) {
    let mut run = image.run(&[&[DUMB], flags].concat(), &["echo", "application"]);
    let output = finish(run.env("PASSWORD", "s3cr3t"));
    assert_eq!(
        (code(&output), stdout(&output)),
        (0, "application\n".into()),
        "{}",
        stderr(&output)
    );
}

/// An image whose init is systemd, which is this script.
fn systemd(script: &str) -> Image {
    let image = Image::new();
    image.folder("opt").script(SYSTEMD, &format!("#!/bin/sh\n{script}\n"));
    image.link("sbin/init", "/opt/systemd");
    image
}

/// The one sentence with which a container ends that does not start, and its exit code.
#[track_caller]
fn ends(image: &Image, flags: &[&str]) -> (i32, String) {
    let output = finish(&mut image.run(flags, &["echo", "application"]));
    let said = stderr(&output);
    assert_eq!(stdout(&output), "", "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    (code(&output), said)
}

#[test]
fn the_environment_file_is_readable_by_the_applications_user_only() {
    let image = Image::new();
    // Of an umask that would take nothing away.
    let run = image.run(&[DUMB], &["sh", "-c", "stat -c '%a %u' /etc/profile.d/pouchenv.sh"]);
    let mut open = Command::new("sh");
    open.args(["-c", "umask 0; exec \"$@\"", "sh"]).arg(run.get_program()).args(run.get_args());
    assert_eq!(stdout(&finish(open.env("PASSWORD", "s3cr3t"))), "600 0\n");
    assert!(image.read(PROFILE).contains("export PASSWORD=\"s3cr3t\"\n"));

    let image = Image::new();
    std::os::unix::fs::chown(image.path("etc/profile.d"), Some(1000), Some(1000)).unwrap();
    let words = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups", "/.rich/rich", "run"];
    let output = finish(&mut image.container(&[&words[..], &[DUMB, "--", "true"]].concat()));
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let file = fs::metadata(image.path(PROFILE)).unwrap();
    assert_eq!((file.mode() & 0o7777, file.uid()), (0o600, 1000));
}

#[test]
fn profile_false_leaves_the_environment_file_out() {
    let image = Image::new();
    starts(&image, &["--profile=false"]);
    assert_eq!(image.names("etc/profile.d"), [""; 0]);
    starts(&image, &["--profile=true"]);
    assert_eq!(image.names("etc/profile.d"), ["pouchenv.sh"]);
}

#[test]
fn no_environment_file_is_written_through_a_mount() {
    for mount in ["etc/profile.d", "etc"] {
        let image = Image::new();
        image.folder("host/profile.d");
        // Of the same file system as the image's root, as a folder of the node may be.
        let image = image.mounting(&format!("mount --bind host {mount}; mkdir -p etc/profile.d"));
        starts(&image, &[]);
        assert_eq!(image.names("host/profile.d"), [""; 0], "{mount}");
        assert_eq!(image.names("host"), ["profile.d"], "{mount}");
    }
    // Nor over one.
    let image = Image::new();
    image.folder("host").file("host/file", 0o644, "the node's").file(PROFILE, 0o644, "");
    let image = image.mounting(&format!("mount --bind host/file {PROFILE}"));
    starts(&image, &[]);
    assert_eq!(image.read("host/file"), "the node's");
    assert_eq!(image.names("etc/profile.d"), ["pouchenv.sh"]);
}

#[test]
fn a_profile_folder_that_leads_elsewhere_or_is_none_gets_nothing_and_holds_nobody_up() {
    for target in ["/dev", "/proc", "/host", "/elsewhere", "/etc/profile.d", "/nowhere"] {
        let image = Image::new();
        image.folder("host").folder("elsewhere").folder("node");
        image.remove("etc/profile.d").link("etc/profile.d", target);
        let image = image.mounting("mount --bind node host");
        starts(&image, &[]);
        assert_eq!(image.names("node"), [""; 0], "{target}");
        assert_eq!(image.names("elsewhere"), [""; 0], "{target}");
    }
    let image = Image::new();
    starts(image.remove("etc/profile.d").pipe("etc/profile.d"), &[]);
    starts(image.remove("etc/profile.d").file("etc/profile.d", 0o644, "a file"), &[]);
    assert_eq!(image.read("etc/profile.d"), "a file");
    // The folder above it may be a link, as long as it leads to no mount.
    let image = Image::new();
    image.folder("node/profile.d").folder("host").remove("etc").link("etc", "/host");
    let image = image.mounting("mount --bind node host");
    starts(&image, &[]);
    assert_eq!(image.names("node/profile.d"), [""; 0]);
}

#[test]
fn what_an_image_has_in_the_place_of_the_environment_file_is_replaced_and_not_followed() {
    // Of PID 1.
    let temporary = "etc/profile.d/.pouchenv.sh.1.new";
    for name in [PROFILE, temporary] {
        let image = Image::new();
        image.file("tmp/victim", 0o644, "untouched");
        let check = || {
            starts(&image, &[]);
            assert_eq!(image.names("etc/profile.d"), ["pouchenv.sh"], "{name}");
            assert_eq!(image.mode(PROFILE), 0o600, "{name}");
            assert!(image.read(PROFILE).contains("s3cr3t"), "{name}");
            assert_eq!(image.read("tmp/victim"), "untouched", "{name}");
            image.remove(PROFILE);
        };
        image.link(name, "/tmp/victim");
        check();
        image.link(name, "/tmp/nothing-yet");
        check();
        assert!(!image.exists("tmp/nothing-yet"));
        fs::hard_link(image.path("tmp/victim"), image.path(name)).unwrap();
        check();
        image.pipe(name);
        check();
        image.file(name, 0o666, "old");
        check();
        // A folder stays; there is no environment file then.
        image.folder(name);
        starts(&image, &[]);
        let names = image.names("etc/profile.d");
        assert_eq!(names, [name.rsplit('/').next().unwrap()]);
    }
}

#[test]
fn a_container_with_a_bad_sbin_init_ends_with_one_sentence() {
    let image = Image::new();
    for (put, exit, sentence) in [
        ((|image| image) as fn(&Image) -> &Image, 127, "/sbin/init does not exist"),
        (|image| image.folder("sbin/init"), 126, "/sbin/init is a folder"),
        (|image| image.pipe("sbin/init"), 126, "/sbin/init is not executable"),
        (|image| image.file("sbin/init", 0o644, "BusyBox"), 126, "is not executable"),
        (|image| image.link("sbin/init", "init"), 126, "Too many levels of symbolic links"),
        (|image| image.link("sbin/init", "/dev/zero"), 126, "is not executable"),
        (|image| image.script("sbin/init", "#!/bin/sh\n"), 127, "is neither systemd nor"),
        (|image| image.link("sbin/init", "/.rich/rich"), 126, "itself, which is no init"),
        (|image| image.link("sbin/init", "/proc/1/exe"), 126, "itself, which is no init"),
    ] {
        put(&image);
        let (code, said) = ends(&image, &[SBIN_INIT]);
        assert!(said.contains("sbin-init") && said.contains(sentence), "{said}");
        assert_eq!(code, exit, "{said}");
        if image.exists("sbin/init") {
            image.remove("sbin/init");
        }
    }
}

#[test]
fn a_systemd_that_is_a_link_to_rich_is_no_systemd() {
    let image = Image::new();
    image.folder("lib-of-the-image").link("lib-of-the-image/systemd", "/.rich/rich");
    let places = "mount -t tmpfs lib usr/lib/systemd && ln -s /.rich/rich usr/lib/systemd/systemd";
    let (code, said) = ends(&image.mounting(places), &["--mode=systemd"]);
    assert!(said.contains("the image has no systemd"), "{said}");
    assert_eq!(code, 127);
}

#[test]
fn a_rich_folder_of_the_image_is_covered_by_ours() {
    let image = Image::new();
    let evil = "#!/bin/sh\necho evil\n";
    image.folder(".rich").script(".rich/rich", evil).script(".rich/dumb-init", evil);
    starts(&image, &[]);
    // Where it is a link, the runtime mounts at where it leads to.
    let image = Image::new();
    image.folder("tmp/rich").script("tmp/rich/rich", evil).link(".rich", "tmp/rich");
    starts(&image, &[]);
}

#[test]
fn links_of_an_image_in_run_lead_nothing_of_ours_elsewhere() {
    let image = systemd("cat /run/systemd/system/rich.service; stat -c '%a %u' /run/rich/spec");
    image.folder("etc/elsewhere");
    for name in ["rich", "systemd", "tmpfiles.d", "lock"] {
        image.link(&format!("run/{name}"), "/etc/elsewhere");
    }
    let output = finish(&mut image.run(&[SBIN_INIT], &["true"]));
    let text = stdout(&output);
    assert!(text.contains("ExecStart=/.rich/rich exec\n"), "{text}{}", stderr(&output));
    assert!(text.ends_with("\n600 0\n"), "{text}");
    assert_eq!(image.names("etc/elsewhere"), [""; 0]);
    assert_eq!(image.names("run"), ["lock", "rich", "systemd", "tmpfiles.d"]);
}

#[test]
fn a_volume_at_run_with_links_in_the_place_of_our_folders_ends_with_one_sentence() {
    for name in ["systemd", "systemd/system", "tmpfiles.d"] {
        let image = systemd("echo booted");
        image.folder("volume").folder("elsewhere");
        if let Some((parent, _)) = name.split_once('/') {
            image.folder(&format!("volume/{parent}"));
        }
        image.link(&format!("volume/{name}"), "/elsewhere");
        let image = image.mounting("mount --bind volume run");
        let (code, said) = ends(&image, &[SBIN_INIT]);
        assert_eq!(code, 126, "{said}");
        assert!(said.contains("sbin-init: /run"), "{said}");
        assert_eq!(image.names("elsewhere"), [""; 0], "{name}");
    }
}

#[test]
fn what_the_last_start_has_left_in_run_is_emptied_without_following_links() {
    let image = systemd("ls -A /run /run/secrets; cat /run/secrets/token /run/file");
    image.folder("volume/rich/deep/er").folder("volume/stale").folder("volume/secrets");
    image.file("volume/rich/spec", 0o600, "old").file("volume/stale/file", 0o600, "old");
    image.file("volume/secrets/stale", 0o600, "old").file("volume/file", 0o600, "");
    image.folder("elsewhere").file("elsewhere/file", 0o600, "stays");
    image.link("volume/link", "/elsewhere").link("volume/stale/link", "/elsewhere");
    image.folder("token").file("token/token", 0o600, "token\n").file(
        "tmp/file",
        0o600,
        "mounted\n",
    );
    image.file("volume/rich/deep/er/file", 0o600, "old").pipe("volume/pipe");
    let image = image.mounting(
        "mount --bind volume run && mount --bind token run/secrets && \
         mount --bind tmp/file run/file",
    );
    let output = finish(&mut image.run(&[SBIN_INIT], &["true"]));
    assert_eq!(
        stdout(&output),
        "/run:\nfile\nrich\nsecrets\nsystemd\ntmpfiles.d\n\n/run/secrets:\ntoken\ntoken\nmounted\n",
        "{}",
        stderr(&output)
    );
    assert_eq!(image.read("elsewhere/file"), "stays");
    assert_eq!(image.read("token/token"), "token\n");
    assert_eq!(image.read("tmp/file"), "mounted\n");
}

#[test]
fn folders_in_each_other_in_run_are_emptied_or_the_container_ends_with_one_sentence() {
    // Their path is longer than the kernel takes, and then so deep that no stack would do.
    let volume = |path: &str| {
        format!("mount -t tmpfs run run && (cd run && mkdir rich && mkdir -p $({path}))")
    };
    let long = volume("for n in $(seq 30); do printf '%0200d/' 0; done");
    let deep = volume("yes a | head -n 20000 | tr '\\n' /");
    let image = systemd("ls -A /run").mounting(&long);
    let output = finish(&mut image.run(&[SBIN_INIT], &["true"]));
    assert_eq!(stdout(&output), "rich\nsystemd\ntmpfiles.d\n", "{}", stderr(&output));
    let image = systemd("echo booted").mounting(&deep);
    let (code, said) = ends(&image, &[SBIN_INIT]);
    assert_eq!(code, 126, "{said}");
    assert!(said.contains("/run cannot be emptied"), "{said}");
}

#[test]
fn a_rich_folder_in_run_that_is_a_link_to_nowhere_is_emptied_away() {
    let image = systemd("stat -c %F /run/rich");
    image.folder("volume").link("volume/rich", "/elsewhere");
    let image = image.mounting("mount --bind volume run");
    let output = finish(&mut image.run(&[SBIN_INIT], &["true"]));
    assert_eq!(stdout(&output), "directory\n", "{}", stderr(&output));
    assert!(!image.exists("elsewhere"));
}

#[test]
fn nobody_but_root_can_put_anything_into_run() {
    // As the kubelet makes an emptyDir, with an fsGroup.
    let image = systemd("stat -c '%a %u %g' /run /run/rich");
    let image = image.mounting("mount -t tmpfs -o mode=2777,gid=4242 run run");
    let output = finish(&mut image.run(&[SBIN_INIT], &["true"]));
    assert_eq!(stdout(&output), "755 0 0\n755 0 0\n", "{}", stderr(&output));
}

#[test]
fn units_of_the_image_with_the_names_of_ours_end_the_container_with_one_sentence() {
    for rival in [
        "etc/systemd/system/rich.service",
        "etc/systemd/system.control/rich-output.service",
        "etc/systemd/system.attached/rich-failed.service",
        "etc/systemd/system/rich.service.d/override.conf",
        "etc/systemd/system/rich-.service.d/override.conf",
        "etc/systemd/system/rich-output.service.d/override.conf",
    ] {
        let image = systemd("echo booted");
        let (folder, _) = rival.rsplit_once('/').unwrap();
        image.folder(folder).file(rival, 0o644, "[Service]\nExecStart=/evil\n");
        let (code, said) = ends(&image, &[SBIN_INIT]);
        assert_eq!(code, 126, "{said}");
        assert!(said.contains("/etc/systemd/system") && said.contains("take it out"), "{said}");
        // A mask, too.
        image.remove(rival).link(rival, "/dev/null");
        assert_eq!(ends(&image, &[SBIN_INIT]).0, 126, "{rival}");
    }
    let image = systemd("echo booted");
    image.folder("etc/systemd/system/richer.service.d");
    image.file("etc/systemd/system/cron.service", 0o644, "");
    assert_eq!(stdout(&finish(&mut image.run(&[SBIN_INIT], &["true"]))), "booted\n");
}

#[test]
fn boot_files_in_a_mount_are_covered_and_not_written() {
    let image = Image::new();
    image.script("sbin/init", "#!/bin/sh\n# BusyBox\ncat /etc/inittab /etc/init.d/hwclock\n");
    image.folder("node/init.d").file("node/inittab", 0o644, "::sysinit:/bin/mount -a\n");
    image.script("node/init.d/hwclock", "#!/bin/sh\nhwclock\n");
    let image = image.mounting("mount --bind node etc");
    let output = finish(&mut image.run(&[SBIN_INIT], &["true"]));
    let text = stdout(&output);
    assert!(text.starts_with("::respawn:/.rich/rich supervise\n"), "{text}{}", stderr(&output));
    assert!(text.contains("exit 0\nhwclock\n"), "{text}");
    assert_eq!(image.read("node/inittab"), "::sysinit:/bin/mount -a\n");
    assert_eq!(image.read("node/init.d/hwclock"), "#!/bin/sh\nhwclock\n");
    assert_eq!(image.names("node"), ["init.d", "inittab"]);
    // A file alone can be one, too.
    let image = Image::new();
    image.script("sbin/init", "#!/bin/sh\n# BusyBox\ncat /etc/inittab\n");
    image.file("tmp/inittab", 0o644, "# the node's\n").file("etc/inittab", 0o644, "");
    let image = image.mounting("mount --bind tmp/inittab etc/inittab");
    let output = finish(&mut image.run(&[SBIN_INIT], &["true"]));
    assert!(stdout(&output).starts_with("# the node's\n::respawn:"), "{}", stderr(&output));
    assert_eq!(image.read("tmp/inittab"), "# the node's\n");
}

#[test]
fn boot_files_without_an_end_hold_nobody_up() {
    for target in ["/dev/zero", "/tmp/pipe"] {
        let image = Image::new();
        image.script("sbin/init", "#!/bin/sh\n# BusyBox\necho booted\n").pipe("tmp/pipe");
        image.link("etc/inittab", target);
        let (code, said) = ends(&image, &[SBIN_INIT]);
        assert_eq!(code, 126, "{said}");
        assert!(said.contains("/etc/inittab"), "{said}");
    }
}

#[test]
fn a_termination_message_that_cannot_be_written_holds_nobody_up() {
    for put in [
        "rm dev/termination-log && mkfifo dev/termination-log",
        "rm dev/termination-log && mkdir dev/termination-log",
        "rm dev/termination-log && ln -s termination-log dev/termination-log",
        "rm dev/termination-log && ln -s nowhere dev/termination-log",
    ] {
        let image = Image::new().mounting(put);
        let (code, said) = ends(&image, &[DUMB, "--initcmd=exit 7"]);
        assert_eq!((code, said.contains("exit code 7")), (7, true), "{put}: {said}");
    }
}

#[test]
fn a_console_that_is_none_does_not_keep_the_application_from_starting() {
    for put in ["mkfifo dev/console", "mkdir dev/console", "ln -s console dev/console"] {
        let image = Image::new().mounting(put);
        // As in a container with a terminal, without the process that keeps it.
        image.folder("run/rich").folder("app");
        let spec = "init=systemd\0terminal=true\0arg=touch\0arg=/app/started\0env=PATH=/bin\0";
        image.file("run/rich/spec", 0o600, spec);
        let output = finish(&mut image.container(&["/.rich/rich", "exec"]));
        assert_eq!(code(&output), 0, "{put}: {}", stderr(&output));
        assert!(image.exists("app/started"), "{put}");
    }
}
