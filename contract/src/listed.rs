//! A list of what is to be said, of which only so much is put into words.

use alloc::{
    format,
    string::String,
    vec::{self, Vec},
};
use core::{ops::Index, slice};

use crate::{Violation, limits::LISTED};

/// The rules that an object breaks.
pub type Violations = Listed<Violation>;

/// The first [`LISTED`] of some things, and how many there are in all.
///
/// A caller passes a function that makes an item. The list does not call it for items that it only
/// counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    items: Vec<T>,
    count: usize,
}

impl<T> Listed<T> {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { items: Vec::new(), count: 0 }
    }

    /// Adds one, which is made only where it is listed.
    pub fn push(&mut self, item: impl FnOnce() -> T) {
        if self.items.len() < LISTED {
            self.items.push(item());
        }
        self.count += 1;
    }

    /// Adds so many that are only counted.
    pub fn push_unlisted(&mut self, count: usize) {
        self.count += count;
    }

    /// Adds those of another list.
    pub fn append(&mut self, other: Self) {
        self.count += other.count;
        let room = LISTED - self.items.len();
        self.items.extend(other.items.into_iter().take(room));
    }

    /// How many there are, listed or not.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// How many are only counted.
    #[must_use]
    pub const fn unlisted(&self) -> usize {
        self.count - self.items.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Those that are listed.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.items
    }

    /// Those that are listed.
    pub fn iter(&self) -> slice::Iter<'_, T> {
        self.items.iter()
    }

    /// What stands behind those that are listed, where there are others: `and 7 more`.
    #[must_use]
    pub fn and_more(&self) -> Option<String> {
        and_more(self.unlisted())
    }
}

/// What stands behind a list that leaves out so many.
pub(crate) fn and_more(count: usize) -> Option<String> {
    (count > 0).then(|| format!("and {count} more"))
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> FromIterator<T> for Listed<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut list = Self::new();
        for item in items {
            list.push(|| item);
        }
        list
    }
}

impl<T> IntoIterator for Listed<T> {
    type Item = T;
    type IntoIter = vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Listed<T> {
    type Item = &'a T;
    type IntoIter = slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One of those that are listed.
impl<T> Index<usize> for Listed<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.items[index]
    }
}

/// It has these, and no others.
impl<T: PartialEq<U>, U, const N: usize> PartialEq<[U; N]> for Listed<T> {
    fn eq(&self, other: &[U; N]) -> bool {
        self.count == N && self.items == *other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_no_more_are_made_than_are_listed() {
        let mut made = 0;
        let mut list = Listed::new();
        for _ in 0..100_000 {
            list.push(|| made += 1);
        }
        list.push_unlisted(7);
        assert_eq!(list.count(), 100_007);
        assert_eq!(list.iter().count(), LISTED);
        assert_eq!(list.and_more().unwrap(), format!("and {} more", 100_007 - LISTED));
        assert_eq!(made, LISTED);
    }

    #[test]
    fn a_list_that_is_added_is_cut_as_well() {
        let mut list: Listed<usize> = (0..LISTED - 1).collect();
        assert_eq!((list.count(), list.and_more()), (LISTED - 1, None));
        list.append((0..50).collect());
        assert_eq!((list.count(), list.as_slice().len()), (LISTED + 49, LISTED));
        assert_eq!(Listed::from_iter([1, 2]), [1, 2]);
        assert_ne!(Listed::from_iter([1]), [1, 2]);
    }
}
