//! Who has a connection, and who gives it up for the next client.
//!
//! No client waits for another's connection: where there is no place, one that nobody needs at the
//! moment is closed. A client that connects, says nothing and stays costs the others nothing then,
//! however many there are of its kind.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use prometheus::IntCounter;
use tokio::task::AbortHandle;

/// Added to the turn of a connection whose request has begun and is not there as a whole.
const RECEIVING: u64 = 1 << 62;
/// The turn of a connection that nobody may take: its request is there, and has no answer yet.
const ANSWERING: u64 = u64::MAX;

/// How many may have lost their place and not yet ended, which takes a turn of their thread. More
/// are only where a thread gives none, and they are not to pile up there.
const ENDING: usize = 256;

/// The connections of a server.
#[derive(Debug)]
pub(super) struct Places {
    /// How many there may be.
    count: usize,
    /// Counts what happens on all connections: the least is the one that is idle for the longest.
    turns: AtomicU64,
    seats: Mutex<Seats>,
    evictions: Option<IntCounter>,
}

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    taken: HashMap<u64, Arc<Seat>>,
    /// Connections that have lost their place and not yet ended.
    ending: usize,
}

#[derive(Debug, Default)]
struct Seat {
    turn: AtomicU64,
    /// Whether a request was answered with success here.
    is_known: AtomicBool,
    task: OnceLock<AbortHandle>,
}

/// The place of one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    id: u64,
    seat: Arc<Seat>,
}

/// What a place is taken back by.
pub(super) struct Ticket(Arc<Seat>);

impl Places {
    /// So many, and who counts those that are taken back.
    pub(super) fn new(count: usize, evictions: Option<IntCounter>) -> Self {
        let (turns, seats) = Default::default();
        Self { count, turns, seats, evictions }
    }

    /// A place for a new connection, if need be another's. There is none only while each of them
    /// has a request that is being answered, or a thread gives no turns.
    pub(super) fn take(self: &Arc<Self>) -> Option<(Place, Ticket)> {
        let mut seats = self.lock();
        let is_full = seats.taken.len() >= self.count;
        if is_full && (seats.ending >= ENDING || !self.take_back(&mut seats)) {
            return None;
        }
        let seat = Arc::new(Seat::default());
        seat.turn.store(self.turn(), Relaxed);
        let id = seats.next;
        seats.next += 1;
        seats.taken.insert(id, Arc::clone(&seat));
        let ticket = Ticket(Arc::clone(&seat));
        Some((Place { places: Arc::clone(self), id, seat }, ticket))
    }

    /// Closes one connection, if there is one that may be closed.
    pub(super) fn evict(&self) {
        self.take_back(&mut self.lock());
    }

    /// Clients that have had an answer and strangers are each sure of half of the places, and may
    /// have more while the others do not need them: who is over pays. It is the connection that is
    /// idle for the longest; if none is, the one whose request has been coming for the longest.
    fn take_back(&self, seats: &mut Seats) -> bool {
        let is_known = |seat: &Seat| seat.is_known.load(Relaxed);
        let strangers = seats.taken.values().filter(|seat| !is_known(seat)).count();
        let known_pay = strangers <= self.count / 2;
        let candidates = seats.taken.iter().filter_map(|(id, seat)| {
            let turn = seat.turn.load(Relaxed);
            // One that has no task yet has just come.
            let task = seat.task.get().filter(|_| turn != ANSWERING)?;
            Some(((is_known(seat) != known_pay, turn), *id, task))
        });
        let Some((_, id, task)) = candidates.min_by_key(|(rank, ..)| *rank) else {
            return false;
        };
        task.abort();
        seats.taken.remove(&id);
        seats.ending += 1;
        if let Some(evictions) = &self.evictions {
            evictions.inc();
        }
        true
    }

    fn turn(&self) -> u64 {
        self.turns.fetch_add(1, Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Taking the place back ends this task.
    pub(super) fn ends(self, task: AbortHandle) {
        let _ = self.0.task.set(task);
    }
}

impl Place {
    /// The headers of a request are there.
    pub(super) fn receives(&self) {
        self.seat.turn.store(RECEIVING | self.places.turn(), Relaxed);
    }

    /// The request is there as a whole: nobody takes the place before it is answered.
    pub(super) fn answers(&self) {
        self.seat.turn.store(ANSWERING, Relaxed);
    }

    /// There is an answer.
    pub(super) fn has_answered(&self, with_success: bool) {
        if with_success {
            self.seat.is_known.store(true, Relaxed);
        }
        self.seat.turn.store(self.places.turn(), Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut seats = self.places.lock();
        if seats.taken.remove(&self.id).is_none() {
            seats.ending -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::task::JoinHandle;

    use super::*;

    /// A connection, and the task that is its.
    struct Client {
        place: Place,
        task: JoinHandle<()>,
    }

    impl Client {
        fn new(places: &Arc<Places>) -> Self {
            let (place, ticket) = places.take().unwrap();
            let task = tokio::spawn(pending());
            ticket.ends(task.abort_handle());
            Self { place, task }
        }

        fn known(places: &Arc<Places>) -> Self {
            let client = Self::new(places);
            client.place.has_answered(true);
            client
        }

        async fn has_lost(self) -> bool {
            tokio::task::yield_now().await;
            self.task.is_finished()
        }
    }

    async fn which_have_lost(clients: Vec<Client>) -> Vec<bool> {
        let mut lost = Vec::new();
        for client in clients {
            lost.push(client.has_lost().await);
        }
        lost
    }

    #[tokio::test]
    async fn who_is_over_its_half_pays_and_the_longest_idle_first() {
        let places = Arc::new(Places::new(4, None));
        let mut clients = vec![Client::known(&places)];
        clients.extend((0..5).map(|_| Client::new(&places)));
        assert_eq!(which_have_lost(clients).await, [false, true, true, false, false, false]);

        let places = Arc::new(Places::new(4, None));
        let mut clients = vec![Client::new(&places), Client::new(&places)];
        clients.extend((0..4).map(|_| Client::known(&places)));
        assert_eq!(which_have_lost(clients).await, [false, false, true, true, false, false]);
    }

    #[tokio::test]
    async fn a_request_that_is_coming_is_taken_last_and_one_that_is_there_never() {
        let places = Arc::new(Places::new(3, None));
        let clients: Vec<_> = (0..3).map(|_| Client::new(&places)).collect();
        clients[0].place.answers();
        clients[1].place.receives();
        let new = Client::new(&places);
        new.place.receives();
        let newer = Client::new(&places);
        newer.place.answers();
        let newest = Client::new(&places);
        newest.place.answers();
        assert!(places.take().is_none());
        newest.place.has_answered(false);
        let again = Client::new(&places);
        let clients = clients.into_iter().chain([new, newer, newest, again]).collect();
        let lost = which_have_lost(clients).await;
        assert_eq!(lost, [false, true, true, true, false, true, false]);
    }

    #[tokio::test]
    async fn connections_that_cannot_end_do_not_pile_up() {
        let places = Arc::new(Places::new(8, None));
        let clients: Vec<_> = (0..8 + ENDING).map(|_| Client::new(&places)).collect();
        assert!(places.take().is_none());
        drop(clients);
        assert!(places.take().is_some());
        assert_eq!(places.lock().ending, 0);
    }
}
