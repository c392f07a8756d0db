//! Boot scripts of an image that do what only the node may do.
//!
//! The container is privileged, so these would find the node's clock, kernel settings, control
//! groups, disks, watchdog and screens, or would undo what the kubelet has set up (mounts, host
//! name, network) and what the initscript has left in `/tmp`. They stay, for others name them as what they come
//! after, but do nothing.

use alloc::{ffi::CString, format, string::String, vec::Vec};

use rustix::{
    fs::{Access, Dir, Mode, OFlags, access, open},
    io::Errno,
};

use super::cover;
use crate::file;

const FOLDER: &str = "/etc/init.d";

/// Names without `.sh` and without the order before them that busybox images have (`S10`).
const NODE: [&str; 104] = [
    "acpi-support",
    "acpid",
    "alsa-utils",
    "apparmor",
    "auditd",
    "binfmt",
    "binfmt-support",
    "brightness",
    "cgroupfs-mount",
    "cgroups",
    "checkfs",
    "checkroot",
    "checkroot-bootclean",
    "chrony",
    "chronyd",
    "console-setup",
    "consolefont",
    "cpufrequtils",
    "cryptdisks",
    "cryptdisks-early",
    "dev-settle",
    "devfs",
    "dmesg",
    "eudev",
    "fsck",
    "halt",
    "hdparm",
    "hostname",
    "hwclock",
    "hwclockfirst",
    "hwdrivers",
    "irqbalance",
    "iscsid",
    "kbd",
    "kdump-tools",
    "kexec",
    "kexec-load",
    "keyboard-setup",
    "keymaps",
    "killprocs",
    "kmod",
    "loadcpufreq",
    "loadkmap",
    "localmount",
    "loopback",
    "lvm",
    "lvm2",
    "machine-id",
    "mdadm",
    "mdev",
    "modloop",
    "module-init-tools",
    "modules",
    "mount-configfs",
    "mount-ro",
    "mountall",
    "mountall-bootclean",
    "mountdevsubfs",
    "mountkernfs",
    "mountnfs",
    "mountnfs-bootclean",
    "mtab",
    "multipath-tools",
    "net.eth0",
    "net.lo",
    "netmount",
    "network",
    "networking",
    "ntp",
    "ntpd",
    "ntpdate",
    "ntpsec",
    "numlock",
    "open-iscsi",
    "openntpd",
    "osclock",
    "procfs",
    "procps",
    "reboot",
    "root",
    "save-keymaps",
    "save-termencoding",
    "savecache",
    "seedrng",
    "sendsigs",
    "single",
    "smartd",
    "smartmontools",
    "staticroute",
    "swap",
    "swapfiles",
    "swclock",
    "sysctl",
    "sysfs",
    "termencoding",
    "udev",
    "udev-trigger",
    "umountfs",
    "umountnfs",
    "umountroot",
    "urandom",
    "watchdog",
    "wd_keepalive",
    "zfs-mount",
];

/// The mark of a script that does nothing any more.
const MARK: &str = "# The node does this, not the container.\n";

/// Takes the work out of them.
pub(super) fn silence() -> Result<(), Errno> {
    for name in names()? {
        let path = CString::new(format!("{FOLDER}/{name}")).map_err(|_| Errno::INVAL)?;
        if !is_for_the_node(&name) || access(&*path, Access::EXEC_OK).is_err() {
            continue;
        }
        let text = file::read(&path, usize::MAX)?;
        let text = String::from_utf8_lossy(&text);
        if !text.contains(MARK) {
            cover::put(FOLDER, &name, 0o755, silent(&text).as_bytes())?;
        }
    }
    Ok(())
}

fn names() -> Result<Vec<String>, Errno> {
    let folder = match open(FOLDER, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()) {
        Ok(folder) => folder,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Vec::new()),
        Err(errno) => return Err(errno),
    };
    let name = |entry: rustix::fs::DirEntry| Some(entry.file_name().to_str().ok()?.into());
    Dir::new(folder)?.filter_map(|entry| entry.map(name).transpose()).collect()
}

fn is_for_the_node(name: &str) -> bool {
    let name = name.strip_suffix(".sh").unwrap_or(name);
    let bare = match name.as_bytes() {
        [b'S', b'0'..=b'9', b'0'..=b'9', ..] => name.get(3..).unwrap_or(name),
        _ => name,
    };
    NODE.contains(&bare) || bare.starts_with("agetty")
}

/// The same script without its work. What it says about its order is kept: it stands in comments,
/// or for OpenRC in `depend`, openrc-run(8).
fn silent(text: &str) -> String {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    if first.contains("openrc-run") || first.contains("runscript") {
        let mut new = format!("{text}\n{MARK}");
        for function in ["start_pre", "start", "start_post", "stop_pre", "stop", "stop_post"] {
            new.extend([function, "() { :; }\n"]);
        }
        new
    } else if first.starts_with("#!") {
        format!("{first}\n{MARK}exit 0\n{rest}")
    } else {
        format!("{MARK}exit 0\n{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_that_would_change_the_node_are_known_by_their_names() {
        for name in ["hwclock.sh", "cgroups", "S02sysctl", "watchdog", "agetty.tty1"] {
            assert!(is_for_the_node(name), "{name}");
        }
        for name in ["cron", "rc", "rcS", "S50sshd", "Sysctl", "bootmisc.sh", "syslog"] {
            assert!(!is_for_the_node(name), "{name}");
        }
        assert!(NODE.is_sorted());
    }

    #[test]
    fn a_silent_script_keeps_what_it_says_about_its_order() {
        assert_eq!(
            silent("#!/bin/sh\n# Provides: x\nhwclock\n"),
            format!("#!/bin/sh\n{MARK}exit 0\n# Provides: x\nhwclock\n")
        );
        let openrc = silent("#!/sbin/openrc-run\ndepend() { need x; }\nstart() { hwclock; }");
        assert!(openrc.starts_with("#!/sbin/openrc-run\ndepend() { need x; }\n"), "{openrc}");
        assert!(openrc.ends_with("stop() { :; }\nstop_post() { :; }\n"), "{openrc}");
        assert!(openrc.contains(MARK) && openrc.contains("\nstart() { :; }\n"), "{openrc}");
    }
}
