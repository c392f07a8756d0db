//! `rich output`: the service that passes the application's output on.

use alloc::vec;
use core::{array, ffi::CStr, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::{AsFd, OwnedFd},
    fs::{Mode, OFlags, open, unlink},
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, UCred, accept_with, bind, listen,
        socket_with, sockopt::socket_peercred,
    },
    process::{Gid, Pid, Signal, Uid, kill_process},
    time::{ClockId, clock_gettime},
};

use super::{
    SOCKET,
    copy::{Copy, open_journal},
    send,
    store::{Store, Stored},
    stream::{self, Stream},
    text::Text,
};
use crate::{
    Strings,
    errno::Reason,
    file::{self, write_all},
    say,
    service::{Spec, streams},
    sys::{self, SignalFd, number},
};

/// Keeps the process that the copy for the journal is sent in the name of.
const SENDER: &CStr = c"/run/rich/sender";
/// How soon a gap in the journal is told about, seconds.
const GAP: i64 = 1;

/// The names under which systemd keeps what is ours.
mod name {
    pub(super) const STDIN: &str = "stdin";
    /// The container's, then the pipe's ends to read and to write.
    pub(super) const OUTPUT: [&str; 3] = ["stdout", "out-reader", "out-writer"];
    pub(super) const ERROR: [&str; 3] = ["stderr", "err-reader", "err-writer"];
    pub(super) const SOCKET: &str = "socket";
}

/// Runs until it is told to stop and everything is passed on.
pub(in crate::service) fn main(env: Strings) -> u8 {
    sys::block_all();
    sys::default_all();
    match Pump::start(env) {
        Ok(mut pump) => {
            pump.run();
            0
        }
        Err(errno) => {
            say!("rich: the output cannot be passed on to the journal: {}", Reason(errno));
            1
        }
    }
}

struct Pump {
    signals: SignalFd,
    socket: OwnedFd,
    /// What the application is called in the journal.
    name: &'static str,
    stdin: OwnedFd,
    writers: [OwnedFd; 2],
    streams: [Stream; 2],
}

impl Pump {
    fn start(env: Strings) -> Result<Self, Errno> {
        let store = Store::open(env)?;
        let mut stored = Stored::read(env);
        let spec = Spec::read().map_err(|_| Errno::NOENT)?;
        let name = spec.log_name();
        let mut holder = None;
        let [stdin, stdout, stderr] = if let Some(stdout) = stored.take(name::OUTPUT[0]) {
            // Those that are the same file are kept once.
            let stderr = stored.take(name::ERROR[0]).map_or_else(|| stdout.try_clone(), Ok);
            let stderr = stderr.map_err(|_| Errno::BADF)?;
            [stored.take(name::STDIN).map_or_else(no_input, Ok)?, stdout, stderr]
        } else {
            holder = spec.holder;
            streams::of(holder.ok_or(Errno::SRCH)?)?
        };
        store.put(name::STDIN, &stdin)?;
        let now = now();
        let mut stream = |names: [&str; 3], to: OwnedFd| {
            let pipe = stored.take(names[1]).zip(stored.take(names[2]));
            let (reader, writer) = pipe.map_or_else(stream::pipe, Ok)?;
            store.put(names[0], &to)?;
            store.put(names[1], &reader)?;
            store.put(names[2], &writer)?;
            Ok::<_, Errno>((Stream::new(reader, to, Copy::new(now))?, writer))
        };
        let (output, output_writer) = stream(name::OUTPUT, stdout)?;
        let (error, error_writer) = stream(name::ERROR, stderr)?;
        let socket = stored.take(name::SOCKET).map_or_else(open_socket, Ok)?;
        store.put(name::SOCKET, &socket)?;
        // From here on systemd has it all, and the first keeper is not needed any more.
        store.settle()?;
        if let Some(holder) = holder {
            let _ = kill_process(holder, Signal::TERM);
        }
        store.ready()?;
        let mut pump = Self {
            signals: SignalFd::open()?,
            socket,
            name,
            stdin,
            writers: [output_writer, error_writer],
            streams: [output, error],
        };
        if let Some(sender) = last_sender() {
            pump.speak_for(sender);
        }
        Ok(pump)
    }

    fn run(&mut self) {
        let mut buffer = vec![0; stream::PIECE];
        let mut ends = false;
        while !(ends && self.streams.iter().all(Stream::is_empty)) {
            self.wait();
            while let Some(received) = self.signals.next() {
                ends |= received.number == number::TERM;
            }
            // First, so that what the application prints finds its way to the journal.
            let now = now();
            self.serve(now, &mut buffer);
            for stream in &mut self.streams {
                stream.advance(now, &mut buffer);
            }
        }
    }

    fn wait(&self) {
        let waits_for = |fd| Some(PollFd::new(fd, PollFlags::IN));
        let own = [Some(PollFd::new(&self.signals, PollFlags::IN)), waits_for(&self.socket)];
        let streams = self.streams.iter().flat_map(Stream::wait_for);
        let mut waiting = own.into_iter().chain(streams).flatten();
        // On the stack: what is waited for most often is one line.
        let mut fds: [PollFd<'_>; 2 + 4] = array::from_fn(|_| {
            waiting.next().unwrap_or_else(|| PollFd::new(&self.socket, PollFlags::empty()))
        });
        let gap = self.streams.iter().any(|stream| stream.copy.has_gap());
        let gap = gap.then_some(Timespec { tv_sec: GAP, tv_nsec: 0 });
        // Interrupted or not, what counts is what can then be done.
        let _ = poll(&mut fds, gap.as_ref());
    }

    /// Gives the application's streams to whoever asks: only root can.
    fn serve(&mut self, now: Duration, buffer: &mut [u8]) {
        while let Ok(client) = accept_with(&self.socket, SocketFlags::CLOEXEC) {
            // First, so that it is still there when what waits is sent in its name.
            if let Ok(sender) = socket_peercred(&client) {
                self.speak_for(sender);
                for stream in &mut self.streams {
                    stream.advance(now, buffer);
                }
            }
            let [output, error] = &self.writers;
            let _ = send(&client, &[self.stdin.as_fd(), output.as_fd(), error.as_fd()]);
        }
    }

    /// Lets journald take what comes now for this process's.
    fn speak_for(&mut self, sender: UCred) {
        let pid = Text::<16>::new(format_args!("{}", sender.pid.as_raw_nonzero()));
        // The file is for the next of us; its path needs no heap, which only grows.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC;
        let kept = open(SENDER, flags, Mode::RUSR | Mode::WUSR)
            .and_then(|file| write_all(file, pid.as_bytes()));
        // Without it the next of us speaks for itself.
        let _ = kept;
        let name = self.name;
        for stream in &mut self.streams {
            stream.copy.set_sender(sender, || open_journal(name).ok());
        }
    }
}

/// Who the last of us spoke for.
fn last_sender() -> Option<UCred> {
    let text = file::read(SENDER, 16).ok()?;
    let pid = Pid::from_raw(core::str::from_utf8(&text).ok()?.parse().ok()?)?;
    Some(UCred { pid, uid: Uid::ROOT, gid: Gid::ROOT })
}

fn open_socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    let _ = unlink(SOCKET);
    bind(&socket, &SocketAddrUnix::new(SOCKET)?)?;
    listen(&socket, 16)?;
    Ok(socket)
}

fn no_input() -> Result<OwnedFd, Errno> {
    open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// The time since the machine's start.
fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}
