//! Comments that arrived and are not decided yet. People wait for the results of
//! the commands in them, so no less urgent questions are asked first.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::port::store::Partition;

/// Age after which an undecided comment no longer counts as urgent: it waits for something else.
const LONGEST: Duration = Duration::from_mins(1);
/// Partitions remembered before those without waiting comments are forgotten.
const PARTITIONS: usize = 256;

/// Deliveries that people wait for, by partition and delivery id. Those that
/// another process or an earlier run took in are not known here: they wait
/// while questions are being asked, for as long as [`crate::app::ask`] allows.
pub(crate) struct Urgent {
    waiting: Mutex<HashMap<Partition, HashMap<String, Instant>>>,
    news: watch::Sender<()>,
}

impl Default for Urgent {
    fn default() -> Self {
        Self { waiting: Mutex::default(), news: watch::Sender::new(()) }
    }
}

impl Urgent {
    /// Records an arriving comment: before it is stored, and so before it can be decided.
    pub(crate) fn arrives(&self, partition: Partition, delivery: &str) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= PARTITIONS {
            // This process does not learn when another process decides a comment.
            waiting.retain(|_, of_one| {
                of_one.retain(|_, since| since.elapsed() < LONGEST);
                !of_one.is_empty()
            });
        }
        let of_one = waiting.entry(partition).or_default();
        of_one.retain(|_, since| since.elapsed() < LONGEST);
        of_one.insert(delivery.to_owned(), Instant::now());
        drop(waiting);
        self.news.send_replace(());
    }

    /// Removes a delivery that is no longer waiting.
    pub(crate) fn ended(&self, partition: &Partition, delivery: &str) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_one) = waiting.get_mut(partition) {
            of_one.remove(delivery);
            of_one.retain(|_, since| since.elapsed() < LONGEST);
            if of_one.is_empty() {
                waiting.remove(partition);
            }
        }
    }

    /// Returns once a comment waits in the partition, other than `own`, which is being decided.
    pub(crate) async fn waits(&self, partition: &Partition, own: Option<&str>) {
        let mut news = self.news.subscribe();
        while !self.has(partition, own) && news.changed().await.is_ok() {}
    }

    fn has(&self, partition: &Partition, own: Option<&str>) -> bool {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_other = |(id, since): (&String, &Instant)| Some(id.as_str()) != own && since.elapsed() < LONGEST;
        waiting.get(partition).is_some_and(|of_one| of_one.iter().any(is_other))
    }
}
