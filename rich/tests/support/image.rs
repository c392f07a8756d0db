//! A container's root of a test's own: the machine's programs, and whatever a hostile image has.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    process::{Command, Stdio},
};

use super::Folder;

/// What a runtime does, in namespaces of its own: the root and what is mounted in it, then what
/// the test mounts besides (`$0` is the root and the working folder), then the command.
const RUNTIME: &str = "\
mount --bind \"$0\" \"$0\" && cd \"$0\" &&
mount --rbind /usr usr && mount -t proc proc proc &&
mount -t tmpfs dev dev && mknod -m 666 dev/null c 1 3 && mknod -m 666 dev/zero c 1 5 &&
: > dev/termination-log && { [ -e .rich ] || mkdir .rich; } && mount --bind \"$1\" .rich && eval \"$2\" && shift 2 &&
exec chroot . \"$@\"";

/// An image, and the folders of the node that a pod mounts.
pub(crate) struct Image {
    root: Folder,
    binaries: Folder,
    mounts: String,
}

impl Image {
    pub(crate) fn new() -> Self {
        let root = Folder::empty();
        for folder in ["usr", "proc", "dev", "sbin", "run", "tmp", "etc/profile.d"] {
            fs::create_dir_all(root.path(folder)).unwrap();
        }
        for name in ["bin", "lib", "lib64"] {
            symlink(format!("usr/{name}"), root.path(name)).unwrap();
        }
        Self { root, binaries: Folder::installed(), mounts: "true".into() }
    }

    /// The path on the machine of what the image has at `name`, without the first slash.
    pub(crate) fn path(&self, name: &str) -> String {
        self.root.path(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        self.root.read(name)
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        fs::symlink_metadata(self.path(name)).is_ok()
    }

    pub(crate) fn folder(&self, name: &str) -> &Self {
        fs::create_dir_all(self.path(name)).unwrap();
        self
    }

    pub(crate) fn file(&self, name: &str, mode: u32, text: &str) -> &Self {
        self.root.write(name, mode, text);
        self
    }

    pub(crate) fn script(&self, name: &str, text: &str) -> &Self {
        self.file(name, 0o755, text)
    }

    pub(crate) fn link(&self, name: &str, target: &str) -> &Self {
        symlink(target, self.path(name)).unwrap();
        self
    }

    pub(crate) fn pipe(&self, name: &str) -> &Self {
        assert!(Command::new("mkfifo").arg(self.path(name)).status().unwrap().success());
        self
    }

    pub(crate) fn remove(&self, name: &str) -> &Self {
        let path = self.path(name);
        if fs::symlink_metadata(&path).unwrap().is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        self
    }

    /// The names in a folder.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The permissions of a file.
    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::symlink_metadata(self.path(name)).unwrap().permissions().mode() & 0o7777
    }

    /// What the runtime mounts besides, as shell commands in the image's root.
    pub(crate) fn mounting(mut self, commands: &str) -> Self {
        self.mounts = format!("{} && {commands}", self.mounts);
        self
    }

    /// The command that starts a container of the image, as PID 1 of its namespace.
    pub(crate) fn container(&self, command: &[&str]) -> Command {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", RUNTIME]);
        unshare.arg(self.path("")).arg(self.binaries.path("")).arg(&self.mounts).args(command);
        unshare.stdin(Stdio::null());
        unshare
    }

    /// The command of a rich container.
    pub(crate) fn run(&self, flags: &[&str], command: &[&str]) -> Command {
        self.container(&[&["/.rich/rich", "run"], flags, &["--"], command].concat())
    }
}
