//! The application's output, on its way to the container's streams and to the journal.
//!
//! systemd's journal takes what a service prints, and `kubectl logs` shows what the container
//! prints; the application has one pair of streams for both. So it writes into two pipes, and a
//! service of ours, `rich output`, empties them: into the container's streams without loss, and
//! a copy into the journal as far as that keeps up.
//!
//! Whatever ends that service, nothing is lost: all descriptors are also kept by systemd itself
//! ([`store`]), so that the pipes stay open, and the next one goes on where the last one ended.

mod copy;
mod pump;
mod store;
mod stream;
mod text;

use core::mem::MaybeUninit;

use rustix::{
    cmsg_space,
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{AsFd, BorrowedFd, OwnedFd},
    io::{Errno, IoSlice, IoSliceMut, retry_on_intr},
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recvmsg,
        sendmsg, socket_with,
    },
};

pub(super) use pump::main;

/// The name of the service in systemd.
pub(crate) const UNIT: &str = "rich-output.service";
/// Where it hands out the application's streams.
const SOCKET: &str = "/run/rich/output";
/// The most descriptors in one message: the three standard streams.
const MOST: usize = 3;
/// How long the service may take to answer, seconds: systemd starts it again where it has ended.
const PATIENCE: i64 = 10;

/// The application's standard streams, from the service. It takes the caller for one of the
/// application's own processes, and gives the journal first what was printed before.
pub(super) fn streams() -> Result<[OwnedFd; 3], Errno> {
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    connect(&socket, &SocketAddrUnix::new(SOCKET)?)?;
    let mut answer = [PollFd::new(&socket, PollFlags::IN)];
    let patience = Timespec { tv_sec: PATIENCE, tv_nsec: 0 };
    if retry_on_intr(|| poll(&mut answer, Some(&patience)))? == 0 {
        return Err(Errno::TIMEDOUT);
    }
    let [Some(stdin), Some(output), Some(error)] = receive(&socket)? else {
        return Err(Errno::INVAL);
    };
    Ok([stdin, output, error])
}

/// Sends descriptors, with a message of one byte.
fn send(socket: impl AsFd, descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::INVAL);
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    sendmsg(socket, &[IoSlice::new(b"\n")], &mut control, flags).map(drop)
}

/// Receives the descriptors of one message, none where the other side has closed.
fn receive(socket: impl AsFd) -> Result<[Option<OwnedFd>; MOST], Errno> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0; 1];
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, flags)?;
    let rights = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(rights) => Some(rights),
        _ => None,
    });
    let mut received = [const { None }; MOST];
    for (place, descriptor) in received.iter_mut().zip(rights.flatten()) {
        *place = Some(descriptor);
    }
    Ok(received)
}
