//! Files of the image that must be other than they are for as long as the container lives.

use alloc::{format, string::String};

use rustix::{io::Errno, mount::mount_bind};

use crate::{file, service};

/// Puts `text` in the place of the file `folder`/`name`. On a read-only root the new file is
/// mounted over the old one, which therefore must be there.
pub(super) fn put(folder: &str, name: &str, mode: u32, text: &[u8]) -> Result<(), Errno> {
    match file::replace(folder, name, mode, text) {
        Err(Errno::ROFS) => {}
        outcome => return outcome,
    }
    let ours = format!("{}{name}", folder.trim_start_matches('/').replace('/', "-") + "-");
    file::replace(service::FOLDER, &ours, mode, text)?;
    let ours: String = format!("{}/{ours}", service::FOLDER);
    match mount_bind(ours, format!("{folder}/{name}")) {
        // There is no old one, and a new one cannot be made.
        Err(Errno::NOENT) => Err(Errno::ROFS),
        outcome => outcome,
    }
}
