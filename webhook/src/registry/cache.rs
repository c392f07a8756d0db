//! What was found out, as long as it is good, and no more of it than fits.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

use tokio::time::Instant;

/// What an entry takes besides its content: the tables' own part of it.
const OVERHEAD: usize = 160;

/// How many bytes something takes beyond its own size.
pub(super) trait Weight {
    /// The bytes on the heap, about.
    fn weight(&self) -> usize;
}

/// A table that is bounded in bytes, and forgets first what was not used for the longest time.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// The keys in the order in which they were last used.
    order: BTreeMap<u64, K>,
    clock: u64,
    bytes: usize,
    limit: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    until: Option<Instant>,
    used: u64,
    bytes: usize,
}

impl<K: Clone + Eq + Hash + Weight, V: Clone + Weight> Cache<K, V> {
    pub(super) fn new(limit: usize) -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new(), clock: 0, bytes: 0, limit }
    }

    /// The value of a key, unless it is no longer good.
    pub(super) fn get(&mut self, key: &K, now: Instant) -> Option<V> {
        let entry = self.entries.get_mut(key)?;
        if entry.until.is_some_and(|until| until <= now) {
            self.remove(key);
            return None;
        }
        self.order.remove(&entry.used);
        self.clock += 1;
        entry.used = self.clock;
        self.order.insert(self.clock, key.clone());
        Some(entry.value.clone())
    }

    /// Keeps a value, for ever or until then.
    pub(super) fn put(&mut self, key: K, value: V, until: Option<Instant>) {
        self.remove(&key);
        // The key stands in both tables.
        let bytes =
            OVERHEAD + size_of::<V>() + value.weight() + 2 * (size_of::<K>() + key.weight());
        if bytes > self.limit {
            return;
        }
        self.clock += 1;
        self.bytes += bytes;
        self.order.insert(self.clock, key.clone());
        self.entries.insert(key, Entry { value, until, used: self.clock, bytes });
        while self.bytes > self.limit
            && let Some((_, oldest)) = self.order.first_key_value()
        {
            let oldest = oldest.clone();
            self.remove(&oldest);
        }
    }

    fn remove(&mut self, key: &K) {
        if let Some(entry) = self.entries.remove(key) {
            self.order.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    impl Weight for &str {
        fn weight(&self) -> usize {
            self.len()
        }
    }

    impl Weight for usize {
        fn weight(&self) -> usize {
            *self
        }
    }

    #[test]
    fn an_entry_is_good_until_its_time() {
        let mut cache = Cache::new(10_000);
        let now = Instant::now();
        cache.put("a", 1, Some(now + Duration::from_secs(1)));
        cache.put("b", 2, None);
        assert_eq!(cache.get(&"a", now), Some(1));
        let later = now + Duration::from_secs(1);
        assert_eq!(cache.get(&"a", later), None);
        assert_eq!(cache.get(&"a", now), None);
        assert_eq!(cache.get(&"b", later), Some(2));
        cache.put("b", 3, None);
        assert_eq!(cache.get(&"b", later), Some(3));
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first_and_the_bound_holds() {
        let mut cache = Cache::new(4_000);
        let now = Instant::now();
        for key in ["a", "b", "c"] {
            cache.put(key, 1_000, None);
        }
        assert_eq!(cache.get(&"a", now), Some(1_000));
        cache.put("d", 1_000, None);
        assert!(cache.bytes <= 4_000);
        assert_eq!(cache.get(&"b", now), None);
        assert_eq!(cache.get(&"a", now), Some(1_000));
        cache.put("huge", 5_000, None);
        assert_eq!(cache.get(&"huge", now), None);
        assert_eq!(cache.get(&"a", now), Some(1_000));
        for round in 0..1_000 {
            cache.put(["a", "b", "c", "d", "e"][round % 5], 100 * (round % 20), None);
            assert!(cache.bytes <= 4_000);
            assert_eq!(cache.order.len(), cache.entries.len());
        }
        for key in ["a", "b", "c", "d", "e"] {
            cache.remove(&key);
        }
        assert_eq!(cache.bytes, 0);
    }
}
