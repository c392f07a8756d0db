//! The threads that serve connections, each with an event loop of its own.
//!
//! A connection stays on the thread that it was given to. Where threads share their work, as those
//! of tokio's other runtime do, they wake each other for it all the time, which costs more than the
//! whole judging of a pod does. In exchange, the connections of one thread wait for each other: for
//! some milliseconds, if an object is as large as the API server takes them.

use std::{convert::Infallible, io, iter::Cycle, thread, vec};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// Threads that serve until this is dropped.
#[derive(Debug)]
pub struct Threads {
    loops: Cycle<vec::IntoIter<Handle>>,
    /// Their loops end with these.
    _ends: Vec<oneshot::Sender<Infallible>>,
}

impl Threads {
    /// Starts so many.
    pub fn start(count: usize) -> io::Result<Self> {
        let (mut loops, mut ends) = (Vec::new(), Vec::new());
        for index in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let (end, ended) = oneshot::channel();
            loops.push(runtime.handle().clone());
            ends.push(end);
            thread::Builder::new().name(format!("serve-{index}")).spawn(move || {
                let _ = runtime.block_on(ended);
            })?;
        }
        Ok(Self { loops: loops.into_iter().cycle(), _ends: ends })
    }

    /// None but the caller's own.
    ///
    /// # Panics
    /// Outside of tokio.
    #[must_use]
    pub fn of_the_caller() -> Self {
        Self { loops: vec![Handle::current()].into_iter().cycle(), _ends: Vec::new() }
    }

    /// The one whose turn it is.
    pub(super) fn next(&mut self) -> Handle {
        self.loops.next().unwrap_or_else(Handle::current)
    }
}
