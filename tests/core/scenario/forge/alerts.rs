//! Messages of monitoring systems.

use std::collections::BTreeMap;

use jiff::Timestamp;
use phasebot_core::domain::{
    alert::{Alert, Feedback, Group, Message, Says},
    event::Seen,
};

use super::{
    Forge,
    words::{after, has, number_after, time},
};

impl Forge {
    /// `alert prod cart a=firing b=over [labels env=production,…] [left 3] [title T] [endless]
    /// [sent 10:00]`: a message of connection `prod` about its group `cart`. The alert
    /// `a=firing@09:58` began at 09:58.
    pub(super) fn alert(&mut self, at: Timestamp, w: &[String]) -> Option<Seen> {
        let labels = |text: &str| -> BTreeMap<String, String> {
            let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
            pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let sent = after(w, "sent").and_then(time).unwrap_or(at);
        let mut group = Group {
            key: w[2].clone(),
            title: after(w, "title").map(str::to_owned),
            text: None,
            url: None,
            labels: after(w, "labels").map(labels).unwrap_or_default(),
            alerts: Vec::new(),
            left_out: number_after(w, "left").unwrap_or(0),
            tells_end: !has(w, "endless"),
        };
        let stop = w.iter().position(|word| ["labels", "left", "title", "endless", "sent"].contains(&word.as_str()));
        for word in &w[3..stop.unwrap_or(w.len())] {
            let (fingerprint, state) = word.split_once('=')?;
            let (state, when) = state.split_once('@').map_or((state, None), |(state, when)| (state, time(when)));
            let key = (w[1].clone(), w[2].clone(), fingerprint.to_owned());
            let (since, over) = self.alerts.get(&key).copied().unwrap_or((sent, true));
            let firing = state == "firing";
            let since = if firing { when.unwrap_or(if over { sent } else { since }) } else { since };
            self.alerts.insert(key, (since, !firing));
            group.alerts.push(Alert {
                fingerprint: fingerprint.to_owned(),
                firing,
                started_at: since,
                ended_at: (!firing).then(|| when.unwrap_or(sent)),
                labels: BTreeMap::new(),
                annotations: BTreeMap::new(),
                url: None,
                silence_url: None,
            });
        }
        Some(Seen::Alert(Box::new(Message { connection: w[1].clone(), at: sent, says: Says::Group(group) })))
    }
}

/// `feedback survey f1 "Title" ["Text"]`
pub(super) fn feedback(at: Timestamp, w: &[String]) -> Seen {
    let feedback = Feedback {
        key: w[2].clone(),
        title: w[3].clone(),
        text: w.get(4).cloned().unwrap_or_default(),
        url: None,
        labels: BTreeMap::new(),
    };
    Seen::Alert(Box::new(Message { connection: w[1].clone(), at, says: Says::Feedback(feedback) }))
}
