//! Units of the image that systemd would take instead of ours, or put on top of ours.

use alloc::{format, string::String};

use rustix::fs::lstat;

/// Folders whose units beat those of `/run/systemd/system`, where ours are, systemd.unit(5), "Unit
/// File Load Path". The folders in `/run` are empty at the start: what is in them is the
/// initscript's, which may change our units.
const BEFORE: [&str; 3] =
    ["/etc/systemd/system.control", "/etc/systemd/system", "/etc/systemd/system.attached"];
/// The others; of theirs only the drop-ins count.
const AFTER: [&str; 3] =
    ["/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// The first file or folder of the image that would change one of these units, if there is one.
pub(super) fn of(units: &[&str]) -> Option<String> {
    let there = |path: &String| lstat(path.as_str()).is_ok();
    let files = BEFORE
        .into_iter()
        .flat_map(|folder| units.iter().map(move |unit| format!("{folder}/{unit}")));
    let drop_ins = BEFORE.into_iter().chain(AFTER).flat_map(|folder| {
        // Those of "rich-" are for every unit whose name begins so.
        units.iter().copied().chain(["rich-.service"]).map(move |unit| format!("{folder}/{unit}.d"))
    });
    files.chain(drop_ins).find(there)
}
