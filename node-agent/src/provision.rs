//! Provisioning: the binaries in a versioned folder of the host, verified and healed.
//!
//! `<host-dir>/<version>/rich` is the binary and `dumb-init` a relative link to it. What stands
//! under these names is whole at every moment: a file is written under another name in the same
//! folder, flushed, read back, and renamed. Folders of other versions are left alone: pods may
//! still use them.

mod digest;
mod folder;

use std::{
    fmt,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use digest::Digest;
use folder::{Entry, Folder};

const BINARY: &str = "rich";
const LINK: &str = "dumb-init";
/// What the names of half-written files begin with.
const TEMPORARY: &str = ".rich-pouch.";
const FOLDER_MODE: u32 = 0o755;
/// Nobody writes to it, its owner neither: it is replaced.
const BINARY_MODE: u32 = 0o555;

/// Why the binaries are not on the host.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The binary that is to be installed cannot be read.
    #[error("cannot read the binary to install, {path}: {cause}; it is part of the agent's image, or give --source", path = path.display())]
    Source {
        /// What was given as --source.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Something in the host's folder cannot be done.
    #[error("cannot {action} {path}: {cause}; --host-dir must be an existing folder that root can write to", path = path.display())]
    Host {
        /// What was tried: "create", "open".
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The versioned folder is somebody else's, who could change what is in it at any time.
    #[error("{path} belongs to user {owner}, who could change the binaries in it: take it away, and the agent makes its own", path = path.display())]
    ForeignFolder {
        /// The versioned folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// Others than root can put another folder in the place of the versioned one.
    #[error("{path} can be changed by others than root (mode {mode:04o}, user {owner}), who could put their own folder in the place of the one with the binaries: chown it to root and chmod it to 0755", path = path.display())]
    SharedFolder {
        /// What was given as --host-dir.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// Whose it is.
        owner: u32,
    },
    /// What was read back is not what was to be written.
    #[error("what was written to {path} is not what {source_path} was when the agent started; the disk may be failing", path = path.display(), source_path = source_path.display())]
    Digest {
        /// The temporary file.
        path: PathBuf,
        /// What was given as --source.
        source_path: PathBuf,
    },
}

/// What was wrong on the host before it was healed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, link or folder.
    pub name: &'static str,
    /// What was wrong with it, after "was".
    pub was: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was {}", self.name, self.was)
    }
}

/// The binaries of one version, and where they belong.
#[derive(Clone, Debug)]
pub struct Binaries {
    source: PathBuf,
    digest: Digest,
    host_dir: PathBuf,
    version: &'static str,
}

impl Binaries {
    /// Reads the binary that is to be installed.
    pub fn read(
        source: PathBuf,
        host_dir: PathBuf,
        version: &'static str,
    ) -> Result<Self, ProvisionError> {
        match File::open(&source).and_then(|mut file| Digest::of(&mut file)) {
            Ok(digest) => Ok(Self { source, digest, host_dir, version }),
            Err(cause) => Err(ProvisionError::Source { path: source, cause }),
        }
    }

    /// Takes away what an agent that was killed left half-written.
    pub fn clean(&self) -> Result<(), ProvisionError> {
        let (folder, _) = self.folder()?;
        folder.remove_all_that_begin_with(TEMPORARY)
    }

    /// Verifies what is on the host and makes right what is not; says what was wrong.
    pub fn provision(&self) -> Result<Vec<Fault>, ProvisionError> {
        let (folder, fault) = self.folder()?;
        let mut faults = Vec::from_iter(fault);
        if let Some(was) = self.wrong_with_binary(&folder)? {
            self.install_binary(&folder)?;
            faults.push(Fault { name: BINARY, was });
        }
        if let Some(was) = wrong_with_link(&folder)? {
            let temporary = temporary();
            folder.link(&temporary, BINARY)?;
            folder.replace(&temporary, LINK)?;
            faults.push(Fault { name: LINK, was });
        }
        Ok(faults)
    }

    /// The versioned folder, made where it is not there.
    fn folder(&self) -> Result<(Folder, Option<Fault>), ProvisionError> {
        let host = Folder::open(&self.host_dir)?;
        host.check()?;
        let was = match host.entry(self.version)? {
            Entry::Folder => None,
            Entry::Missing => Some("missing".to_owned()),
            other => {
                host.remove(self.version)?;
                Some(format!("{other} in the place of a folder"))
            }
        };
        if was.is_some() {
            host.create_folder(self.version)?;
        }
        let folder = host.folder(self.version)?;
        let mode = folder.claim(FOLDER_MODE)?;
        let was = was.or(mode.map(|mode| format!("of mode {mode:04o}")));
        let fault = was.map(|was| Fault { name: self.version, was });
        Ok((folder, fault))
    }

    fn wrong_with_binary(&self, folder: &Folder) -> Result<Option<String>, ProvisionError> {
        let entry = folder.entry(BINARY)?;
        let Entry::File { mode, owner, len } = entry else {
            return Ok(Some(entry.to_string()));
        };
        if owner != folder.owner() {
            return Ok(Some(format!("owned by user {owner}")));
        }
        if mode != BINARY_MODE {
            return Ok(Some(format!("of mode {mode:04o}")));
        }
        if len != self.digest.len() {
            return Ok(Some(format!("{len} bytes long")));
        }
        Ok(match folder.read(BINARY, Digest::of) {
            Ok(digest) if digest == self.digest => None,
            Ok(_) => Some("of other content".to_owned()),
            Err(_) => Some("unreadable".to_owned()),
        })
    }

    fn install_binary(&self, folder: &Folder) -> Result<(), ProvisionError> {
        let temporary = temporary();
        let written = self.write_binary(folder, &temporary);
        if written.is_err() {
            // The error that is told is the first one.
            let _ = folder.remove(&temporary);
        }
        written
    }

    fn write_binary(&self, folder: &Folder, temporary: &str) -> Result<(), ProvisionError> {
        let unreadable = |cause| ProvisionError::Source { path: self.source.clone(), cause };
        let mut source = File::open(&self.source).map_err(unreadable)?;
        folder.write(temporary, &mut source, BINARY_MODE)?;
        if folder.read(temporary, Digest::of)? != self.digest {
            return Err(ProvisionError::Digest {
                path: folder.path(temporary),
                source_path: self.source.clone(),
            });
        }
        folder.replace(temporary, BINARY)
    }
}

fn wrong_with_link(folder: &Folder) -> Result<Option<String>, ProvisionError> {
    Ok(match folder.entry(LINK)? {
        Entry::Link(target) if target == Path::new(BINARY) => None,
        other => Some(other.to_string()),
    })
}

/// A name that no other agent uses: in a container every agent is process 1, and two of them run
/// on a node for a moment when one takes over from another.
fn temporary() -> String {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("{TEMPORARY}{}.{}", std::process::id(), now.as_nanos())
}

#[cfg(test)]
mod tests;
