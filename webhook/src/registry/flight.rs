//! One look-up for all who wait for the same.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

/// The look-ups that are under way.
#[derive(Debug)]
pub(super) struct Flights<K, V> {
    open: Mutex<HashMap<K, Arc<OnceCell<V>>>>,
}

impl<K: Clone + Eq + Hash, V: Clone> Flights<K, V> {
    pub(super) fn new() -> Self {
        Self { open: Mutex::new(HashMap::new()) }
    }

    /// The answer of `look_up`, or of the same that is under way already. Where that is given up
    /// because its client went away, one of those who wait begins anew.
    pub(super) async fn join(&self, key: K, look_up: impl Future<Output = V>) -> V {
        let cell = Arc::clone(self.lock().entry(key.clone()).or_default());
        let _landing = Landing { flights: self, key: &key, cell: &cell };
        cell.get_or_init(|| look_up).await.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, Arc<OnceCell<V>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a flight out of the table: at its end, or when the last who waited has gone.
struct Landing<'a, K: Clone + Eq + Hash, V: Clone> {
    flights: &'a Flights<K, V>,
    key: &'a K,
    cell: &'a Arc<OnceCell<V>>,
}

impl<K: Clone + Eq + Hash, V: Clone> Drop for Landing<'_, K, V> {
    fn drop(&mut self) {
        let mut open = self.flights.lock();
        // Ours and the table's: nobody else is in it.
        let is_over = self.cell.initialized() || Arc::strong_count(self.cell) <= 2;
        if is_over && open.get(self.key).is_some_and(|cell| Arc::ptr_eq(cell, self.cell)) {
            open.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Notify;

    #[tokio::test]
    async fn many_who_wait_make_one_look_up() {
        let (flights, count, go) = (Flights::new(), AtomicUsize::new(0), Notify::new());
        let one = || async {
            flights
                .join("a", async {
                    count.fetch_add(1, Ordering::SeqCst);
                    go.notified().await;
                    7
                })
                .await
        };
        let (a, b, c, ()) = tokio::join!(one(), one(), one(), async { go.notify_one() });
        assert_eq!((a, b, c), (7, 7, 7));
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert!(flights.lock().is_empty());
        assert_eq!(flights.join("a", async { 8 }).await, 8);
    }

    #[tokio::test]
    async fn who_waits_begins_anew_where_the_first_goes_away() {
        let flights = Flights::new();
        let first = flights.join("a", async { std::future::pending().await });
        let mut first = Box::pin(first);
        assert!(poll_once(&mut first).await.is_none());
        let mut second = Box::pin(flights.join("a", async { 2 }));
        assert!(poll_once(&mut second).await.is_none());
        drop(first);
        assert_eq!(second.await, 2);
        assert!(flights.lock().is_empty());
        let mut alone = Box::pin(flights.join("a", async { std::future::pending().await }));
        assert!(poll_once(&mut alone).await.is_none());
        drop(alone);
        assert!(flights.lock().is_empty());
    }

    /// Polls once.
    async fn poll_once(future: &mut (impl Future<Output = i32> + Unpin)) -> Option<i32> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match std::pin::Pin::new(&mut *future).poll(context) {
                std::task::Poll::Ready(value) => Some(value),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
