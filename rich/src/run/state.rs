//! The container's state, as the OCI runtime specification gives it to hooks.

use alloc::{format, string::String};

use rustix::process::getpid;

use crate::container::container_id;

/// One line of JSON: OCI runtime specification, "State".
///
/// A container cannot see its bundle on the host, so `bundle` is the root of its own file system.
pub(super) fn json() -> String {
    let pid = getpid().as_raw_nonzero();
    let id = container_id();
    format!(
        "{{\"ociVersion\":\"1.0.2\",\"id\":\"{id}\",\"status\":\"created\",\"pid\":{pid},\
         \"bundle\":\"/\"}}\n"
    )
}
