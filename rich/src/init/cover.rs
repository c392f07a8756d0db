//! Files of the image that must be other than they are for as long as the container lives.

use alloc::{format, string::String};

use rustix::{fs::OFlags, io::Errno, mount::mount_bind};

use crate::{file, mounts, service};

/// Puts `text` in the place of the file `folder`/`name`. On a read-only root, and where the folder
/// or the file is a volume, which may be the node's own, the new file is mounted over the old one,
/// which therefore must be there.
pub(super) fn put(folder: &str, name: &str, mode: u32, text: &[u8]) -> Result<(), Errno> {
    let replaced = mounts::own_folder(folder, OFlags::empty())
        .and_then(|folder| file::replace_in(folder, name, mode, text));
    match replaced {
        Err(Errno::ROFS | Errno::XDEV | Errno::BUSY) => {}
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
