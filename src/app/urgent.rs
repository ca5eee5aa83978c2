//! Comments that arrived and are not decided yet: people wait for what comes
//! of the commands in them, so that nobody asks the forge lesser things first.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::port::store::Partition;

/// A comment that is not decided after this time waits for something else.
const LONGEST: Duration = Duration::from_mins(1);
/// Partitions remembered before those whose comments are over are forgotten.
const PARTITIONS: usize = 256;

/// The deliveries that people wait for, by partition and delivery id. What
/// another process took in, or an earlier run, is not known here: it waits
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
    /// A comment arrives: before it is kept, and so before it can be decided.
    pub(crate) fn arrives(&self, partition: Partition, delivery: &str) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= PARTITIONS {
            // Of what another process decides nothing is heard here.
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

    /// A delivery does not wait here any more.
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

    /// Returns once a comment waits there, beside `own` that is being decided.
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
