//! The copy for the journal: as much as journald takes, and never a reason to wait.
//!
//! journald reads as fast as it can and then throws away what is more than its own limit, so a
//! flood would cost a processor for nothing. Therefore the copy has a limit, too. What is left
//! out is whole lines, and the journal says how much it was.

use alloc::vec::Vec;
use core::{mem::MaybeUninit, time::Duration};

use rustix::{
    cmsg_space,
    fd::OwnedFd,
    io::{Errno, IoSlice},
    net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix,
        SocketFlags, SocketType, UCred, connect, sendmsg, socket_with,
    },
};

use super::{stream::PIECE, text::Text};
use crate::{file::write_all, service::UNIT};

/// What may be copied at once, bytes, and how much of that comes back each second.
const BURST: u64 = 4 << 20;
const PER_SECOND: u64 = 1 << 20;
/// What may wait for journald, bytes; with room for what we say ourselves.
const PENDING: usize = 1 << 20;
const ROOM: usize = PIECE + 1024;

/// Where journald takes what services print, sd_journal_stream_fd(3).
const JOURNAL: &str = "/run/systemd/journal/stdout";

/// Opens a stream to journald under this name.
pub(super) fn open_journal(name: &str) -> Result<OwnedFd, Errno> {
    // Not to wait for a journald that is not there.
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(JOURNAL)?)?;
    // Name, unit, priority "info", lines may begin with one of their own, forward to nothing.
    let header = Text::<300>::new(format_args!("{name}\n{UNIT}\n6\n1\n0\n0\n0\n"));
    write_all(&socket, header.as_bytes())?;
    Ok(socket)
}

/// The copy of one stream.
pub(super) struct Copy {
    journal: Option<OwnedFd>,
    /// What journald has not taken yet; it never grows, see the heap.
    pending: Vec<u8>,
    /// Whether the last line that was given to journald is whole.
    at_line_start: bool,
    /// How much was left out since the last word about it, bytes.
    lost: u64,
    /// Whether the rest of a line is to be left out.
    skips: bool,
    allowance: u64,
    counted: Duration,
    /// In whose name journald gets it, so that it files it under the application's unit.
    sender: Option<UCred>,
    /// Whether that process is not there any more.
    orphaned: bool,
}

impl Copy {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            journal: None,
            pending: Vec::with_capacity(PENDING),
            at_line_start: true,
            lost: 0,
            skips: false,
            allowance: BURST,
            counted: now,
            sender: None,
            orphaned: false,
        }
    }

    /// From now on it comes from this process; `journal` where there is no way there yet.
    pub(super) fn set_sender(&mut self, sender: UCred, journal: impl FnOnce() -> Option<OwnedFd>) {
        self.sender = Some(sender);
        self.orphaned = false;
        if self.journal.is_none() {
            self.journal = journal();
            self.at_line_start = true;
        }
        self.flush();
    }

    /// What waits for room in the journal.
    pub(super) fn waits_for(&self) -> Option<&OwnedFd> {
        self.journal.as_ref().filter(|_| !self.pending.is_empty() && !self.orphaned)
    }

    /// Whether it is to be said that something was left out.
    pub(super) fn has_gap(&self) -> bool {
        self.lost > 0 && self.journal.is_some()
    }

    /// Whether more can be taken now.
    pub(super) fn is_open(&mut self, now: Duration) -> bool {
        if self.journal.is_none() {
            return false;
        }
        let passed = now.saturating_sub(self.counted).as_millis();
        let earned = u64::try_from(passed).unwrap_or(u64::MAX).saturating_mul(PER_SECOND) / 1000;
        if earned > 0 {
            self.allowance = self.allowance.saturating_add(earned).min(BURST);
            self.counted = now;
        }
        self.flush();
        if self.pending.len() + ROOM > PENDING {
            return false;
        }
        if self.lost == 0 {
            return self.allowance > 0;
        }
        // Not at once again, or each gap would be followed by the next.
        if self.allowance < BURST / 2 {
            return false;
        }
        self.tell();
        true
    }

    /// Gives journald what was printed.
    pub(super) fn offer(&mut self, bytes: &[u8]) {
        self.allowance = self.allowance.saturating_sub(length(bytes));
        let mut bytes = bytes;
        if self.skips {
            let end = bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let (left_out, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            self.lost += length(left_out);
            self.skips = end.is_none();
            bytes = rest;
        }
        self.push(bytes);
    }

    /// Counts what was printed and cannot be taken.
    pub(super) fn leave_out(&mut self, count: usize) {
        if self.journal.is_none() || count == 0 {
            return;
        }
        if self.lost == 0 {
            self.skips = !self.at_line_start;
            if self.skips {
                self.push(b"\n");
            }
        }
        // Where the gap ends is not known, so that the rest of its last line is left out, too.
        self.skips = true;
        self.lost = self.lost.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// Gives journald what it had no room for.
    pub(super) fn flush(&mut self) {
        let Some(journal) = &self.journal else { return };
        while !self.pending.is_empty() && !self.orphaned {
            match send_as(journal, &self.pending, self.sender) {
                Ok(count) => drop(self.pending.drain(..count)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // What it has printed last waits for the next process of the unit.
                Err(Errno::SRCH) => self.orphaned = true,
                // We are not allowed to speak for others.
                Err(Errno::PERM) if self.sender.is_some() => self.sender = None,
                // journald is gone for good, and with it the copy.
                Err(_) => {
                    self.journal = None;
                    self.pending.clear();
                    return;
                }
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last()
            && self.pending.len() + bytes.len() <= PENDING
        {
            self.at_line_start = *last == b'\n';
            self.pending.extend_from_slice(bytes);
            self.flush();
        }
    }

    fn tell(&mut self) {
        let lost = self.lost;
        self.lost = 0;
        // With the priority of a warning, sd-daemon(3).
        let line = Text::<160>::new(format_args!(
            "<4>rich: {lost} bytes of the output are not in the journal, which could not take \
             them; kubectl logs has them\n"
        ));
        self.push(line.as_bytes());
    }
}

fn send_as(journal: &OwnedFd, bytes: &[u8], sender: Option<UCred>) -> Result<usize, Errno> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmCredentials(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if let Some(sender) = sender {
        control.push(SendAncillaryMessage::ScmCredentials(sender));
    }
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    sendmsg(journal, &[IoSlice::new(bytes)], &mut control, flags)
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socketpair};
    use std::string::String;

    const START: Duration = Duration::from_secs(1000);

    fn copy() -> (Copy, OwnedFd) {
        let flags = SocketFlags::empty();
        let (ours, journal) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        let mut copy = Copy::new(START);
        copy.journal = Some(ours);
        (copy, journal)
    }

    fn read(journal: &OwnedFd) -> String {
        let mut all = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok((count @ 1.., _)) = recv(journal, &mut buffer, RecvFlags::DONTWAIT) {
            all.extend_from_slice(&buffer[..count]);
        }
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn what_is_printed_arrives() {
        let (mut copy, journal) = copy();
        assert!(copy.is_open(START));
        copy.offer(b"a\nb");
        copy.offer(b"c\n");
        assert_eq!(read(&journal), "a\nbc\n");
    }

    #[test]
    fn a_gap_is_whole_lines_and_is_told_once() {
        let (mut copy, journal) = copy();
        copy.offer(b"one\ntwo be");
        copy.leave_out(100);
        copy.leave_out(23);
        assert!(copy.has_gap() && copy.is_open(START) && !copy.has_gap());
        copy.offer(b"ginning of three\nfour\n");
        let read = read(&journal);
        let lines: Vec<&str> = read.lines().collect();
        assert_eq!((lines[0], lines[1], lines[3]), ("one", "two be", "four"));
        assert!(lines[2].starts_with("<4>rich: 123 bytes"), "{read}");
        assert_eq!(lines.len(), 4);
    }

    #[test]
    fn a_journal_that_does_not_read_holds_nobody_up() {
        let (mut copy, journal) = copy();
        let line = std::vec![b'x'; 64 * 1024];
        let mut offered = 0;
        while copy.is_open(START) {
            copy.offer(&line);
            offered += 1;
        }
        assert!((1..64).contains(&offered), "{offered}");
        assert!(copy.waits_for().is_some());
        // Once it reads, it gets everything.
        let mut got = 0;
        while copy.waits_for().is_some() {
            got += read(&journal).len();
            copy.flush();
        }
        assert_eq!(got + read(&journal).len(), offered * line.len());
    }

    #[test]
    fn a_flood_is_cut_and_comes_back_with_time() {
        let (mut copy, journal) = copy();
        while copy.is_open(START) {
            copy.offer(&[b'\n'; 1024]);
            let _ = read(&journal);
        }
        copy.leave_out(5);
        assert!(!copy.is_open(START + Duration::from_secs(1)));
        assert!(copy.is_open(START + Duration::from_secs(3)));
        assert!(read(&journal).contains("5 bytes"));
    }
}
