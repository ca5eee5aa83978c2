//! Cache of answers that GitHub can confirm with a 304, which does not count against the rate
//! limit.
//!
//! The cache is bounded and held in memory only. The key contains the installation, so that no
//! tenant ever receives another tenant's data.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;

use crate::domain::id::ConnectionId;

/// Maximum size of a cached body, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// Maximum total size of the cache, in bytes.
const MAX_TOTAL: usize = 8 * 1024 * 1024;
/// Approximate memory of an entry in addition to its texts, in bytes.
const OVERHEAD: usize = 256;

/// Installation (`None` for the App itself) and path of a cached answer.
pub(super) type Key = (Option<ConnectionId>, String);

/// A cached answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// Value to send as `If-None-Match`.
    pub(super) etag: String,
    /// The body.
    pub(super) body: Bytes,
    /// Next page, if the answer announced one.
    pub(super) next: Further,
}

/// Content of an answer's `Link` header about the next page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Further {
    /// The answer has no `Link` header.
    Unsaid,
    /// This is the last page.
    None,
    /// Address of the next page.
    At(String),
}

/// Caches the most recently used answers.
#[derive(Debug, Default)]
pub(super) struct Cache {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<Key, (u64, Kept)>,
    /// Keys by time of their last use, oldest first.
    by_use: BTreeMap<u64, Key>,
    uses: u64,
    bytes: usize,
}

impl Cache {
    /// Returns the cached answer and marks it as used.
    pub(super) fn get(&self, key: &Key) -> Option<Kept> {
        let mut guard = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *guard;
        let (used, kept) = inner.entries.get_mut(key)?;
        inner.by_use.remove(used);
        inner.uses += 1;
        *used = inner.uses;
        inner.by_use.insert(inner.uses, key.clone());
        Some(kept.clone())
    }

    /// Removes an installation's answers.
    pub(super) fn drop_of(&self, installation: ConnectionId) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let its: Vec<Key> = inner.entries.keys().filter(|(of, _)| *of == Some(installation)).cloned().collect();
        for key in &its {
            inner.remove(key);
        }
    }

    /// Caches an answer and evicts the least recently used ones.
    pub(super) fn put(&self, key: Key, kept: Kept) {
        let mut guard = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *guard;
        inner.remove(&key);
        if kept.body.len() > MAX_BODY {
            return;
        }
        // The body may be a slice of a larger buffer; copying it frees the rest.
        let kept = Kept { body: Bytes::copy_from_slice(&kept.body), ..kept };
        inner.bytes += size(&key, &kept);
        inner.uses += 1;
        inner.by_use.insert(inner.uses, key.clone());
        inner.entries.insert(key, (inner.uses, kept));
        while inner.bytes > MAX_TOTAL {
            let Some((_, oldest)) = inner.by_use.pop_first() else { break };
            inner.remove(&oldest);
        }
    }
}

impl Inner {
    fn remove(&mut self, key: &Key) {
        if let Some((used, kept)) = self.entries.remove(key) {
            self.by_use.remove(&used);
            self.bytes -= size(key, &kept);
        }
    }
}

fn size(key: &Key, kept: &Kept) -> usize {
    2 * key.1.len() + kept.etag.len() + kept.body.len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(len: usize) -> Kept {
        Kept { etag: "e".to_owned(), body: Bytes::from(vec![b'x'; len]), next: Further::Unsaid }
    }

    #[test]
    fn tenants_do_not_share() {
        let cache = Cache::default();
        cache.put((Some(1), "/a".to_owned()), kept(1));
        assert_eq!(cache.get(&(Some(1), "/a".to_owned())), Some(kept(1)));
        assert_eq!(cache.get(&(Some(2), "/a".to_owned())), None);
        assert_eq!(cache.get(&(None, "/a".to_owned())), None);
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let cache = Cache::default();
        let key = |n: usize| (Some(1), format!("/{n}"));
        cache.put(key(0), kept(MAX_BODY));
        for n in 1..1000 {
            cache.put(key(n), kept(MAX_BODY));
            assert!(cache.get(&key(0)).is_some(), "used last, at {n}");
        }
        assert!(cache.get(&key(1)).is_none());
        assert!(cache.get(&key(999)).is_some());
        let inner = cache.inner.lock().unwrap();
        assert!(inner.bytes <= MAX_TOTAL);
        assert_eq!(inner.entries.len(), inner.by_use.len());
        let counted: usize = inner.entries.iter().map(|(key, (_, kept))| size(key, kept)).sum();
        assert_eq!(inner.bytes, counted);
    }

    #[test]
    fn large_answers_are_not_kept_and_forget_older_ones() {
        let cache = Cache::default();
        let key = (None, "/a".to_owned());
        cache.put(key.clone(), kept(1));
        cache.put(key.clone(), kept(MAX_BODY + 1));
        assert_eq!(cache.get(&key), None);
    }
}
