//! What a container can find out about itself.

use alloc::string::String;

use rustix::system::uname;

use crate::file;

/// The runtime's id of the container, where a cgroup path shows it, else the host name.
pub(crate) fn container_id() -> String {
    let cgroup = file::read(c"/proc/self/cgroup", 64 * 1024).unwrap_or_default();
    if let Some(id) = id_in(&String::from_utf8_lossy(&cgroup)) {
        return id.into();
    }
    let name = uname();
    let name = name.nodename().to_string_lossy();
    name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect()
}

/// The last word of 64 hexadecimal digits, which is how every runtime names a container.
fn id_in(cgroup: &str) -> Option<&str> {
    cgroup
        .split(|c: char| !c.is_ascii_alphanumeric())
        .rfind(|word| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn the_id_is_found_in_the_paths_of_both_cgroup_drivers() {
        let id = "f76ac1e49e9407caf5ad33c8988b44ff3690c12aa98f7faf690545b16f2a5cbd";
        for path in [
            format!("0::/kubepods/burstable/pod0b1c-22/{id}\n"),
            format!("1:name=systemd:/kubepods.slice/cri-containerd-{id}.scope\n0::/\n"),
        ] {
            assert_eq!(id_in(&path), Some(id));
        }
        assert_eq!(id_in("0::/\n"), None);
    }
}
