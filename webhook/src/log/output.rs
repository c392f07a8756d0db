//! Standard output without the wait for it: lines are gathered, and a thread of their own writes
//! them together. Otherwise every answer has a system call for its line, in which no other answer
//! can log.

use std::{
    io::{self, Write, stdout},
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long lines are gathered, once one was written.
const PAUSE: Duration = Duration::from_millis(5);
/// Where more than this waits to be read, whoever logs waits, too.
const ROOM: usize = 256 * 1024;

/// Where lines go.
#[derive(Debug, Default)]
pub(super) struct Output {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<u8>,
    ended: bool,
}

/// What was logged is written when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Guard {
    output: Arc<Output>,
    writer: Option<JoinHandle<()>>,
}

impl Output {
    /// Begins to write what is logged.
    pub(super) fn start() -> io::Result<(Arc<Self>, Guard)> {
        let output = Arc::new(Self::default());
        let writer = thread::Builder::new().name("log".to_owned()).spawn({
            let output = Arc::clone(&output);
            move || output.copy(stdout())
        })?;
        Ok((Arc::clone(&output), Guard { output, writer: Some(writer) }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, until: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        self.changed
            .wait_while(self.state(), |state| !until(state))
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn copy(&self, mut to: impl Write) {
        let mut lines = Vec::new();
        loop {
            let ended = {
                let mut state = self.wait(|state| state.ended || !state.lines.is_empty());
                mem::swap(&mut state.lines, &mut lines);
                state.ended
            };
            self.changed.notify_all();
            // Nobody reads any more, and there is nowhere to say so.
            let _ = to.write_all(&lines).and_then(|()| to.flush());
            lines.clear();
            if ended {
                return;
            }
            thread::sleep(PAUSE);
        }
    }
}

impl Write for &Output {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.wait(|state| state.ended || state.lines.len() < ROOM);
        let first = state.lines.is_empty();
        state.lines.extend_from_slice(line);
        drop(state);
        if first {
            self.changed.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.output.state().ended = true;
        self.output.changed.notify_all();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes its time for the first bytes that it gets.
    struct Slow(Arc<Mutex<Vec<u8>>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            thread::sleep(PAUSE);
            let count = bytes.len().min(7);
            self.0.lock().unwrap().extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_once_and_in_order() {
        let output = Arc::new(Output::default());
        let written = Arc::new(Mutex::new(Vec::new()));
        let writer = thread::spawn({
            let (output, written) = (Arc::clone(&output), Slow(Arc::clone(&written)));
            move || output.copy(written)
        });
        let guard = Guard { output: Arc::clone(&output), writer: Some(writer) };
        let lines: Vec<String> = (0..50).map(|line| format!("{line}\n")).collect();
        for line in &lines {
            output.as_ref().write_all(line.as_bytes()).unwrap();
        }
        drop(guard);
        assert_eq!(String::from_utf8(written.lock().unwrap().clone()).unwrap(), lines.concat());
    }

    #[test]
    fn who_logs_waits_where_nobody_reads() {
        let output = Arc::new(Output::default());
        output.as_ref().write_all(&vec![b'a'; ROOM]).unwrap();
        let waiting = thread::spawn({
            let output = Arc::clone(&output);
            move || output.as_ref().write_all(b"b").unwrap()
        });
        thread::sleep(4 * PAUSE);
        assert!(!waiting.is_finished());
        let written = Arc::new(Mutex::new(Vec::new()));
        output.state().lines.truncate(2);
        output.changed.notify_all();
        waiting.join().unwrap();
        output.state().ended = true;
        output.copy(Slow(Arc::clone(&written)));
        assert_eq!(*written.lock().unwrap(), b"aab");
    }
}
