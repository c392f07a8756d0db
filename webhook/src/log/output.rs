//! Standard output without the wait for it: a thread of its own writes what is logged. Otherwise
//! every answer has a system call for its line, in which no other answer can log.
//!
//! No line is lost. While nobody reads standard output, [`LINES`] lines wait; whoever logs more
//! waits as well, and the replica answers no review until its log is read again.

use std::{
    io::{self, BufWriter, Write, stdout},
    thread,
    time::Duration,
};

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};

/// How long lines are gathered, once some were written: a system call for each would cost more
/// than the rest of it.
const PAUSE: Duration = Duration::from_millis(5);

/// How many lines may wait to be written: half a second of all that a replica can answer on two
/// processors would be more, and a line has some 400 bytes.
const LINES: usize = 4096;

/// Begins to write what is logged, until the guard is dropped; then it takes up to a second for
/// what still waits.
pub(super) fn start() -> (NonBlocking, WorkerGuard) {
    to(stdout())
}

fn to(output: impl Write + Send + 'static) -> (NonBlocking, WorkerGuard) {
    NonBlockingBuilder::default()
        .lossy(false)
        .buffered_lines_limit(LINES)
        .thread_name("log")
        .finish(Gathered(BufWriter::new(output)))
}

/// Is flushed whenever nothing waits to be written, and then lets lines gather.
struct Gathered<W: Write>(BufWriter<W>);

impl<W: Write> Write for Gathered<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        thread::sleep(PAUSE);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc, Mutex,
        mpsc::{self, Receiver},
    };

    use super::*;

    /// A pipe that nobody reads until there is a word.
    struct Pipe {
        read: Receiver<()>,
        is_read: bool,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.is_read {
                self.read.recv().unwrap();
                self.is_read = true;
            }
            // It takes less than it is given.
            let count = bytes.len().min(1000);
            self.written.lock().unwrap().extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines(count: usize) -> Vec<String> {
        (0..count).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn who_logs_does_not_wait_for_a_slow_reader() {
        let (read, reads) = mpsc::channel();
        let written = Arc::default();
        let pipe = Pipe { read: reads, is_read: false, written: Arc::clone(&written) };
        let (mut log, guard) = to(pipe);
        // That this ends is what is tested: nobody reads.
        for line in lines(LINES) {
            log.write_all(line.as_bytes()).unwrap();
        }
        read.send(()).unwrap();
        drop(guard);
        assert_eq!(
            String::from_utf8(written.lock().unwrap().clone()).unwrap(),
            lines(LINES).concat()
        );
    }

    #[test]
    fn no_line_is_lost_where_more_are_logged_than_may_wait() {
        const MANY: usize = 3 * LINES;
        let (read, reads) = mpsc::channel();
        let written = Arc::default();
        let pipe = Pipe { read: reads, is_read: false, written: Arc::clone(&written) };
        let (mut log, guard) = to(pipe);
        let logging = thread::spawn(move || {
            for line in lines(MANY) {
                log.write_all(line.as_bytes()).unwrap();
            }
        });
        read.send(()).unwrap();
        logging.join().unwrap();
        drop(guard);
        assert_eq!(
            String::from_utf8(written.lock().unwrap().clone()).unwrap(),
            lines(MANY).concat()
        );
    }
}
