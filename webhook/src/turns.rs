//! Whether the event loops that serve give their tasks a turn.
//!
//! A task on each loop notes the time again and again. While it does not, no other task of that loop
//! is served either, be it that one of them does not end or that the kernel gives the thread no
//! processor. Which of the two it is, the thread's processor time says. It holds for a runtime with
//! many threads as well: there a task waits only while all of them are busy.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, time::sleep};

/// The unit of processor time in /proc: USER_HZ, which is 100 for every program (time(7)).
const TICK: Duration = Duration::from_millis(10);

/// How long is too long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Without a turn, until other replicas had better be called.
    pub unready: Duration,
    /// Of the processor's time in one turn, until only a new start can help.
    pub stuck: Duration,
}

impl Default for Limits {
    /// The API server waits for five seconds; and no review that can be sent takes a minute, but a
    /// thread that hardly gets the processor may be without a turn for longer than that.
    fn default() -> Self {
        Self { unready: Duration::from_secs(5), stuck: Duration::from_mins(1) }
    }
}

/// The last turn of each loop.
#[derive(Debug)]
pub struct Turns {
    limits: Limits,
    last: Vec<Arc<Mutex<Turn>>>,
}

/// A turn of the task that notes them.
#[derive(Debug)]
struct Turn {
    at: Instant,
    /// Not known before the first, nor where /proc is not mounted.
    thread: Option<Thread>,
}

/// A thread, and how much of the processor's time it had taken at that moment.
#[derive(Debug)]
struct Thread {
    stat: PathBuf,
    used: Duration,
}

impl Turns {
    /// Watches these loops from now on.
    #[must_use]
    pub fn watch(loops: &[Handle], limits: Limits) -> Self {
        // So that several turns have been missed when it is said that none came.
        let pace = limits.unready / 5;
        let watch = |each: &Handle| {
            let last = Arc::new(Mutex::new(Turn { at: Instant::now(), thread: None }));
            each.spawn(note(Arc::clone(&last), pace));
            last
        };
        Self { limits, last: loops.iter().map(watch).collect() }
    }

    /// For how long a loop has given no turn, if that is too long to be called.
    #[must_use]
    pub fn missing(&self, now: Instant) -> Option<Duration> {
        let silent = |each: &Arc<Mutex<Turn>>| now.saturating_duration_since(lock(each).at);
        self.last.iter().map(silent).max().filter(|silence| *silence >= self.limits.unready)
    }

    /// How much of the processor's time a thread has used up in the turn that it is in, if that is
    /// too much for the turn to have an end.
    #[must_use]
    pub fn stuck(&self, now: Instant) -> Option<Duration> {
        self.missing(now)?;
        let used = self.last.iter().filter_map(|each| lock(each).thread.as_ref()?.used_since());
        used.max().filter(|used| *used >= self.limits.stuck)
    }
}

async fn note(last: Arc<Mutex<Turn>>, pace: Duration) {
    loop {
        let turn = Turn { at: Instant::now(), thread: Thread::this() };
        *lock(&last) = turn;
        sleep(pace).await;
    }
}

fn lock(turn: &Mutex<Turn>) -> MutexGuard<'_, Turn> {
    turn.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Thread {
    /// The one that asks: /proc/thread-self is a link to PID/task/TID (proc_pid_task(5)).
    fn this() -> Option<Self> {
        let thread = fs::read_link("/proc/thread-self").ok()?;
        let stat = Path::new("/proc").join(thread).join("stat");
        let used = processor_time(&fs::read_to_string(&stat).ok()?)?;
        Some(Self { stat, used })
    }

    fn used_since(&self) -> Option<Duration> {
        processor_time(&fs::read_to_string(&self.stat).ok()?)?.checked_sub(self.used)
    }
}

/// The fields 14 and 15, utime and stime (proc_pid_stat(5)). The second one is the thread's name in
/// parentheses, which may have blanks and parentheses in it.
fn processor_time(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11).map(str::parse::<u32>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some(TICK * user.checked_add(system)?)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering::Relaxed},
        sync::mpsc,
        thread,
    };

    use tokio::runtime::{Builder, Runtime};

    use super::*;
    use crate::server::Threads;

    const LIMITS: Limits =
        Limits { unready: Duration::from_millis(50), stuck: Duration::from_millis(100) };

    fn wait_for(what: &str, mut is: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is() {
            assert!(start.elapsed() < Duration::from_mins(1), "{what}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Keeps a loop's thread busy until it is told to stop.
    fn spin(on: &Handle) -> Arc<AtomicBool> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        on.spawn(async move { while !stopped.load(Relaxed) {} });
        stop
    }

    fn runtime_with(threads: usize) -> Runtime {
        Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap()
    }

    fn a_spinning_thread_is_seen(turns: &Turns, on: &[Handle]) {
        wait_for("every loop gives turns", || {
            let has_begun = |each: &Arc<Mutex<Turn>>| lock(each).thread.is_some();
            turns.last.iter().all(has_begun) && turns.missing(Instant::now()).is_none()
        });
        assert_eq!(turns.stuck(Instant::now()), None);
        let stops: Vec<_> = on.iter().map(spin).collect();
        wait_for("a loop gives none", || turns.missing(Instant::now()).is_some());
        wait_for("it will give none", || turns.stuck(Instant::now()).is_some());
        for stop in stops {
            stop.store(true, Relaxed);
        }
        wait_for("it gives turns again", || turns.missing(Instant::now()).is_none());
        assert_eq!(turns.stuck(Instant::now()), None);
    }

    #[test]
    fn a_serving_thread_that_does_not_end_its_turn_is_missed_and_then_stuck() {
        let threads = Threads::start(2).unwrap();
        let turns = Turns::watch(threads.loops(), LIMITS);
        a_spinning_thread_is_seen(&turns, &threads.loops()[1..]);
    }

    #[test]
    fn it_is_seen_on_a_runtime_of_many_threads_as_well() {
        let runtime = runtime_with(2);
        let handle = runtime.handle().clone();
        let turns = Turns::watch(std::slice::from_ref(&handle), LIMITS);
        a_spinning_thread_is_seen(&turns, &[handle.clone(), handle]);
    }

    #[test]
    fn a_thread_that_does_not_get_the_processor_is_missed_and_never_stuck() {
        let threads = Threads::start(1).unwrap();
        let turns = Turns::watch(threads.loops(), LIMITS);
        wait_for("the loop gives turns", || lock(&turns.last[0]).thread.is_some());
        let (end, ended) = mpsc::channel::<()>();
        threads.loops()[0].spawn(async move {
            let _ = ended.recv();
        });
        wait_for("it gives none", || turns.missing(Instant::now()).is_some());
        let much_later = Instant::now() + Duration::from_hours(1);
        assert!(turns.missing(much_later).unwrap() >= Duration::from_hours(1));
        assert_eq!(turns.stuck(much_later), None);
        drop(end);
    }

    #[test]
    fn processor_time_is_read_whatever_the_threads_name_is() {
        let stat = "7 (a) b (c) R 1 7 7 0 -1 4194560 120 0 0 0 150 50 9 9 20 0 4 0 1 1 1 1";
        assert_eq!(processor_time(stat), Some(Duration::from_secs(2)));
        assert_eq!(processor_time(""), None);
        assert_eq!(processor_time("7 (a) R 1"), None);
    }
}
