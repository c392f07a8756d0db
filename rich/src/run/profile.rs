//! `/etc/profile.d/pouchenv.sh`: login shells see the container's environment.

use alloc::vec::Vec;

use rustix::fs::OFlags;

use crate::{Strings, env, file, mounts};

/// What a login sets by itself, for the user that logs in, and what a shell lets nobody set.
const NOT_OURS: [&[u8]; 15] = [
    b"HOME",
    b"USER",
    b"LOGNAME",
    b"SHELL",
    b"MAIL",
    b"TERM",
    b"PWD",
    b"OLDPWD",
    b"SHLVL",
    b"_",
    b"UID",
    b"EUID",
    b"PPID",
    b"BASHOPTS",
    b"SHELLOPTS",
];

/// Who may read it: in every mode the application's user is the one that we run as, and root may
/// read everything. A group may have other members.
const MODE: u32 = 0o600;

/// Writes the file. Where the folder is missing or read-only there is none, and that is fine. It
/// is never written through a mount: the environment, with its secrets, would lie on the node
/// after the container, or in another one.
pub(super) fn write(env: Strings) {
    let _ = mounts::own_folder("/etc/profile.d", OFlags::NOFOLLOW)
        .and_then(|folder| file::replace_in(folder, "pouchenv.sh", MODE, &script(env)));
}

fn script(env: Strings) -> Vec<u8> {
    let mut script = Vec::new();
    for entry in env {
        if let (key, Some(value)) = env::split(entry)
            && is_name(key)
            && !value.is_empty()
            && !NOT_OURS.contains(&key)
        {
            export(&mut script, key, value);
        }
    }
    script
}

fn export(script: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    script.extend_from_slice(b"export ");
    script.extend_from_slice(key);
    script.extend_from_slice(b"=\"");
    for byte in value {
        // What keeps a meaning between double quotes (POSIX, "Shell Command Language" 2.2.3).
        if matches!(byte, b'\\' | b'"' | b'$' | b'`') {
            script.push(b'\\');
        }
        script.push(*byte);
    }
    if key == b"PATH" {
        script.extend_from_slice(b":$PATH");
    }
    script.extend_from_slice(b"\"\n");
}

/// Whether a shell takes it as the name of a variable.
fn is_name(key: &[u8]) -> bool {
    key.first().is_some_and(|byte| !byte.is_ascii_digit())
        && key.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_file_is_as_pouch_writes_it() {
        let text = script(&[c"A=1", c"PATH=/bin", c"a.b=1", c"E=", c"1A=1", c"HOME=/", c"N"]);
        assert_eq!(text, b"export A=\"1\"\nexport PATH=\"/bin:$PATH\"\n");
    }

    #[test]
    fn a_shell_reads_back_every_value() {
        let value = c"V=a\nb 'c' \"d\" $e `f` \\ =g !h";
        let text = String::from_utf8(script(&[value])).unwrap();
        let shell = Command::new("sh").args(["-c", &format!("{text}printf %s \"$V\"")]).output();
        assert_eq!(shell.unwrap().stdout, &value.to_bytes()[2..]);
    }
}
