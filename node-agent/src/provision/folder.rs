//! A folder of the host that others may have written to: no link in it is ever followed.
//!
//! The folder is held open and its entries are reached through the open descriptor, so that a
//! folder which is swapped for a link while we work in it leads nowhere.

use std::{
    fmt,
    fs::{self, File, OpenOptions, Permissions},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
};

use super::ProvisionError;

const PERMISSIONS: u32 = 0o7777;
/// Those of group and others that let them rename and remove entries. The sticky bit is no help:
/// it lets others make an entry before we do.
const WRITABLE: u32 = 0o022;
const ROOT: u32 = 0;

/// An open folder.
pub(super) struct Folder {
    open: File,
    owner: u32,
    /// Its path for messages.
    shown: PathBuf,
}

/// What stands under a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Missing,
    File { mode: u32, owner: u32, len: u64 },
    Folder,
    Link(PathBuf),
    Special,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::File { .. } => f.write_str("a file"),
            Self::Folder => f.write_str("a folder"),
            Self::Link(target) => write!(f, "a link to {}", target.display()),
            Self::Special => f.write_str("a device, pipe or socket"),
        }
    }
}

impl Folder {
    /// Opens the folder at a path that the administrator gave.
    pub(super) fn open(path: &Path) -> Result<Self, ProvisionError> {
        Self::open_at(path, path.to_path_buf())
    }

    /// Opens a folder in this one.
    pub(super) fn folder(&self, name: &str) -> Result<Self, ProvisionError> {
        Self::open_at(&self.real(name), self.path(name))
    }

    fn open_at(path: &Path, shown: PathBuf) -> Result<Self, ProvisionError> {
        let open = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_DIRECTORY | libc::O_NOFOLLOW)
            .open(path)
            .and_then(|open| Ok((open.metadata()?.uid(), open)));
        match open {
            Ok((owner, open)) => Ok(Self { open, owner, shown }),
            Err(cause) => Err(ProvisionError::Host { action: "open", path: shown, cause }),
        }
    }

    /// Who owns the folder.
    pub(super) fn owner(&self) -> u32 {
        self.owner
    }

    /// The path of an entry, for messages.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.shown.join(name)
    }

    /// The path of an entry, through the open folder.
    fn real(&self, name: &str) -> PathBuf {
        Path::new("/proc/self/fd").join(self.open.as_raw_fd().to_string()).join(name)
    }

    fn tried<T>(
        &self,
        action: &'static str,
        name: &str,
        result: io::Result<T>,
    ) -> Result<T, ProvisionError> {
        result.map_err(|cause| ProvisionError::Host { action, path: self.path(name), cause })
    }

    /// Makes sure that nobody but root, or the user that we are, can rename what is in the folder.
    /// It is the administrator's: it is not changed.
    pub(super) fn check(&self) -> Result<(), ProvisionError> {
        let mode = self.mode()?;
        if mode & WRITABLE != 0 || self.owner != ROOT && self.owner != self.us()? {
            return Err(ProvisionError::SharedFolder {
                path: self.shown.clone(),
                mode,
                owner: self.owner,
            });
        }
        Ok(())
    }

    fn mode(&self) -> Result<u32, ProvisionError> {
        Ok(self.tried("inspect", "", self.open.metadata())?.mode() & PERMISSIONS)
    }

    /// The user that we are.
    fn us(&self) -> Result<u32, ProvisionError> {
        let us = fs::metadata("/proc/self").map(|process| process.uid());
        self.tried("find the owner for", "", us)
    }

    /// Makes sure that the folder is ours and has this mode; gives the mode that was wrong.
    pub(super) fn claim(&self, mode: u32) -> Result<Option<u32>, ProvisionError> {
        if self.owner != self.us()? {
            return Err(ProvisionError::ForeignFolder {
                path: self.shown.clone(),
                owner: self.owner,
            });
        }
        let found = self.mode()?;
        if found == mode {
            return Ok(None);
        }
        let changed = self.open.set_permissions(Permissions::from_mode(mode));
        self.tried("set the mode of", "", changed)?;
        Ok(Some(found))
    }

    /// What stands under a name.
    pub(super) fn entry(&self, name: &str) -> Result<Entry, ProvisionError> {
        let real = self.real(name);
        let entry = match fs::symlink_metadata(&real) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Entry::Missing),
            Err(error) => Err(error),
            Ok(data) if data.is_symlink() => fs::read_link(&real).map(Entry::Link),
            Ok(data) if data.is_dir() => Ok(Entry::Folder),
            Ok(data) if data.is_file() => Ok(Entry::File {
                mode: data.mode() & PERMISSIONS,
                owner: data.uid(),
                len: data.len(),
            }),
            Ok(_) => Ok(Entry::Special),
        };
        self.tried("inspect", name, entry)
    }

    /// Reads a file.
    pub(super) fn read<T>(
        &self,
        name: &str,
        read: impl FnOnce(&mut File) -> io::Result<T>,
    ) -> Result<T, ProvisionError> {
        // O_NONBLOCK: a pipe put there meanwhile must not hold us.
        let content = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(self.real(name))
            .and_then(|mut file| read(&mut file));
        self.tried("read", name, content)
    }

    /// Writes a file under a name that must be free, through to the disk.
    pub(super) fn write(
        &self,
        name: &str,
        content: &mut File,
        mode: u32,
    ) -> Result<(), ProvisionError> {
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.real(name))
            .and_then(|mut file| {
                io::copy(content, &mut file)?;
                file.set_permissions(Permissions::from_mode(mode))?;
                file.sync_all()
            });
        self.tried("write", name, written)
    }

    /// Makes a link under a name that must be free.
    pub(super) fn link(&self, name: &str, target: &str) -> Result<(), ProvisionError> {
        self.tried("link", name, symlink(target, self.real(name)))
    }

    /// Makes a folder under a name that must be free.
    pub(super) fn create_folder(&self, name: &str) -> Result<(), ProvisionError> {
        let created = fs::DirBuilder::new()
            .mode(0o700)
            .create(self.real(name))
            .and_then(|()| self.open.sync_all());
        self.tried("create", name, created)
    }

    /// Puts one entry in the place of another, at once and for good.
    pub(super) fn replace(&self, from: &str, to: &str) -> Result<(), ProvisionError> {
        if self.entry(to)? == Entry::Folder {
            // The only thing that a rename does not replace.
            self.remove(to)?;
        }
        let renamed =
            fs::rename(self.real(from), self.real(to)).and_then(|()| self.open.sync_all());
        self.tried("replace", to, renamed)
    }

    /// Removes an entry, whatever it is.
    pub(super) fn remove(&self, name: &str) -> Result<(), ProvisionError> {
        let real = self.real(name);
        let removed = match self.entry(name)? {
            Entry::Missing => Ok(()),
            Entry::Folder => fs::remove_dir_all(real),
            _ => fs::remove_file(real),
        };
        self.tried("remove", name, removed)
    }

    /// Removes every entry whose name begins so.
    pub(super) fn remove_all_that_begin_with(&self, prefix: &str) -> Result<(), ProvisionError> {
        for entry in self.tried("list", "", fs::read_dir(self.real("")))? {
            let name = self.tried("list", "", entry)?.file_name();
            if let Some(name) = name.to_str().filter(|name| name.starts_with(prefix)) {
                self.remove(name)?;
            }
        }
        Ok(())
    }
}
