//! Reads a request's body within limits of length, time and memory.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use crate::http::answer::Problem;

/// Maximum bytes of a refused body that are read before the answer. An answer to a sender that is
/// still writing would be lost, because closing a connection with unread bytes resets it.
const MAX_DISCARDED: usize = 64 * 1024 * 1024;

/// First buffer for a body that arrives in several parts, in bytes. A claimed length reserves no
/// more than this before its bytes arrive.
const FIRST_BUFFER: usize = 256 * 1024;

/// Limits on bodies, shared by all connections.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// Maximum length of a body, in bytes.
    pub(super) longest: usize,
    /// Maximum time in which a body must arrive.
    pub(super) patience: Duration,
    /// Bytes of every body that are not charged to `memory`, because connections are limited
    /// themselves. The signature covers the whole body, so no sender is verified before it is read,
    /// and strangers must not be able to take up all memory.
    pub(super) small: usize,
    /// Bytes of bodies beyond `small` that may be held at once; a permit is a byte.
    pub(super) memory: Arc<Semaphore>,
}

/// A body with its share of the memory, which is released on drop.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) bytes: Bytes,
    pub(super) share: Option<OwnedSemaphorePermit>,
}

impl Limits {
    /// Reads a whole body.
    pub(super) async fn read(&self, headers: &HeaderMap, mut body: Body) -> Result<Held, Problem> {
        let deadline = Instant::now() + self.patience;
        let claimed = claimed_length(headers);
        if claimed.is_some_and(|length| length > self.longest) {
            self.discard(headers, body).await;
            return Err(Problem::TooLarge(self.longest));
        }
        let mut share: Option<OwnedSemaphorePermit> = None;
        let mut first = Bytes::new();
        let mut rest: Option<BytesMut> = None;
        while let Some(part) = self.part(&mut body, deadline).await? {
            let length = rest.as_ref().map_or(first.len(), BytesMut::len);
            if part.len() > self.longest - length {
                self.discard(headers, body).await;
                return Err(Problem::TooLarge(self.longest));
            }
            self.reserve(&mut share, length, part.len())?;
            match &mut rest {
                Some(rest) => rest.extend_from_slice(&part),
                // Most bodies arrive in one part, which is never copied.
                None if first.is_empty() => first = part,
                None => {
                    let claimed = claimed.unwrap_or(0).min(FIRST_BUFFER);
                    let mut joined = BytesMut::with_capacity(claimed.max(length + part.len()));
                    joined.extend_from_slice(&first);
                    joined.extend_from_slice(&part);
                    rest = Some(joined);
                }
            }
        }
        Ok(Held { bytes: rest.map_or(first, BytesMut::freeze), share })
    }

    /// Reads what a refused sender is still sending, so that it will read the answer. Never asks a
    /// sender that waits for `100 Continue` to go on.
    pub(super) async fn discard(&self, headers: &HeaderMap, mut body: Body) {
        if headers.contains_key(http::header::EXPECT) {
            return;
        }
        let deadline = Instant::now() + self.patience;
        let mut read = 0;
        while read < MAX_DISCARDED {
            match self.part(&mut body, deadline).await {
                Ok(Some(part)) => read += part.len(),
                Ok(None) | Err(_) => break,
            }
        }
    }

    /// Returns the next bytes; `None` at the end.
    async fn part(&self, body: &mut Body, deadline: Instant) -> Result<Option<Bytes>, Problem> {
        loop {
            let frame = timeout_at(deadline, body.frame()).await.map_err(|_| Problem::TooSlow(self.patience))?;
            match frame {
                None => return Ok(None),
                Some(Err(_)) => return Err(Problem::Broken),
                // Trailers have no meaning here.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Reserves memory for `more` bytes of a body of which `held` have arrived.
    fn reserve(&self, share: &mut Option<OwnedSemaphorePermit>, held: usize, more: usize) -> Result<(), Problem> {
        let beyond = |length: usize| length.saturating_sub(self.small);
        let wanted = u32::try_from(beyond(held + more) - beyond(held)).map_err(|_| Problem::Overloaded)?;
        if wanted == 0 {
            return Ok(());
        }
        let more = Arc::clone(&self.memory).try_acquire_many_owned(wanted).map_err(|_| Problem::Overloaded)?;
        match share {
            Some(share) => share.merge(more),
            None => *share = Some(more),
        }
        Ok(())
    }
}

fn claimed_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
