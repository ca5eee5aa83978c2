//! A map that keeps look-up tables over its values.
//!
//! The map can be read like any [`BTreeMap`], but changed only through methods that also update the
//! tables, so that no caller can forget to.

use std::{collections::BTreeMap, fmt, ops::Deref};

/// Look-up tables over the entries of an [`IndexedMap`].
pub trait MapIndex<K, V>: Default {
    /// Adds an entry.
    fn add(&mut self, key: &K, value: &V);
    /// Removes an entry; `value` is the one that was added.
    fn remove(&mut self, key: &K, value: &V);
}

/// A map with an index that always agrees with it.
#[derive(Clone)]
pub struct IndexedMap<K, V, I> {
    entries: BTreeMap<K, V>,
    index: I,
}

impl<K: Ord + Clone, V, I: MapIndex<K, V>> IndexedMap<K, V, I> {
    /// Creates an empty map.
    pub fn new() -> Self {
        Self { entries: BTreeMap::new(), index: I::default() }
    }

    /// Returns the look-up tables.
    pub fn index(&self) -> &I {
        &self.index
    }

    /// Sets the value of a key; returns the previous one.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let before = self.remove(&key);
        self.index.add(&key, &value);
        self.entries.insert(key, value);
        before
    }

    /// Removes a key; returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let value = self.entries.remove(key)?;
        self.index.remove(key, &value);
        Some(value)
    }

    /// Changes the value of a key. Returns what `change` returns, or `None` if the key is not
    /// there.
    pub fn update<T>(&mut self, key: &K, change: impl FnOnce(&mut V) -> T) -> Option<T> {
        let value = self.entries.get_mut(key)?;
        self.index.remove(key, value);
        let returned = change(value);
        self.index.add(key, value);
        Some(returned)
    }
}

impl<K: Ord + Clone, V, I: MapIndex<K, V>> Default for IndexedMap<K, V, I> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V, I> Deref for IndexedMap<K, V, I> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &Self::Target {
        &self.entries
    }
}

impl<'a, K, V, I> IntoIterator for &'a IndexedMap<K, V, I> {
    type Item = (&'a K, &'a V);
    type IntoIter = std::collections::btree_map::Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

/// The index follows from the entries and is not compared.
impl<K: PartialEq, V: PartialEq, I> PartialEq for IndexedMap<K, V, I> {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl<K: fmt::Debug, V: fmt::Debug, I> fmt::Debug for IndexedMap<K, V, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.fmt(f)
    }
}

/// A table from a property to the keys of the entries that have it.
#[derive(Debug, Clone)]
pub struct KeysBy<P, K>(BTreeMap<P, std::collections::BTreeSet<K>>);

impl<P: Ord + Clone, K: Ord + Clone> KeysBy<P, K> {
    /// Adds a key under a property.
    pub fn add(&mut self, property: P, key: K) {
        self.0.entry(property).or_default().insert(key);
    }

    /// Removes a key from a property.
    pub fn remove(&mut self, property: &P, key: &K) {
        if let Some(keys) = self.0.get_mut(property) {
            keys.remove(key);
            if keys.is_empty() {
                self.0.remove(property);
            }
        }
    }

    /// Returns the keys under a property, in order.
    pub fn of<'s, Q: Ord + ?Sized>(&'s self, property: &Q) -> impl DoubleEndedIterator<Item = &'s K> + use<'s, P, K, Q>
    where
        P: std::borrow::Borrow<Q>,
    {
        self.0.get(property).into_iter().flatten()
    }

    /// Returns every property that some entry has.
    pub fn properties(&self) -> impl Iterator<Item = &P> {
        self.0.keys()
    }
}

impl<P, K> Default for KeysBy<P, K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct ByLength(KeysBy<usize, u8>);

    impl MapIndex<u8, &str> for ByLength {
        fn add(&mut self, key: &u8, value: &&str) {
            self.0.add(value.len(), *key);
        }

        fn remove(&mut self, key: &u8, value: &&str) {
            self.0.remove(&value.len(), key);
        }
    }

    #[test]
    fn the_index_follows_every_change() {
        let mut map: IndexedMap<u8, &str, ByLength> = IndexedMap::new();
        map.insert(1, "one");
        map.insert(2, "two");
        map.insert(3, "three");
        let of = |map: &IndexedMap<u8, &str, ByLength>, length: usize| -> Vec<u8> {
            map.index().0.of(&length).copied().collect()
        };
        assert_eq!(of(&map, 3), [1, 2]);
        map.insert(1, "eleven");
        map.update(&2, |value| *value = "twelve");
        assert_eq!((of(&map, 3), of(&map, 6)), (vec![], vec![1, 2]));
        assert_eq!(map.update(&9, |_| ()), None);
        map.remove(&1);
        assert_eq!(of(&map, 6), [2]);
        assert_eq!(map.index().0.properties().copied().collect::<Vec<_>>(), [5, 6]);
    }
}
