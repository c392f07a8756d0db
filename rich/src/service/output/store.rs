//! What systemd keeps for a service while it is not there: sd_notify(3), `FDSTORE=1`.

use alloc::vec::Vec;
use core::{fmt, mem::MaybeUninit, str};

use rustix::{
    cmsg_space,
    event::{PollFd, PollFlags, poll},
    fd::{AsFd, BorrowedFd, OwnedFd},
    io::{Errno, IoSlice, retry_on_intr},
    net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
        SocketFlags, SocketType, sendmsg_addr, socket_with,
    },
    pipe::{PipeFlags, pipe_with},
    process::getpid,
};

use super::text::Text;
use crate::{Strings, env, sys};

/// The first descriptor that systemd passes on, sd_listen_fds(3).
const FIRST: usize = 3;

/// The way to systemd.
pub(super) struct Store {
    socket: OwnedFd,
    address: SocketAddrUnix,
}

impl Store {
    /// Finds it where systemd says that it is.
    pub(super) fn open(env: Strings) -> Result<Self, Errno> {
        let address = match env::get(env, "NOTIFY_SOCKET") {
            Some([b'@', name @ ..]) => SocketAddrUnix::new_abstract_name(name)?,
            Some(path) => SocketAddrUnix::new(path)?,
            None => return Err(Errno::NOENT),
        };
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
        Ok(Self { socket, address })
    }

    /// Leaves a descriptor under this name.
    pub(super) fn put(&self, name: &str, descriptor: impl AsFd) -> Result<(), Errno> {
        // Its hanging up is nothing that systemd needs to look at: we do.
        let text = format_args!("FDSTORE=1\nFDNAME={name}\nFDPOLL=0\n");
        self.tell(text, &[descriptor.as_fd()])
    }

    /// Waits until systemd has read all that it was told.
    pub(super) fn settle(&self) -> Result<(), Errno> {
        let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
        self.tell(format_args!("BARRIER=1\n"), &[theirs.as_fd()])?;
        drop(theirs);
        // It is read by being closed.
        let mut closed = [PollFd::new(&ours, PollFlags::empty())];
        retry_on_intr(|| poll(&mut closed, None)).map(drop)
    }

    /// Says that the service is up.
    pub(super) fn ready(&self) -> Result<(), Errno> {
        self.tell(format_args!("READY=1\n"), &[])
    }

    fn tell(&self, text: fmt::Arguments<'_>, descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(Errno::INVAL);
        }
        let text = Text::<128>::new(text);
        let text = [IoSlice::new(text.as_bytes())];
        let flags = SendFlags::NOSIGNAL;
        retry_on_intr(|| sendmsg_addr(&self.socket, &self.address, &text, &mut control, flags))
            .map(drop)
    }
}

/// What an earlier process of this service has left there: sd_listen_fds_with_names(3).
pub(super) struct Stored(Vec<(&'static [u8], OwnedFd)>);

impl Stored {
    /// Takes over what systemd passes on; nothing at the first start.
    pub(super) fn read(env: Strings) -> Self {
        let number = |name| str::from_utf8(env::get(env, name)?).ok()?.parse::<i32>().ok();
        if number("LISTEN_PID") != Some(getpid().as_raw_nonzero().get()) {
            return Self(Vec::new());
        }
        let count = number("LISTEN_FDS").and_then(|count| usize::try_from(count).ok());
        let names = env::get(env, "LISTEN_FDNAMES").unwrap_or_default().split(|byte| *byte == b':');
        let passed = names.zip(FIRST..).take(count.unwrap_or(0));
        Self(passed.filter_map(|(name, at)| Some((name, sys::passed(at).ok()?))).collect())
    }

    /// Takes the descriptor with this name out.
    pub(super) fn take(&mut self, name: &str) -> Option<OwnedFd> {
        let at = self.0.iter().position(|(known, _)| *known == name.as_bytes())?;
        Some(self.0.swap_remove(at).1)
    }
}
