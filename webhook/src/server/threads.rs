//! The threads that serve connections, each with an event loop of its own.
//!
//! A connection stays on the thread that it was given to. Where threads share their work, as those
//! of tokio's other runtime do, they wake each other for it all the time, which costs more than the
//! whole judging of a pod does. In exchange, the connections of one thread wait for each other: for
//! some milliseconds, if an object is as large as the API server takes them.

use std::{convert::Infallible, io, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// Threads that serve until this is dropped.
#[derive(Debug)]
pub struct Threads {
    loops: Vec<Handle>,
    turn: usize,
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
        Ok(Self { loops, turn: 0, _ends: ends })
    }

    /// None but the caller's own.
    ///
    /// # Panics
    /// Outside of tokio.
    #[must_use]
    pub fn of_the_caller() -> Self {
        Self { loops: vec![Handle::current()], turn: 0, _ends: Vec::new() }
    }

    /// The event loops.
    #[must_use]
    pub fn loops(&self) -> &[Handle] {
        &self.loops
    }

    /// The one whose turn it is.
    pub(super) fn next(&mut self) -> Handle {
        self.turn = self.turn.wrapping_add(1);
        let index = self.turn.checked_rem(self.loops.len()).unwrap_or_default();
        self.loops.get(index).map_or_else(Handle::current, Handle::clone)
    }
}
