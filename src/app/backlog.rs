//! Queue of pending deliveries, by partition. No I/O.
//!
//! Memory is bounded: the queue keeps a limited number of the store's delivery numbers, and a
//! limited number of one partition, so that a stuck partition does not keep the others out.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};

use crate::port::store::{Partition, Pending, Seq};

/// Most delivery numbers in memory.
const CAPACITY: usize = 4096;
/// Most delivery numbers of one partition.
const MOST_OF_ONE: usize = 256;
/// First wait after a failure; doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// Longest wait between attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Deliveries of one partition.
#[derive(Debug, Default)]
struct Line {
    waiting: BTreeSet<Seq>,
    running: bool,
    /// True if the partition is in `ready`.
    listed: bool,
    /// After a failure: time before which it is not tried.
    postponed: Option<Instant>,
    failures: u32,
    /// Number from which the store holds deliveries that are not kept here. No later one may be
    /// added before it, or the order would break.
    cut_at: Option<Seq>,
}

/// Pending delivery numbers, by partition.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    lines: HashMap<Partition, Line>,
    /// Partitions that may run, in turn.
    ready: VecDeque<Partition>,
    len: usize,
    running: usize,
    /// Every number up to here was offered.
    cursor: Seq,
    /// True if the last read stopped for lack of room.
    stopped: bool,
    /// True if the cursor went back because a truncated partition has room again.
    went_back: bool,
}

impl Backlog {
    /// Returns the number after which to continue reading in the store.
    pub(crate) fn cursor(&self) -> Seq {
        self.cursor
    }

    /// Returns how many numbers are kept here.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the store holds more, and there is room for it now.
    pub(crate) fn wants_more(&self) -> bool {
        self.went_back || (self.stopped && self.len < CAPACITY / 2)
    }

    /// Returns whether nothing is pending, here or in the store as far as read, and nothing runs.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0 && self.running == 0 && !self.wants_more()
    }

    /// Returns whether a delivery may be decided next.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Starts a read from [`Self::cursor`] on.
    pub(crate) fn begin_read(&mut self) {
        self.stopped = false;
        self.went_back = false;
    }

    /// Adds a number while reading; returns `false` once there is no room, where the read must
    /// stop.
    pub(crate) fn offer(&mut self, pending: &Pending) -> bool {
        if self.len >= CAPACITY {
            self.stopped = true;
            return false;
        }
        self.add(pending);
        self.cursor = self.cursor.max(pending.seq);
        true
    }

    /// Adds a number that was put back behind the cursor (a replay).
    pub(crate) fn offer_behind_cursor(&mut self, pending: &Pending) {
        if pending.seq <= self.cursor && self.len < CAPACITY {
            self.add(pending);
        }
    }

    fn add(&mut self, pending: &Pending) {
        let line = self.lines.entry(pending.partition.clone()).or_default();
        if line.cut_at.is_some_and(|cut| pending.seq >= cut) {
            return;
        }
        if line.waiting.len() >= MOST_OF_ONE {
            line.cut_at = Some(pending.seq);
            return;
        }
        if line.waiting.insert(pending.seq) {
            self.len += 1;
        }
        Self::make_ready(&mut self.ready, &pending.partition, line);
    }

    fn make_ready(ready: &mut VecDeque<Partition>, partition: &Partition, line: &mut Line) {
        if !line.listed && !line.running && line.postponed.is_none() && !line.waiting.is_empty() {
            line.listed = true;
            ready.push_back(partition.clone());
        }
    }

    /// Returns the next delivery to decide. Its partition is blocked until [`Self::ended`].
    pub(crate) fn next(&mut self) -> Option<(Partition, Seq)> {
        let partition = self.ready.pop_front()?;
        let line = self.lines.get_mut(&partition)?;
        line.listed = false;
        let seq = *line.waiting.first()?;
        line.running = true;
        self.running += 1;
        Some((partition, seq))
    }

    /// Records that a delivery was decided or, with `again`, is to be tried again later.
    pub(crate) fn ended(&mut self, partition: &Partition, seq: Seq, again: bool, now: Instant) {
        let Some(line) = self.lines.get_mut(partition) else { return };
        line.running = false;
        self.running = self.running.saturating_sub(1);
        if again {
            let wait = FIRST_WAIT.saturating_mul(1 << line.failures.min(16)).min(LONGEST_WAIT);
            line.failures = line.failures.saturating_add(1);
            line.postponed = Some(now + wait);
            return;
        }
        line.failures = 0;
        if line.waiting.remove(&seq) {
            self.len -= 1;
        }
        if line.waiting.len() < MOST_OF_ONE / 2
            && let Some(cut) = line.cut_at.take()
        {
            self.cursor = self.cursor.min(cut.saturating_sub(1));
            self.went_back = true;
        }
        if line.waiting.is_empty() && line.cut_at.is_none() {
            self.lines.remove(partition);
        } else {
            Self::make_ready(&mut self.ready, partition, line);
        }
    }

    /// Returns the partitions that have deliveries here.
    pub(crate) fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.lines.keys()
    }

    /// Restarts reading at the beginning: partitions were added, whose pending
    /// numbers may lie behind the cursor.
    pub(crate) fn go_back(&mut self) {
        self.cursor = 0;
        self.went_back = true;
    }

    /// Records that a delivery was not decided because another process has its partition now.
    pub(crate) fn ended_elsewhere(&mut self, partition: &Partition) {
        self.running = self.running.saturating_sub(1);
        if let Some(line) = self.lines.remove(partition) {
            self.len -= line.waiting.len();
        }
    }

    /// Lists postponed partitions that are due again; returns when the next one is due.
    pub(crate) fn release_due(&mut self, now: Instant) -> Option<Instant> {
        let mut next: Option<Instant> = None;
        for (partition, line) in &mut self.lines {
            match line.postponed {
                Some(at) if at <= now => {
                    line.postponed = None;
                    Self::make_ready(&mut self.ready, partition, line);
                }
                Some(at) => next = Some(next.map_or(at, |n| n.min(at))),
                None => {}
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::ForgeName;

    fn pending(repo: u64, seq: Seq) -> Pending {
        Pending { seq, partition: Partition { forge: ForgeName::github(), repo: Some(repo) } }
    }

    #[test]
    fn one_of_a_partition_at_a_time_others_beside() {
        let mut backlog = Backlog::default();
        for (repo, seq) in [(1, 1), (1, 2), (2, 3)] {
            assert!(backlog.offer(&pending(repo, seq)));
        }
        let (first, seq) = backlog.next().unwrap();
        assert_eq!(seq, 1);
        assert_eq!(backlog.next().unwrap().1, 3);
        assert_eq!(backlog.next(), None);
        backlog.ended(&first, 1, false, Instant::now());
        assert_eq!(backlog.next().unwrap().1, 2);
    }

    #[test]
    fn a_failure_holds_its_own_partition_only_and_keeps_its_place() {
        let mut backlog = Backlog::default();
        let now = Instant::now();
        for (repo, seq) in [(1, 1), (1, 2), (2, 3)] {
            backlog.offer(&pending(repo, seq));
        }
        let (partition, seq) = backlog.next().unwrap();
        backlog.ended(&partition, seq, true, now);
        assert_eq!(backlog.next().unwrap().1, 3);
        assert_eq!(backlog.next(), None);
        let due = backlog.release_due(now).unwrap();
        assert_eq!(backlog.release_due(due), None);
        assert_eq!(backlog.next().unwrap().1, 1);
    }

    #[test]
    fn a_stuck_partition_keeps_no_other_out_and_loses_no_order() {
        let mut backlog = Backlog::default();
        let store: Vec<Pending> = (1..=1000).map(|s| pending(1, s)).chain([pending(2, 1001)]).collect();
        assert!(store.iter().all(|p| backlog.offer(p)));
        assert_eq!(backlog.len, MOST_OF_ONE + 1);
        let mut decided = Vec::new();
        while let Some((partition, seq)) = backlog.next() {
            decided.push(seq);
            backlog.ended(&partition, seq, false, Instant::now());
            if !backlog.wants_more() {
                continue;
            }
            backlog.begin_read();
            let (cursor, done) = (backlog.cursor(), decided.clone());
            for p in store.iter().filter(|p| p.seq > cursor && !done.contains(&p.seq)) {
                backlog.offer(p);
            }
        }
        assert_eq!(decided.len(), 1001);
        let first: Vec<Seq> = decided.into_iter().filter(|s| *s <= 1000).collect();
        assert!(first.is_sorted());
        assert!(backlog.is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let mut backlog = Backlog::default();
        let taken = (1..=100_000).take_while(|s| backlog.offer(&pending(*s, *s))).count();
        assert_eq!(taken, CAPACITY);
        assert_eq!(backlog.cursor(), CAPACITY as u64);
    }
}
