use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use super::*;

const VERSION: &str = "1.2.3";
const CONTENT: &[u8] = b"#!/bin/true\n";

/// A host and an image in a folder of their own.
struct Host {
    root: PathBuf,
    binaries: Binaries,
}

impl Host {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("provision-{}-{count}", std::process::id()));
        fs::create_dir_all(root.join("opt")).unwrap();
        fs::write(root.join("rich"), CONTENT).unwrap();
        let binaries = Binaries::read(root.join("rich"), root.join("opt"), VERSION).unwrap();
        Self { root, binaries }
    }

    fn provisioned() -> Self {
        let host = Self::new();
        host.binaries.provision().unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join("opt").join(VERSION).join(name)
    }

    fn folder(&self) -> PathBuf {
        self.root.join("opt").join(VERSION)
    }

    /// What is wrong, told in words; and after that nothing is.
    #[track_caller]
    fn heals(&self) -> Vec<String> {
        let faults = self.binaries.provision().unwrap();
        assert_eq!(self.binaries.provision().unwrap(), []);
        assert_eq!(fs::read(self.path("rich")).unwrap(), CONTENT);
        assert_eq!(fs::read(self.path("dumb-init")).unwrap(), CONTENT);
        let binary = fs::symlink_metadata(self.path("rich")).unwrap();
        assert!(binary.is_file());
        assert_eq!(binary.mode() & 0o7777, 0o555);
        assert_eq!(fs::read_link(self.path("dumb-init")).unwrap(), Path::new("rich"));
        let folder = fs::symlink_metadata(self.folder()).unwrap();
        assert!(folder.is_dir());
        assert_eq!(folder.mode() & 0o7777, 0o755);
        assert_eq!(fs::read_dir(self.folder()).unwrap().count(), 2);
        faults.iter().map(ToString::to_string).collect()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn a_fresh_host_gets_everything() {
    let host = Host::new();
    assert_eq!(host.heals(), ["1.2.3 was missing", "rich was missing", "dumb-init was missing"]);
    assert!(Command::new(host.path("dumb-init")).status().is_ok());
}

#[test]
fn a_provisioned_host_is_not_touched() {
    let host = Host::provisioned();
    let state = || {
        let data = fs::metadata(host.path("rich")).unwrap();
        (data.ino(), data.ctime_nsec())
    };
    let before = state();
    assert_eq!(host.binaries.provision().unwrap(), []);
    assert_eq!(state(), before);
}

#[test]
fn other_versions_and_other_files_stay() {
    let host = Host::new();
    let other = host.root.join("opt/1.2.2");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("rich"), "older").unwrap();
    host.heals();
    host.binaries.clean().unwrap();
    assert_eq!(fs::read(other.join("rich")).unwrap(), b"older");
}

#[test]
fn a_changed_binary_is_healed() {
    let host = Host::provisioned();
    let rich = host.path("rich");
    let replaced = |content: &[u8]| {
        fs::remove_file(&rich).unwrap();
        fs::write(&rich, content).unwrap();
        fs::set_permissions(&rich, fs::Permissions::from_mode(0o555)).unwrap();
    };
    replaced(b"#!/bin/evil\n");
    assert_eq!(host.heals(), ["rich was of other content"]);
    replaced(b"");
    assert_eq!(host.heals(), ["rich was 0 bytes long"]);
    fs::set_permissions(&rich, fs::Permissions::from_mode(0o4777)).unwrap();
    assert_eq!(host.heals(), ["rich was of mode 4777"]);
}

#[test]
fn what_is_gone_is_healed() {
    let host = Host::provisioned();
    fs::remove_file(host.path("rich")).unwrap();
    assert_eq!(host.heals(), ["rich was missing"]);
    fs::remove_file(host.path("dumb-init")).unwrap();
    assert_eq!(host.heals(), ["dumb-init was missing"]);
    fs::remove_dir_all(host.folder()).unwrap();
    assert_eq!(host.heals()[0], "1.2.3 was missing");
}

#[test]
fn what_something_else_took_the_place_of_is_healed() {
    let host = Host::provisioned();
    for name in ["rich", "dumb-init"] {
        let path = host.path(name);
        let put = |put: &dyn Fn()| {
            fs::remove_file(&path).unwrap();
            put();
            host.heals()
        };
        let folder = put(&|| {
            fs::create_dir_all(path.join("deep/in")).unwrap();
            fs::write(path.join("deep/file"), "").unwrap();
        });
        assert_eq!(folder, [format!("{name} was a folder")]);
        let pipe = put(&|| {
            assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        });
        assert_eq!(pipe, [format!("{name} was a device, pipe or socket")]);
    }
    fs::remove_file(host.path("dumb-init")).unwrap();
    fs::write(host.path("dumb-init"), "").unwrap();
    assert_eq!(host.heals(), ["dumb-init was a file"]);
}

#[test]
fn a_planted_link_is_replaced_and_what_it_leads_to_stays() {
    let host = Host::provisioned();
    let elsewhere = host.root.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let victim = elsewhere.join("victim");
    fs::write(&victim, CONTENT).unwrap();
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o600)).unwrap();

    for name in ["rich", "dumb-init"] {
        fs::remove_file(host.path(name)).unwrap();
        symlink(&victim, host.path(name)).unwrap();
        let told = format!("{name} was a link to {}", victim.display());
        assert_eq!(host.heals(), [told]);
    }
    fs::remove_dir_all(host.folder()).unwrap();
    symlink(&elsewhere, host.folder()).unwrap();
    assert!(host.heals()[0].contains("in the place of a folder"));

    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 1);
    assert_eq!(fs::read(&victim).unwrap(), CONTENT);
    assert_eq!(fs::metadata(&victim).unwrap().mode() & 0o7777, 0o600);
}

#[test]
fn a_folder_that_others_may_write_to_is_claimed() {
    let host = Host::provisioned();
    fs::set_permissions(host.folder(), fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(host.heals(), ["1.2.3 was of mode 0777"]);
}

#[test]
fn a_version_folder_of_another_user_is_refused_and_left_alone() {
    let host = Host::provisioned();
    chown(host.folder(), Some(1000), Some(1000)).unwrap();
    fs::remove_file(host.path("rich")).unwrap();
    let error = host.binaries.provision().unwrap_err();
    assert!(matches!(error, ProvisionError::ForeignFolder { owner: 1000, .. }), "{error}");
    assert!(!host.path("rich").exists());
    assert!(host.binaries.clean().is_err());
}

#[test]
fn a_binary_of_another_user_is_healed() {
    let host = Host::provisioned();
    chown(host.path("rich"), Some(1000), Some(1000)).unwrap();
    assert_eq!(host.heals(), ["rich was owned by user 1000"]);
    assert_eq!(fs::metadata(host.path("rich")).unwrap().uid(), 0);
}

#[test]
fn a_host_folder_that_others_can_change_is_refused_and_nothing_is_put_there() {
    let host = Host::new();
    let opt = host.root.join("opt");
    let refused = || {
        let error = host.binaries.provision().unwrap_err();
        assert!(matches!(error, ProvisionError::SharedFolder { .. }), "{error}");
        assert_eq!(fs::read_dir(&opt).unwrap().count(), 0);
        error.to_string()
    };
    for mode in [0o777, 0o1777, 0o775, 0o757] {
        fs::set_permissions(&opt, fs::Permissions::from_mode(mode)).unwrap();
        assert!(refused().contains(&format!("(mode {mode:04o}, user 0)")));
    }
    fs::set_permissions(&opt, fs::Permissions::from_mode(0o755)).unwrap();
    chown(&opt, Some(1000), None).unwrap();
    assert!(refused().contains("(mode 0755, user 1000)"));
    chown(&opt, Some(0), None).unwrap();
    host.heals();
}

#[test]
fn a_host_folder_that_is_a_link_is_refused() {
    let mut host = Host::new();
    symlink("opt", host.root.join("link")).unwrap();
    host.binaries.host_dir = host.root.join("link");
    assert!(host.binaries.provision().is_err());
    assert_eq!(fs::read_dir(host.root.join("opt")).unwrap().count(), 0);
}

#[test]
fn a_file_or_pipe_in_the_place_of_the_version_folder_is_healed() {
    let host = Host::new();
    fs::write(host.folder(), "").unwrap();
    assert_eq!(host.heals()[0], "1.2.3 was a file in the place of a folder");
    fs::remove_dir_all(host.folder()).unwrap();
    assert!(Command::new("mkfifo").arg(host.folder()).status().unwrap().success());
    let healed = host.heals();
    assert_eq!(healed[0], "1.2.3 was a device, pipe or socket in the place of a folder");
}

#[test]
fn what_was_planted_under_a_temporary_name_is_cleaned_away_and_not_followed() {
    let host = Host::provisioned();
    let elsewhere = host.root.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join("victim"), "").unwrap();
    symlink(&elsewhere, host.path(".rich-pouch.link")).unwrap();
    fs::create_dir(host.path(".rich-pouch.folder")).unwrap();
    symlink(&elsewhere, host.path(".rich-pouch.folder/link")).unwrap();
    assert!(Command::new("mkfifo").arg(host.path(".rich-pouch.pipe")).status().unwrap().success());
    host.binaries.clean().unwrap();
    assert_eq!(host.heals(), [""; 0]);
    assert!(elsewhere.join("victim").exists());
}

#[test]
fn half_a_file_never_stands_under_the_final_name_and_is_cleaned_away() {
    let host = Host::new();
    fs::create_dir(host.folder()).unwrap();
    fs::write(host.path(".rich-pouch.1.99"), &CONTENT[..4]).unwrap();
    host.binaries.clean().unwrap();
    assert_eq!(fs::read_dir(host.folder()).unwrap().count(), 0);
    host.heals();
}

#[test]
fn a_source_that_changes_meanwhile_is_not_installed() {
    let host = Host::new();
    fs::write(&host.binaries.source, &CONTENT[..4]).unwrap();
    let error = host.binaries.provision().unwrap_err();
    assert!(matches!(error, ProvisionError::Digest { .. }), "{error}");
    assert_eq!(fs::read_dir(host.folder()).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_read_or_written_is_told_in_one_sentence() {
    let nowhere = Binaries::read("/no/such/rich".into(), "/".into(), VERSION).unwrap_err();
    assert!(nowhere.to_string().contains("/no/such/rich: No such file"));

    let mut host = Host::new();
    // No user, root neither, may write there.
    for folder in ["/sys", "/no/such/folder", "/etc/hostname"] {
        host.binaries.host_dir = folder.into();
        let sentence = host.binaries.provision().unwrap_err().to_string();
        assert!(sentence.contains(folder), "{sentence}");
        assert!(sentence.contains("--host-dir"), "{sentence}");
        assert!(!sentence.contains('\n'), "{sentence}");
    }
}
