//! Answers that GitHub may confirm with a 304, which costs no rate limit.
//!
//! Bounded, and thrown away by a restart. The key holds the installation, so
//! that nothing one tenant may see is ever answered to another.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;

use crate::domain::id::InstallationId;

/// Larger answers are not kept.
const MAX_BODY: usize = 64 * 1024;
/// All that is kept, in bytes.
const MAX_TOTAL: usize = 8 * 1024 * 1024;
/// What an entry costs beside its texts, roughly.
const OVERHEAD: usize = 256;

/// Whose answer, and to which path. `None`: the App's own.
pub(super) type Key = (Option<InstallationId>, String);

/// An answer that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    /// What to send as `If-None-Match`.
    pub(super) etag: String,
    /// The body.
    pub(super) body: Bytes,
    /// Whether a further page was announced.
    pub(super) next: Further,
}

/// What an answer's `Link` says of a further page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Further {
    /// There is no such header.
    Unsaid,
    /// This page is the last.
    None,
    /// It is at this address.
    At(String),
}

/// Keeps the answers used last.
#[derive(Debug, Default)]
pub(super) struct Cache {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<Key, (u64, Kept)>,
    /// Oldest use first.
    by_use: BTreeMap<u64, Key>,
    uses: u64,
    bytes: usize,
}

impl Cache {
    /// What was kept under `key`.
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

    /// Throws away what an installation was answered.
    pub(super) fn drop_of(&self, installation: InstallationId) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let its: Vec<Key> = inner.entries.keys().filter(|(of, _)| *of == Some(installation)).cloned().collect();
        for key in &its {
            inner.remove(key);
        }
    }

    /// Keeps an answer, and lets go of those not used for longest.
    pub(super) fn put(&self, key: Key, kept: Kept) {
        let mut guard = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *guard;
        inner.remove(&key);
        if kept.body.len() > MAX_BODY {
            return;
        }
        // A body may be a slice of a larger buffer: keep no more than itself.
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
