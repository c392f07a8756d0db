//! Whose turn it is. Places are counted by host and by tenant, so that nobody takes those of others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use super::place::Place;

/// Look-ups that ask one host at once. A host that is silent keeps these busy, and no others.
const HOST: usize = 4;
/// Look-ups at once, of one namespace and of all, at hosts that the administrator does not list by
/// name. There may be any number of such hosts, and one person may have many.
const UNNAMED_OF_ONE: usize = 4;
const UNNAMED: usize = 16;
/// Look-ups that are under way, most of which wait, of one namespace and of all. The API server
/// sends some hundred requests at once.
const OPEN_OF_ONE: usize = 256;
const OPEN: usize = 1024;

/// So many places for each of any number of keys.
pub(super) struct Places {
    each: usize,
    /// Those that somebody has or waits for.
    used: Mutex<HashMap<String, Weak<Semaphore>>>,
}

impl Places {
    pub(super) fn new(each: usize) -> Self {
        Self { each, used: Mutex::default() }
    }

    /// A place of this key, once there is one. It never fails, as the semaphore is never closed.
    pub(super) async fn take(&self, key: &str) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.of(key).acquire_owned().await
    }

    /// A place of this key, if there is one.
    fn try_take(&self, key: &str) -> Option<OwnedSemaphorePermit> {
        self.of(key).try_acquire_owned().ok()
    }

    fn of(&self, key: &str) -> Arc<Semaphore> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = used.get(key).and_then(Weak::upgrade) {
            return places;
        }
        if used.len() == used.capacity() {
            used.retain(|_, places| places.strong_count() > 0);
        }
        let places = Arc::new(Semaphore::new(self.each));
        used.insert(key.to_owned(), Arc::downgrade(&places));
        places
    }
}

/// The places of all look-ups.
pub(super) struct Room {
    hosts: Places,
    unnamed_by_namespace: Places,
    unnamed: Arc<Semaphore>,
    open_by_namespace: Places,
    open: Arc<Semaphore>,
}

/// A place that is taken, until this is dropped.
pub(super) struct Taken {
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) fn new() -> Self {
        Self {
            hosts: Places::new(HOST),
            unnamed_by_namespace: Places::new(UNNAMED_OF_ONE),
            unnamed: Arc::new(Semaphore::new(UNNAMED)),
            open_by_namespace: Places::new(OPEN_OF_ONE),
            open: Arc::new(Semaphore::new(OPEN)),
        }
    }

    /// A place for one more look-up that may wait, if there is one.
    pub(super) fn enter(&self, namespace: &str) -> Option<Taken> {
        let own = self.open_by_namespace.try_take(namespace)?;
        let open = Arc::clone(&self.open).try_acquire_owned().ok()?;
        Some(Taken { _permits: vec![own, open] })
    }

    /// A place to ask this host, once there is one. The narrowest is taken first, so that who waits
    /// keeps no place from others.
    pub(super) async fn take(&self, place: &Place, namespace: &str) -> Result<Taken, AcquireError> {
        let mut permits = Vec::new();
        if !place.is_named {
            permits.push(self.unnamed_by_namespace.take(namespace).await?);
        }
        permits.push(self.hosts.take(&place.host).await?);
        if !place.is_named {
            permits.push(Arc::clone(&self.unnamed).acquire_owned().await?);
        }
        Ok(Taken { _permits: permits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::settings::Source;
    use futures_util::FutureExt as _;

    fn unnamed(host: &str) -> Place {
        let any = Source { host: "*".to_owned(), mirror: None, private_addresses: false };
        Place::of(&format!("{host}/a"), &[any]).unwrap()
    }

    fn named(host: &str) -> Place {
        let own = Source { host: host.to_owned(), mirror: None, private_addresses: false };
        Place::of(&format!("{host}/a"), &[own]).unwrap()
    }

    #[test]
    fn a_host_has_its_own_places() {
        let room = Room::new();
        let take = |host: &str| room.take(&named(host), "a").now_or_never();
        let mut taken: Vec<_> = (0..HOST).map(|_| take("silent.example").unwrap()).collect();
        assert!(take("silent.example").is_none());
        assert!(take("other.example").is_some());
        taken.pop();
        assert!(take("silent.example").is_some());
    }

    #[test]
    fn a_namespace_with_many_hosts_leaves_places_to_others() {
        let room = Room::new();
        let take =
            |namespace: &str, host: &str| room.take(&unnamed(host), namespace).now_or_never();
        let hosts: Vec<_> = (0..=UNNAMED).map(|index| format!("host{index}.example")).collect();
        let taken: Vec<_> = hosts.iter().map_while(|host| take("one", host)).collect();
        assert_eq!(taken.len(), UNNAMED_OF_ONE);
        let others: Vec<_> = hosts.iter().map_while(|host| take(host, host)).collect();
        assert_eq!(others.len(), UNNAMED - UNNAMED_OF_ONE);
        // Those that are listed by name are not touched by all of that.
        assert!(room.take(&named("registry.example"), "one").now_or_never().is_some());
    }

    #[test]
    fn a_namespace_with_many_look_ups_leaves_places_to_others() {
        let room = Room::new();
        let taken: Vec<_> = (0..OPEN).map_while(|_| room.enter("one")).collect();
        assert_eq!(taken.len(), OPEN_OF_ONE);
        assert!(room.enter("other").is_some());
    }

    #[test]
    fn keys_that_nobody_uses_are_forgotten() {
        let places = Places::new(1);
        let kept = places.try_take("kept").unwrap();
        for index in 0..10_000 {
            assert!(places.try_take(&index.to_string()).is_some());
        }
        assert!(places.used.lock().unwrap().len() < 100);
        assert!(places.try_take("kept").is_none());
        drop(kept);
        assert!(places.try_take("kept").is_some());
    }
}
