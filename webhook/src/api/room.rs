//! The memory that bodies may take together. It is taken as their bytes arrive, and nobody waits
//! for it: where there is none, the body that has been coming for the longest gives its own up.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// So many bytes.
#[derive(Debug)]
pub(super) struct Room {
    bytes: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    next: u64,
    /// The bodies that have begun and not ended, in the order of their beginnings.
    coming: BTreeMap<u64, Coming>,
}

#[derive(Debug)]
struct Coming {
    bytes: usize,
    gone: Arc<Notify>,
}

/// There is no room, or what had some has given it up.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Crowded;

/// The room of a whole body, until it is dropped. Nobody takes it away.
#[derive(Debug)]
pub(super) struct Held<'a> {
    room: &'a Room,
    bytes: usize,
}

/// The room of a body that is coming, until it is dropped or given up.
#[derive(Debug)]
pub(super) struct Growing<'a> {
    room: &'a Room,
    id: u64,
    gone: Arc<Notify>,
}

impl Room {
    pub(super) fn new(bytes: usize) -> Self {
        Self { bytes, state: Mutex::default() }
    }

    /// Room for a body that is there.
    pub(super) fn hold(&self, bytes: usize) -> Result<Held<'_>, Crowded> {
        self.state().take(bytes, self.bytes)?;
        Ok(Held { room: self, bytes })
    }

    /// Room for the first bytes of a body.
    pub(super) fn begin(&self, bytes: usize) -> Result<Growing<'_>, Crowded> {
        let mut state = self.state();
        state.take(bytes, self.bytes)?;
        let (id, gone) = (state.next, Arc::new(Notify::new()));
        state.next += 1;
        state.coming.insert(id, Coming { bytes, gone: Arc::clone(&gone) });
        Ok(Growing { room: self, id, gone })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self, bytes: usize, limit: usize) -> Result<(), Crowded> {
        while self.taken + bytes > limit {
            // Its memory is free as soon as its thread comes to it.
            let (_, oldest) = self.coming.pop_first().ok_or(Crowded)?;
            self.taken -= oldest.bytes;
            oldest.gone.notify_one();
        }
        self.taken += bytes;
        Ok(())
    }
}

impl<'a> Growing<'a> {
    /// Room for more of it.
    pub(super) fn grow(&self, bytes: usize) -> Result<(), Crowded> {
        let mut state = self.room.state();
        state.take(bytes, self.room.bytes)?;
        // It may have been its own room that was taken.
        let Some(coming) = state.coming.get_mut(&self.id) else {
            state.taken -= bytes;
            return Err(Crowded);
        };
        coming.bytes += bytes;
        Ok(())
    }

    /// Waits until others have taken its room.
    pub(super) async fn gone(&self) {
        self.gone.notified().await;
    }

    /// It is there as a whole.
    pub(super) fn hold(self) -> Result<Held<'a>, Crowded> {
        let coming = self.room.state().coming.remove(&self.id).ok_or(Crowded)?;
        Ok(Held { room: self.room, bytes: coming.bytes })
    }
}

impl Drop for Growing<'_> {
    fn drop(&mut self) {
        let mut state = self.room.state();
        if let Some(coming) = state.coming.remove(&self.id) {
            state.taken -= coming.bytes;
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.room.state().taken -= self.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_keeps_its_room_and_what_comes_gives_it_up_the_oldest_first() {
        let room = Room::new(10);
        let held = room.hold(4).unwrap();
        let (first, second) = (room.begin(2).unwrap(), room.begin(2).unwrap());
        first.grow(2).unwrap();
        let third = room.begin(1).unwrap();
        assert_eq!(first.grow(1), Err(Crowded));
        assert_eq!(first.hold().unwrap_err(), Crowded);
        second.grow(3).unwrap();
        let second = second.hold().unwrap();
        assert_eq!(third.grow(1), Err(Crowded), "its own is all that can be taken");
        assert_eq!(room.hold(2).unwrap_err(), Crowded);
        drop((held, second, third));
        drop(room.hold(10).unwrap());
        assert_eq!(room.state().taken, 0);
    }

    #[tokio::test]
    async fn who_has_given_its_room_up_is_told() {
        let room = Room::new(2);
        let first = room.begin(2).unwrap();
        let _second = room.begin(1).unwrap();
        first.gone().await;
    }
}
